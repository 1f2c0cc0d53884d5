"""What a fire did: counted, judged, and told on one page."""

from __future__ import annotations

import statistics

from collections import Counter
from collections.abc import Mapping, Sequence
from dataclasses import dataclass
from typing import Final

from fleet.account import missing_in_state
from fleet.trial import Trial
from torture.plan import CONTENT, NETWORK, PROCESSES, SANDBOX, Act
from torture.poison import poisoned_in
from torture.versions import Journal, expected_with_version
from worker.sandbox.oracle.verdict import ACTIVITIES, Expected, Records, differences, key_of
from worker.sandbox.traffic import RECORDS


#: How many lines of each kind of fault are told.
_TOLD: Final = 20

#: More than are ever set aside here.
_ALL: Final = 100_000


@dataclass(frozen=True, slots=True)
class Verdict:
    """What must not be, one line each; the run is good if there is none.

    Attributes:
        lost: What was put and is neither in the state, nor in quarantine, nor in Dynamics.
        doubled: Records that no contact should have, or that were made twice.
        stale: An older contact record over a newer one, at any time in Dynamics or at last in
            the state.
        disordered: A checkpoint that moved back, a child shard read before its parents' ends.
        stuck: Contacts that are set aside though nothing is wrong with them.
        fallen: Workers that ended by themselves.
    """

    lost: list[str]
    doubled: list[str]
    stale: list[str]
    disordered: list[str]
    stuck: list[str]
    fallen: list[str]

    @property
    def lines(self) -> dict[str, list[str]]:
        """All that is wrong, by what it is called."""
        return {
            "lost": self.lost,
            "doubled": self.doubled,
            "stale overwrites": self.stale,
            "order violations": self.disordered,
            "stuck": self.stuck,
            "ended by themselves": self.fallen,
        }

    @property
    def good(self) -> bool:
        """Whether nothing is wrong."""
        return not any(self.lines.values())


@dataclass(frozen=True, slots=True)
class Outcome:
    """All that is told.

    Attributes:
        seed: The seed.
        fire_s: How long it burned.
        rest_s: From then until all was done.
        at_rest: Whether all was done.
        struck: How often each thing was done.
        spoiled: How often each hostile behaviour happened, by service.
        take_overs: How long (s) shards waited for another worker, in order.
        counts: What was put, and what came of it, by name.
        verdict: What must not be.
    """

    seed: int
    fire_s: float
    rest_s: float
    at_rest: bool
    struck: Counter[Act]
    spoiled: dict[str, Counter[str]]
    take_overs: list[float]
    counts: dict[str, int]
    verdict: Verdict

    @property
    def good(self) -> bool:
        """Whether everything was done, and nothing is wrong."""
        return self.at_rest and self.verdict.good


async def judge(trial: Trial, journal: Journal, fallen: list[str]) -> Verdict:
    """Compare everything that was put with what came of it."""
    puts = trial.producer.puts
    in_state = [fault async for fault in missing_in_state(trial.ground.store, puts)]
    wanted = expected_with_version(trial.producer.legs, [put.message for put in puts])
    poisoned, set_aside = poisoned_in(trial.producer.legs), await _set_aside(trial)
    out = poisoned.kept_out(set_aside)
    records = {
        name: [row for row in rows if row.get(key_of(name)) not in out]
        for name, rows in trial.ground.dataverse.dump().items()
    }
    taken = [one for one in wanted if one.key not in out]
    wrong, doubled = wrong_in_dynamics(taken, records, journal)
    return Verdict(
        lost=[*(line for line in in_state if line.startswith("lost")), *wrong],
        doubled=doubled,
        stale=[*(line for line in in_state if not line.startswith("lost")), *journal.stale],
        disordered=trial.watch.wrong,
        stuck=[*poisoned.stuck(set_aside)],
        fallen=fallen,
    )


async def _set_aside(trial: Trial) -> list[str]:
    return list(await trial.ground.store.parked("", _ALL))


def wrong_in_dynamics(
    wanted: Sequence[Expected], records: Records, journal: Journal
) -> tuple[list[str], list[str]]:
    """What is lost there, and what is doubled."""
    keys = {one.key for one in wanted}
    others = {
        name: [row for row in records.get(name, []) if row.get(key_of(name)) not in keys]
        for name in ACTIVITIES
    }
    unwanted = list(differences([], others))
    lost = [line for line in differences(wanted, records) if line not in unwanted]
    twice = [
        f"{name}({key}) was made {times} times"
        for (name, key), times in journal.creates.items()
        if times > 1
    ]
    return lost, [*unwanted, *twice]


def page(outcome: Outcome) -> str:
    """One page, and the first lines of what is wrong."""
    verdict = outcome.verdict
    rows = [
        ("seed", str(outcome.seed)),
        ("fire", f"{outcome.fire_s / 60:.1f} min; {outcome.rest_s:.0f} s to rest after it"),
        *((name, str(number)) for name, number in outcome.counts.items()),
        ("processes", _counted(outcome.struck, PROCESSES)),
        ("resharded", str(outcome.struck[Act.RESHARD])),
        ("network faults", _counted(outcome.struck, NETWORK)),
        ("sandbox faults", _counted(outcome.struck, SANDBOX)),
        ("faults by content", _counted(outcome.struck, CONTENT)),
        ("answers spoiled", _spoiled(outcome.spoiled)),
        ("take-over", _spread(outcome.take_overs)),
        *((name, str(len(wrong))) for name, wrong in verdict.lines.items()),
    ]
    lines = [f"{name:20}{told}" for name, told in rows]
    lines += [line for wrong in verdict.lines.values() for line in wrong[:_TOLD]]
    if not outcome.at_rest:
        lines.append("not all was done in time")
    return "\n".join(lines)


def counts(trial: Trial, journal: Journal) -> dict[str, int]:
    """What was put, and how much Dynamics was asked for it."""
    messages = [put.message for put in trial.producer.puts]
    return {
        "messages put": len(messages),
        "of them records": sum(message.stream == RECORDS for message in messages),
        "contacts": len(trial.producer.legs),
        "workers started": len(trial.crew.workers),
        "requests": trial.ground.dataverse.requests,
        "rows written": journal.writes,
        "poisoned contacts": len(poisoned_in(trial.producer.legs).keys),
    }


def _counted(struck: Counter[Act], acts: Sequence[Act]) -> str:
    each = ", ".join(f"{act.value} {struck[act]}" for act in acts)
    return f"{sum(struck[act] for act in acts)}: {each}"


def _spoiled(by_service: Mapping[str, Counter[str]]) -> str:
    each = (
        f"{service} {spoiled.total()} in {len(spoiled)} ways"
        for service, spoiled in sorted(by_service.items())
    )
    return f"{sum(c.total() for c in by_service.values())}: {', '.join(each)}"


def _spread(seconds: Sequence[float]) -> str:
    if len(seconds) < 2:  # quantiles need two
        return f"{len(seconds)} shards"
    late = statistics.quantiles(seconds, n=20, method="inclusive")[-1]
    middle = statistics.median(seconds)
    return f"median {middle:.1f} s, p95 {late:.1f} s, max {seconds[-1]:.1f} s of {len(seconds)}"
