"""Records in Dynamics that hold a person's number or address are found, and only read."""

from __future__ import annotations

from collections.abc import Iterator

import pytest

from pipelines.loader import load
from worker.definitions import find
from worker.dynamics.protocol import Answer, Request
from worker.errors import ConfigError
from worker.operations.dynamics_search import MOST, InDynamics, Search, has_parties, places
from worker.sandbox.dataverse.organisation import Organisation, create_organisation
from worker.sandbox.inprocess import InProcessDynamics


NUMBER = "+15550100200"
KEYS = [f"00000000-0000-4000-8000-{n:012}" for n in range(5)]

MIXED = load(
    """
name = "mixed"
[[step]]
name = "MAKE"
on = "created"
method = "POST"
entity = "tasks"
body = '''{"subject": "Call of {{ CustomerEndpoint }}", "description": "{{ Queue }}"}'''
""",
    "mixed.toml",
)


class ReadingOnly(InProcessDynamics):
    """Fails at the first write."""

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        assert request.method == "GET"
        return await super().send(request, timeout_s=timeout_s)


@pytest.fixture
def organisation() -> Iterator[Organisation]:
    organisation = create_organisation()
    yield organisation
    organisation.records.close()


async def made(organisation: Organisation, entity_set: str, **columns: str) -> None:
    await InProcessDynamics(organisation).send(
        Request("POST", entity_set, body=columns), timeout_s=1
    )


def test_pipelines_say_in_which_columns_people_are_and_whether_alone() -> None:
    [place] = places([find("phonecall")])
    assert (place.table.set, place.columns, place.whole) == ("phonecalls", ("phonenumber",), True)
    [place] = places([MIXED])
    assert (place.table.set, place.columns, place.whole) == ("tasks", ("subject",), False)
    assert not has_parties([find("phonecall"), MIXED])
    assert has_parties([find("timeline")])


async def test_records_that_hold_a_number_are_found_whole_or_within_a_text(
    organisation: Organisation,
) -> None:
    await made(organisation, "phonecalls", activityid=KEYS[0], phonenumber=NUMBER)
    await made(organisation, "phonecalls", activityid=KEYS[1], phonenumber="5550100200")
    await made(organisation, "phonecalls", activityid=KEYS[2], phonenumber="+15550100299")
    await made(organisation, "tasks", activityid=KEYS[3], subject=f"Call of {NUMBER}")
    await made(organisation, "tasks", activityid=KEYS[4], subject="Call of O'Neill")
    dynamics = ReadingOnly(organisation)
    search = Search(dynamics, frozenset([await dynamics.user_id()]))
    found, searched = await search.holding([find("phonecall"), MIXED], [NUMBER, "5550100200"])
    assert [(one.record, one.known_by, one.ours) for one in found] == [
        (f"phonecalls({KEYS[0]})", "phonenumber", True),
        (f"phonecalls({KEYS[1]})", "phonenumber", True),
        (f"tasks({KEYS[3]})", "subject", True),
    ]
    assert all(one.made for one in found)
    assert searched == ["phonecalls: phonenumber", "tasks: subject"]
    quoted, _ = await search.holding([MIXED], ["O'Neill"])
    assert [one.record for one in quoted] == [f"tasks({KEYS[4]})"]


async def test_records_that_contacts_may_have_made_are_listed_if_they_are_there(
    organisation: Organisation,
) -> None:
    await made(organisation, "phonecalls", activityid=KEYS[0], phonenumber=NUMBER)
    search = Search(ReadingOnly(organisation), frozenset())
    records = {f"phonecalls({KEYS[0]})": "may be there", f"phonecalls({KEYS[1]})": "may be there"}
    [one] = await search.still_there(records)
    assert (one.record, one.known_by, one.ours) == (f"phonecalls({KEYS[0]})", "state", False)


class Refusing(InProcessDynamics):
    """May not read, as ``worker.operations.read_only`` says it."""

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        raise ConfigError(f"the role lacks read on {request.path.partition('?')[0]}, {timeout_s}")


async def test_what_cannot_be_searched_is_said_and_what_the_state_knows_is_listed(
    organisation: Organisation,
) -> None:
    search = Search(Refusing(organisation), frozenset())
    assert await search.holding([MIXED], [NUMBER]) == (
        [],
        ["tasks: not searched: the role lacks read on tasks, 60.0"],
    )
    assert await search.still_there({"tasks(1)": "there"}) == [
        InDynamics("tasks(1)", "state: there")
    ]


async def test_of_very_many_records_the_first_are_listed_and_it_says_so(
    organisation: Organisation,
) -> None:
    class Full(InProcessDynamics):
        async def send(self, request: Request, *, timeout_s: float) -> Answer:
            del timeout_s
            assert f"$top={MOST}" in request.path
            return Answer(200, {}, {"value": [{"activityid": KEYS[0]}] * MOST})

    found, searched = await Search(Full(organisation), frozenset()).holding([MIXED], [NUMBER])
    assert len(found) == MOST
    assert searched == [f"tasks: subject, the first {MOST} only"]
