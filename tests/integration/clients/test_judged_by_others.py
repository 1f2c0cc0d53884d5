"""Clients that other people wrote take the sandbox for the real thing, as far as the README says.

Each runs its documented operations once, in a process of its own, against a sandbox of its own
(``drivers/``); ``README.md`` says how each operation ends and is what is tested here.
"""

from __future__ import annotations

from typing import Any

import pytest

from document_tables import rows


pytestmark = pytest.mark.services

PAGE = "tests/integration/clients/README.md"
RIGHT = "right"
OUTCOMES = (RIGHT, "refused on purpose", "client's own fault", "missing")

#: What a switch of the sandbox makes of operations that are refused otherwise.
LENIENT = {"batch_line_ends": "any"}


def listed(client: str) -> dict[str, tuple[str, str, str]]:
    """The README's rows of one client: outcome, answer and reason of each operation."""
    found = rows(PAGE, client, "outcome", "answer", "why")
    return {name: (outcome, answer.strip("`"), why) for name, outcome, answer, why in found}


def counted() -> dict[str, list[str]]:
    """The README's counts by client."""
    header = ("client", "version", "operations", "right before", *OUTCOMES)
    return {name.strip("`"): cells for name, *cells in rows(PAGE, *header)}


CLIENTS = tuple(counted())
EACH = [
    pytest.param(client, name, id=f"{client}: {name}")
    for client in CLIENTS
    for name in listed(client)
]


@pytest.mark.parametrize(("client", "operation"), EACH)
def test_a_clients_operation_ends_as_the_readme_says(
    drive: Any, client: str, operation: str
) -> None:
    outcome, answer, why = listed(client)[operation]
    seen = drive(client)[operation]
    assert outcome in OUTCOMES
    if outcome == RIGHT:
        assert (seen, answer, why) == (RIGHT, "", "")
    else:
        assert seen != RIGHT
        assert seen.startswith(answer)
        assert why or outcome == "missing"


@pytest.mark.parametrize("client", CLIENTS)
def test_the_readme_lists_every_operation_of_a_client(drive: Any, client: str) -> None:
    assert list(drive(client)) == list(listed(client))


@pytest.mark.parametrize("client", CLIENTS)
def test_the_readme_counts_the_outcomes_of_a_client(client: str) -> None:
    outcomes = [outcome for outcome, _, _ in listed(client).values()]
    _, operations, _, *counts = counted()[client]
    assert [operations, *counts] == [
        str(n) for n in (len(outcomes), *map(outcomes.count, OUTCOMES))
    ]


@pytest.mark.parametrize("client", ["dataverse-webapi", "dataverse-api"])
def test_batches_with_line_ends_that_the_documentation_rules_out_work_if_a_switch_says_so(
    drive: Any, client: str
) -> None:
    refused = [name for name, (_, _, why) in listed(client).items() if "batch_line_ends" in why]
    seen = drive(client, *refused, **LENIENT)
    assert refused
    assert seen == dict.fromkeys(refused, RIGHT)
