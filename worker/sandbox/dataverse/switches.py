"""How Dataverse behaves where its documentation does not say: one switch each, likeliest first.

Limits (``limits.py``), faults (``faults.py``) and the token endpoint have settings of their own.
"""

from __future__ import annotations

from dataclasses import dataclass
from typing import Literal


@dataclass(slots=True)
class Switches:
    """May be changed while the sandbox runs.

    Attributes:
        closed: Updating a completed or cancelled activity: allowed, or refused with this code.
        reopen: Whether a refusing organisation takes a change of statecode and statuscode alone.
        create_closed: Creating in a state that is not Open.
        state_alone: statecode without statuscode: the state's default status, or nothing at all.
        patch_parties: PATCH with nested parties.
        bad_bind_status: HTTP status when a bound row does not exist.
        key_taken_code: A create with a primary key that is there already.
        duplicate_status: HTTP status when duplicate detection finds something.
        code_style: How error codes are written.
        stale_code: If-Match with an old ETag.
        segment_code: An unknown entity set or path.
        phonecall_keys: Alternate keys on phonecall: usable, not possible, or still being built.
        bulk_everywhere: CreateMultiple and its like on phonecall, annotation and the rest.
        batch_failure: What a failing batch without continue-on-error leaves behind.
        upsert_race: The later of two simultaneous upserts of a new row.
        disabled_status: HTTP status for a disabled application user.
        www_authenticate: Whether a 401 says where to get a token.
        state_pair_status: HTTP status of a statuscode that is not one of the statecode's.
        bind_by_key: ``contacts(emailaddress1='x')`` as the target of a bind.
        tab_parameters: Whether a new tab template gets empty rows for its page type's parameters.
        short_regarding: ``regardingobjectid_contact`` beside ``…_contact_phonecall``.
        null_bind: ``"<nav>@odata.bind": null`` in a body; ``"<nav>": null`` always empties.
        two_binds: A body that sets one lookup under two names: refused, or the last counts.
        bind_text: A key in a bind: the text as it stands, or percent-decoded first.
        automatic_parties: Whether an activity's parties list its regarding (8) and its owner (9).
        unknown_caller: Code for a request in the name of a user who is not there.
        wildcard_rows: How many rows of a table a query that begins with a wildcard may read.
        wildcard_status: HTTP status of such a query.
        batch_line_ends: Whether a batch needs CRLF everywhere, as documented; two clients do not.
    """

    closed: Literal["allow", "0x8004022e", "0x80040230"] = "allow"
    reopen: Literal["allow", "refuse"] = "allow"
    create_closed: Literal["reset", "honour", "refuse"] = "reset"
    state_alone: Literal["default", "ignore"] = "default"
    patch_parties: Literal["refuse", "replace", "ignore"] = "refuse"
    bad_bind_status: Literal[404, 400] = 404
    key_taken_code: Literal["0x80040237", "0x80060892"] = "0x80040237"
    duplicate_status: Literal[412, 500] = 412
    code_style: Literal["hex", "", "0x0"] = "hex"
    stale_code: Literal["0x80060882", ""] = "0x80060882"
    segment_code: Literal["0x80060888", "0x8006088a"] = "0x80060888"
    phonecall_keys: Literal["allow", "refuse", "pending"] = "allow"
    bulk_everywhere: Literal["refuse", "accept"] = "refuse"
    batch_failure: Literal["committed", "rolled back"] = "committed"
    upsert_race: Literal["conflict", "accept"] = "conflict"
    disabled_status: Literal[403, 401] = 403
    www_authenticate: bool = True
    state_pair_status: int = 400
    bind_by_key: Literal["accept", "refuse"] = "accept"
    tab_parameters: Literal["absent", "made"] = "absent"
    short_regarding: Literal["accept", "refuse"] = "accept"
    null_bind: Literal["refuse", "fail", "ignore"] = "refuse"
    two_binds: Literal["refuse", "last"] = "refuse"
    bind_text: Literal["raw", "decoded"] = "raw"
    automatic_parties: Literal["shown", "hidden"] = "shown"
    unknown_caller: Literal["0x80072560", "0x80041d1f", "0x80040217"] = "0x80072560"
    wildcard_rows: int = 5_000
    wildcard_status: Literal[429, 400, 503] = 429
    batch_line_ends: Literal["crlf", "any"] = "crlf"
