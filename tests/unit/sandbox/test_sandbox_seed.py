"""Rows for a sandbox to begin with."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING, Any

import pytest

from worker.errors import ConfigError
from worker.sandbox.dataverse.users import CLIENT_ID, application_user
from worker.sandbox.seed import seed


if TYPE_CHECKING:
    from pathlib import Path

    from worker.sandbox.dataverse.app import Dataverse


ACCOUNT = "bbbb0000-0000-4000-8000-000000000001"
USER = application_user(CLIENT_ID)


@pytest.fixture
def file(tmp_path: Path) -> Path:
    return tmp_path / "people.json"


def put(dataverse: Dataverse, path: Path, rows: Any) -> int:
    path.write_text(json.dumps(rows), "utf-8")
    return seed(dataverse.organisation, path, USER)


def test_people_of_a_json_file_are_there(dataverse: Dataverse, file: Path) -> None:
    bind = {"parentcustomerid_account@odata.bind": f"/accounts({ACCOUNT})"}
    rows = [
        ["contacts", {"lastname": "Moen", **bind}],
        ["accounts", {"accountid": ACCOUNT, "name": "Nordlicht"}],
    ]
    assert put(dataverse, file, rows) == 2
    contact = dataverse.dump()["contacts"][0]
    assert (contact["lastname"], contact["_parentcustomerid_value"]) == ("Moen", ACCOUNT)


def test_people_of_a_csv_file_are_there(dataverse: Dataverse, tmp_path: Path) -> None:
    path = tmp_path / "people.csv"
    path.write_text("set,lastname,name,donotphone,numberofemployees\n", "utf-8")
    with path.open("a", encoding="utf-8") as out:
        out.write("contacts,Moen,,true,\naccounts,,Nordlicht,,12\n")
    assert seed(dataverse.organisation, path, USER) == 2
    rows = dataverse.dump()
    assert (rows["contacts"][0]["lastname"], rows["contacts"][0]["donotphone"]) == ("Moen", True)
    assert rows["accounts"][0]["numberofemployees"] == 12


def test_rows_of_a_csv_file_without_a_table_are_contacts(
    dataverse: Dataverse, tmp_path: Path
) -> None:
    path = tmp_path / "people.csv"
    path.write_text("lastname,telephone1\nMoen,+442079460123\n", "utf-8")
    seed(dataverse.organisation, path, USER)
    assert dataverse.dump()["contacts"][0]["telephone1"] == "+442079460123"


def test_the_same_file_again_makes_no_second_row(dataverse: Dataverse, file: Path) -> None:
    rows = [["contacts", {"lastname": "Moen"}]]
    put(dataverse, file, rows)
    put(dataverse, file, rows)
    assert len(dataverse.dump()["contacts"]) == 1


@pytest.mark.parametrize(
    ("row", "told"),
    [
        (["contcats", {}], "row 2 (contcats): there is no table 'contcats'; write 'contacts'"),
        (["contacts", {"lastnam": "x"}], "row 2 (contacts): Error identified in Payload"),
        (["contacts", {"lastname": "x" * 51}], "row 2 (contacts): A validation error occurred"),
        (["contacts", {"parentcustomerid_account@odata.bind": "x"}], "row 2 (contacts): Error"),
        (["contacts", []], "row 2 (contacts): its columns are no object"),
        ({"lastname": "x"}, "row 2: write the table and its columns"),
    ],
)
def test_a_wrong_row_is_named_and_none_is_kept(
    dataverse: Dataverse, file: Path, row: Any, told: str
) -> None:
    with pytest.raises(ConfigError) as raised:
        put(dataverse, file, [["contacts", {"lastname": "Moen"}], row])
    assert f"{file}, {told}" in str(raised.value)
    assert dataverse.dump()["contacts"] == []


@pytest.mark.parametrize("text", ["a,b\n1\n", "a,b\n1,2,3\n"])
def test_a_line_with_other_cells_than_the_first_is_named(
    dataverse: Dataverse, tmp_path: Path, text: str
) -> None:
    path = tmp_path / "people.csv"
    path.write_text(text, "utf-8")
    with pytest.raises(ConfigError, match="line 2: it has not as many cells as the first line"):
        seed(dataverse.organisation, path, USER)


def test_a_file_that_is_no_list_is_refused(dataverse: Dataverse, file: Path) -> None:
    with pytest.raises(ConfigError, match="is no list"):
        put(dataverse, file, {})
