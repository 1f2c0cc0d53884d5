"""One run: three workers at work, a fire, and then peace until all is done."""

from __future__ import annotations

import time

from collections.abc import Mapping
from contextlib import AsyncExitStack
from pathlib import Path
from typing import Final
from urllib.parse import urlsplit

from fleet.crew import crew
from fleet.ground import ground
from fleet.producer import Producer
from fleet.proxy import HOST, Proxy
from fleet.services import kinesis_mock, moto
from fleet.trial import Trial
from fleet.watch import Watch
from hostile.world import ADDRESSES, between
from torture.fire import Fire
from torture.oddities import tell_oddly
from torture.outcome import Outcome, counts, judge
from torture.plan import plan
from torture.poison import poison
from torture.versions import add_step, journal
from worker.clock import alongside
from worker.sandbox.oracle.verdict import PIPELINES


WORKERS: Final = 3
SHARDS: Final = 4  # of each stream

#: Contacts of a wave; one comes every 8 s.
CONTACTS: Final = 6


#: Longest time (s) to come to rest: what was poisoned has waited ever longer, or is parked.
REST_LIMIT_S: Final = 900.0


async def torture(folder: Path, *, seed: int, fire_s: float) -> Outcome:
    """Run; ``folder`` is empty and keeps the workers' logs.

    Raises:
        ConfigError: Kinesis' stand-in cannot run here.
        TimeoutError: The workers never came to work.
    """
    async with AsyncExitStack() as stack:
        kinesis_url = await stack.enter_async_context(kinesis_mock())
        aws_url = await stack.enter_async_context(moto())
        under = await stack.enter_async_context(
            ground(
                folder,
                kinesis_url=kinesis_url,
                aws_url=aws_url,
                shards=SHARDS,
                pipelines=PIPELINES,
            )
        )
        add_step(folder)
        poisonous = poison(under.dataverse.faults)
        ca = Path(under.environment["CONNECT_DYNAMICS_CA_FILE"])
        spoilers = between(under.environment, aws_url, ca)
        middles, environment = await stack.enter_async_context(spoilers)
        proxies = {name: Proxy(middle.port) for name, middle in middles.items()}
        for proxy in proxies.values():
            await stack.enter_async_context(proxy.listening())
        environment = _through(proxies, environment)
        workers = await stack.enter_async_context(crew(environment, folder))
        written = stack.enter_context(journal(under.dataverse.records))
        watch = Watch(under.leases)
        producer = Producer(under, contacts=CONTACTS, seed=seed, tell=tell_oddly)
        trial = Trial(under, workers, producer, watch)
        await stack.enter_async_context(alongside(watch.run()))
        await stack.enter_async_context(alongside(producer.run()))
        await trial.share_evenly(WORKERS)
        fire = Fire(under, workers, watch, list(proxies.values()), middles)
        begun = time.monotonic()
        await fire.burn(plan(seed, fire_s))
        under.dataverse.faults.remove(poisonous)
        ended = time.monotonic()
        at_rest = await _rest(trial)
        return Outcome(
            seed,
            ended - begun,
            time.monotonic() - ended,
            at_rest,
            fire.struck,
            {service: middle.spoiled for service, middle in middles.items()},
            fire.take_overs(),
            counts(trial, written),
            await judge(trial, written, fire.fallen),
        )


def _through(proxies: Mapping[str, Proxy], environment: Mapping[str, str]) -> dict[str, str]:
    """The settings that lead through the proxies."""
    changed = dict(environment)
    for service, names in ADDRESSES.items():
        for name in names:
            address = urlsplit(environment[name])
            changed[name] = address._replace(netloc=f"{HOST}:{proxies[service].port}").geturl()
    return changed


async def _rest(trial: Trial) -> bool:
    try:
        await trial.come_to_rest(REST_LIMIT_S)
    except TimeoutError:
        return False
    return True
