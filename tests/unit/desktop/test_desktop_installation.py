"""Rows are brought into Dynamics, whatever it answers."""

from __future__ import annotations

import re

from collections.abc import Callable
from typing import Any

import pytest

from worker.desktop.installation import Change, Installer
from worker.desktop.templates import (
    FIELDS,
    NOTIFICATIONS,
    PARAMETERS,
    PROVIDERS,
    SESSIONS,
    TABS,
    Row,
)
from worker.dynamics.errors import DynamicsError, Exists, Forbidden, Missing, Unavailable
from worker.dynamics.protocol import Answer, Request
from worker.errors import ConfigError


BASE = "https://org.example/api/data/v9.2/"
KEY = "0a0b0c0d-0001-4002-8003-00000000000A"

TAB = Row(TABS, "connect_customer", {"msdyn_title": "Customer"}, parameters={"entityId": "{id}"})
SESSION = Row(SESSIONS, "connect_voice_match", {"msdyn_sessiontype": 0}, anchor=TAB.name)
FIELD = Row(FIELDS, "connect_field_queue", {"msdyn_value": "{queue}"})
TOAST = Row(NOTIFICATIONS, "connect_voice", {"msdyn_timeout": 120}, fields=(FIELD.name,))
PROVIDER = Row(PROVIDERS, "connect_dynamics", {"msdyn_label": "Amazon Connect"})

Say = Callable[[Request], dict[str, Any]]


class Scripted:
    """Answers as a function says, and keeps what it was asked."""

    def __init__(self, say: Say = lambda _: {}) -> None:
        self.say = say
        self.asked: list[Request] = []

    async def send(self, request: Request, *, timeout_s: float) -> Answer:
        assert timeout_s > 0
        self.asked.append(request)
        return Answer(200, {}, self.say(request))

    async def user_id(self) -> str:
        raise NotImplementedError

    @property
    def writes(self) -> list[Request]:
        return [request for request in self.asked if request.method != "GET"]


async def install(dynamics: Scripted, *wanted: Row, dry_run: bool = False) -> list[Change]:
    installer = Installer(dynamics, BASE, dry_run=dry_run)
    return [change async for change in installer.install(wanted)]


def raising(error: DynamicsError, method: str = "GET") -> Say:
    def say(request: Request) -> dict[str, Any]:
        if request.method == method:
            raise error
        return {}

    return say


async def test_what_is_not_there_is_created_with_a_key_of_its_own() -> None:
    dynamics = Scripted()
    changes = await install(dynamics, TAB, SESSION)
    assert [(one.what, one.table) for one in changes] == [
        ("create", TABS),
        ("create", PARAMETERS),
        ("create", SESSIONS),
    ]
    tab, parameter, session = (request.body or {} for request in dynamics.writes)
    assert tab == {
        "msdyn_applicationtabtemplateid": TAB.key,
        "msdyn_uniquename": "connect_customer",
        "msdyn_title": "Customer",
    }
    bound = {"msdyn_applicationtabtemplateid@odata.bind": f"/{TABS}({TAB.key})"}
    assert parameter.items() >= bound.items()
    assert session["msdyn_anchortab@odata.bind"] == f"/{TABS}({TAB.key})"


async def test_a_toasts_fields_are_related_to_it_by_their_full_address() -> None:
    dynamics = Scripted()
    changes = await install(dynamics, FIELD, TOAST)
    assert changes[-1].what == "relate"
    relate = dynamics.writes[-1]
    relation = "msdyn_notificationtemplate_notificationfield"
    assert relate.path == f"{NOTIFICATIONS}({TOAST.key})/{relation}/$ref"
    assert relate.body == {"@odata.id": f"{BASE}{FIELDS}({FIELD.key})"}


async def test_a_parameter_that_dynamics_made_with_the_tab_is_given_its_value() -> None:
    def say(request: Request) -> dict[str, Any]:
        if not request.path.startswith(PARAMETERS):
            return {}
        assert TAB.key in request.path or request.method == "PATCH"
        row = {"msdyn_templateparameterid": KEY, "msdyn_name": "entityId", "msdyn_value": None}
        return {"value": [row]}

    dynamics = Scripted(say)
    changes = await install(dynamics, TAB)
    assert [one.what for one in changes] == ["create", "update"]
    assert (dynamics.writes[-1].path, dynamics.writes[-1].body) == (
        f"{PARAMETERS}({KEY})",
        {"msdyn_value": "{id}"},
    )


@pytest.mark.parametrize(
    ("there", "written"),
    [
        ({"msdyn_label": "Amazon Connect", "statecode": 0}, None),
        ({"msdyn_label": "Phone", "statecode": 0}, {"msdyn_label": "Amazon Connect"}),
        (
            {"msdyn_label": "Amazon Connect", "statecode": 1},
            {"statecode": 0, "statuscode": 1},
        ),
    ],
)
async def test_only_what_differs_is_written_and_only_over_what_is_there(
    there: dict[str, Any], written: dict[str, Any] | None
) -> None:
    row = {"msdyn_channelproviderid": KEY, **there}
    dynamics = Scripted(lambda _: {"value": [row]})
    (change,) = await install(dynamics, PROVIDER)
    assert change.what == ("update" if written else "same")
    assert [(one.method, one.body) for one in dynamics.writes] == (
        [("PATCH", written)] if written else []
    )
    assert all(one.headers == {"If-Match": "*"} for one in dynamics.writes)
    assert all(KEY.lower() in one.path for one in dynamics.writes)


async def test_a_dry_run_asks_nothing_about_what_would_first_be_made() -> None:
    dynamics = Scripted()
    changes = await install(dynamics, TAB, SESSION, FIELD, TOAST, dry_run=True)
    assert [one.what for one in changes] == [*["create"] * 5, "relate"]
    assert dynamics.writes == []
    assert not [one.path for one in dynamics.asked if TAB.key in one.path or TOAST.key in one.path]


async def test_a_create_whose_answer_was_lost_is_done() -> None:
    dynamics = Scripted(raising(Exists("there", status=412), "POST"))
    (change,) = await install(dynamics, PROVIDER)
    assert change.what == "create"


@pytest.mark.parametrize(
    ("error", "cure"),
    [
        (Missing("no such table", status=404), "Customer Service"),
        (Forbidden("no", status=403), "App Profile Manager"),
    ],
)
async def test_a_table_that_cannot_be_used_is_named_with_what_to_do(
    error: DynamicsError, cure: str
) -> None:
    with pytest.raises(ConfigError, match=rf"^{PROVIDERS}: .*{cure}"):
        await install(Scripted(raising(error)), PROVIDER)


async def test_two_rows_of_one_name_are_for_a_person_to_decide() -> None:
    dynamics = Scripted(lambda _: {"value": [{}, {}]})
    with pytest.raises(ConfigError, match="there are 2 called connect_dynamics"):
        await install(dynamics, PROVIDER)
    assert dynamics.writes == []


async def test_without_an_answer_it_stops() -> None:
    with pytest.raises(Unavailable):
        await install(Scripted(raising(Unavailable("no answer"))), PROVIDER)


async def test_names_are_asked_for_as_odata_writes_them() -> None:
    dynamics = Scripted()
    await install(dynamics, PROVIDER)
    (asked,) = (one.path for one in dynamics.asked if one.method == "GET")
    assert re.search(r"\$filter=msdyn_uniquename%20eq%20%27connect_dynamics%27$", asked)
