"""Conform: finds out where a test organization behaves otherwise than the sandbox."""

from __future__ import annotations

import asyncio

from collections.abc import Callable
from dataclasses import dataclass
from pathlib import Path

from worker import aws
from worker.clock import cancel_and_wait
from worker.conformance.organization import Organization
from worker.conformance.report import Report
from worker.conformance.run import run_probes
from worker.dynamics.connection import open_access
from worker.environment import environment_in
from worker.errors import ConfigError, Interrupted
from worker.sandbox.dataverse.switches import Switches
from worker.settings import Settings
from worker.signals import stopping_on_signals


@dataclass(frozen=True, slots=True)
class Options:
    """The options of ``connect-dynamics conform``; see its ``--help``."""

    dynamics: str
    is_test: bool
    to: Path


async def conform(
    options: Options, settings: Settings, told: Callable[[str], None] = lambda _line: None
) -> Report:
    """Probe the organization, and write the file.

    Raises:
        ConfigError: A setting must be corrected.
        DynamicsError: There is no token, or no answer.
        Interrupted: A signal came; what had been made is removed.
    """
    _check(options)
    try:
        address = environment_in(options.dynamics) if options.dynamics else settings.environment_url
    except ValueError as error:
        raise ConfigError(f"--dynamics {error}") from None
    named = settings.model_copy(update={"environment_url": address})
    async with open_access(named, aws.secrets) as (http, tokens):
        root = f"{address}/api/data/{settings.api_version}/"
        report = await probed(Organization(http, tokens, root), told)
    report.differs = differing(report)
    options.to.write_text(report.to_json(), encoding="utf-8")
    return report


def _check(options: Options) -> None:
    """Whether to begin at all.

    Raises:
        ConfigError: It is not said that the organization is for tests, or the file cannot be made.
    """
    if not options.is_test:
        raise ConfigError(
            "conform makes records, and removes them again: run it against an organization that "
            "is for tests only, and say so with --test-organization"
        )
    if options.to.is_dir() or not options.to.parent.is_dir():
        raise ConfigError(f"{options.to}: cannot be written; name a file in a folder that is there")


async def probed(organization: Organization, told: Callable[[str], None]) -> Report:
    """The report on an organization, from which everything that was made is removed.

    A second signal does not interrupt the removing.

    Raises:
        DynamicsError: There is no token, or no answer.
        Interrupted: A signal came.
    """
    work = asyncio.create_task(_probe(organization, told))

    def stop() -> None:
        work.cancel()

    with stopping_on_signals(stop):
        try:
            await asyncio.wait([work])
            if work.cancelled():
                raise Interrupted("stopped; what was made is removed, and no file was written")
            return work.result()
        finally:
            await cancel_and_wait(work)
            if left := await organization.clean():
                told(f"could not be removed: {', '.join(left)}; the next run tries again")


async def _probe(organization: Organization, told: Callable[[str], None]) -> Report:
    if swept := await organization.sweep():
        told(f"{swept} records of an earlier run removed")
    return await run_probes(organization, told=told)


def differing(report: Report) -> list[str]:
    """The switches that the organization has otherwise than the sandbox."""
    usual = Switches()
    return sorted(
        name
        for name, position in report.switches.items()
        if hasattr(usual, name) and getattr(usual, name) != position
    )
