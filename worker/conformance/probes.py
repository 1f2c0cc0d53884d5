"""The probes: one for each switch of the sandbox, and what cannot be probed, with the reason."""

from __future__ import annotations

from collections.abc import Awaitable, Callable, Mapping
from dataclasses import dataclass
from typing import Any, Final

from worker.conformance import access, keys, links, states
from worker.conformance.organization import Organization


@dataclass(frozen=True, slots=True)
class Probe:
    """A probe.

    Attributes:
        switch: The switch that it decides.
        ask: Gives its position; raises ``CannotTellError``. Its docstring says what it does.
    """

    switch: str
    ask: Callable[[Organization], Awaitable[Any]]


#: In the order in which they are run.
PROBES: Final = tuple(
    Probe(ask.__name__, ask)
    for ask in (
        *(states.code_style, states.segment_code, states.stale_code),
        *(states.closed, states.reopen, states.create_closed),
        *(states.state_alone, states.state_pair_status),
        *(states.bulk_everywhere, states.batch_failure, states.batch_line_ends),
        states.tab_parameters,
        *(keys.key_taken_code, keys.duplicate_status, keys.phonecall_keys, keys.upsert_race),
        *(links.patch_parties, links.bad_bind_status, links.short_regarding, links.bind_by_key),
        *(links.null_bind, links.two_binds, links.bind_text, links.automatic_parties),
        *(access.www_authenticate, access.disabled_status, access.unknown_caller),
        access.wildcard_status,
    )
)

#: Switches without a probe, and what is not documented either and is no switch.
NOT_PROBED: Final[Mapping[str, str]] = {
    "wildcard_rows": "a table is throttled only from thousands of rows on, which are not made",
    "lost answers": "what becomes of a request whose answer is lost cannot be brought about",
    "SQL time-outs": "a time-out of the database cannot be brought about",
    "service protection": "its numbers would need thousands of requests, and hold up others",
}
