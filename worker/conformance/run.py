"""Runs the probes, one after the other, and removes what they made whatever happens."""

from __future__ import annotations

from collections.abc import Callable, Iterable

from worker.conformance.organization import CannotTellError, Organization
from worker.conformance.probes import NOT_PROBED, PROBES, Probe
from worker.conformance.report import Report
from worker.dynamics.errors import Unavailable


async def run_probes(
    organization: Organization,
    probes: Iterable[Probe] = PROBES,
    told: Callable[[str], None] = lambda _line: None,
) -> Report:
    """Probe an organization; afterwards the caller ``clean``s it.

    Args:
        organization: A test organization.
        probes: Which.
        told: Called with the name of each switch before it is probed.

    Raises:
        DynamicsError: There is no token, or no answer at all.
    """
    report = Report(not_probed=dict(NOT_PROBED))
    for probe in probes:
        told(probe.switch)
        organization.heard.clear()
        try:
            report.switches[probe.switch] = await probe.ask(organization)
        except CannotTellError as error:
            report.unknown[probe.switch] = str(error)
        except Unavailable:
            report.unknown[probe.switch] = "a request was not answered"
        except (KeyError, TypeError, AttributeError):  # of a body that is none of Dataverse's
            report.unknown[probe.switch] = "an answer lacks what was asked for"
        report.answers[probe.switch] = [*organization.heard]
    return report
