"""Rows in the four forms of ``--output``."""

from __future__ import annotations

import csv
import io
import json

from collections import Counter
from dataclasses import dataclass, field

import pytest

from rich.cells import cell_len

from worker.commands import output
from worker.commands.output import Column, Form, fold, number, table, write
from worker.operations.listing import Listed, cut


@dataclass(frozen=True, slots=True)
class Row:
    id: str
    count: int
    why: str
    steps: list[str] = field(default_factory=list)


ID = "5ca32fbd-8f92-46af-92a5-6b0f970f0efe"
COLUMNS = (Column("id"), number("count"), Column("why", "reason", wide=True))
WHY = "A validation error occurred. The length of the 'subject' attribute exceeded the maximum."

#: What a stored value may do to a terminal.
HARMFUL = "\x1b]0;title\x07\x9b2J\u202e\r\n"


def lines(wide: int | None, *why: str) -> list[str]:
    rows = [{"id": ID, "count": 12_345, "why": one} for one in why]
    return list(table(rows, COLUMNS, wide))


def test_a_table_that_is_piped_has_a_line_for_each_row_however_long_and_no_box() -> None:
    assert lines(None, WHY, "short") == [
        f"{'id':36}   count  reason",
        f"{ID}  12,345  {WHY}",
        f"{ID}  12,345  short",
    ]


@pytest.mark.parametrize("wide", [200, 120, 100, 80, 60, 40, 20, 8])
@pytest.mark.parametrize("why", [WHY, "山田太郎" * 30, "x" * 300, "e\u0301" * 99])
def test_a_table_is_never_wider_than_the_terminal_and_leaves_nothing_out(
    wide: int, why: str
) -> None:
    found = lines(wide, why)
    assert max(map(cell_len, found)) <= wide
    left = Counter("".join(found))
    assert all(left[letter] >= number for letter, number in Counter(why).items() if letter != " ")


def test_at_80_columns_an_id_stays_in_one_piece_and_a_long_text_goes_below() -> None:
    assert lines(80, WHY) == [
        f"{'id':36}   count  reason",
        f"{ID}  12,345  A validation error occurred. The",
        " " * 46 + "length of the 'subject' attribute",
        " " * 46 + "exceeded the maximum.",
    ]
    assert lines(70, WHY) == [
        f"{'id':36}   count",
        f"{ID}  12,345",
        "    reason: A validation error occurred. The length of the 'subject'",
        "    attribute exceeded the maximum.",
    ]


def test_text_is_broken_between_words_where_it_can_be() -> None:
    assert fold("one two three", 7) == ["one two", "three"]
    assert fold("abcdefghij kl", 4) == ["abcd", "efgh", "ij", "kl"]
    assert fold("", 4) == [""]


def written(
    form: Form, capsys: pytest.CaptureFixture[str], *rows: Row, limit: int = 0
) -> tuple[str, str]:
    write(cut(list(rows), limit), COLUMNS, form, "there is nothing")
    told = capsys.readouterr()
    return told.out, told.err


@pytest.mark.parametrize("form", ["table", "json", "ndjson", "csv"])
def test_nothing_that_is_stored_reaches_a_terminal_raw_in_any_form(
    form: Form, capsys: pytest.CaptureFixture[str]
) -> None:
    out, err = written(form, capsys, Row(HARMFUL, 1, HARMFUL, [HARMFUL, "\udcff"]))
    assert [c for c in out + err if not c.isprintable() and c != "\n"] == []
    assert "\\u001b]0;title\\u0007\\u009b2J\\u202e" in out


def test_json_holds_every_field_whether_there_is_more_and_how_to_go_on(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, err = written("json", capsys, Row("a", 1, HARMFUL, ["s"]), Row("b", 2, ""), limit=1)
    assert json.loads(out) == {
        "rows": [{"id": "a", "count": 1, "why": HARMFUL, "steps": ["s"]}],
        "more": True,
        "note": "1 of 2; --limit 0 for all",
    }
    assert err == ""
    assert json.loads(written("json", capsys)[0]) == {"rows": [], "more": False, "note": ""}


def test_ndjson_has_an_object_on_each_line_and_nothing_else(
    capsys: pytest.CaptureFixture[str],
) -> None:
    out, err = written("ndjson", capsys, Row("a", 1, "x\ny"), Row("b", 2, ""), limit=1)
    assert [json.loads(line) for line in out.splitlines()] == [
        {"id": "a", "count": 1, "why": "x\ny", "steps": []}
    ]
    assert err == "1 of 2; --limit 0 for all\n"
    assert written("ndjson", capsys) == ("", "")


@pytest.mark.parametrize("begin", ["=", "+", "-", "@", " =", "\t=", "\u00a0@"])
def test_no_cell_of_csv_is_a_formula(begin: str, capsys: pytest.CaptureFixture[str]) -> None:
    out, _ = written("csv", capsys, Row(f"{begin}SUM(A1)", 1, 'a "quote", and more', ["s", "t"]))
    names, cells = csv.reader(io.StringIO(out))
    assert names == ["id", "count", "why", "steps"]
    assert cells[0][0] == "'" or not cells[0].lstrip().startswith(tuple("=+-@"))
    assert cells[1:] == ["1", 'a "quote", and more', "s, t"]


def test_an_empty_table_says_so_beside_the_output(capsys: pytest.CaptureFixture[str]) -> None:
    assert written("table", capsys) == ("", "there is nothing\n")
    assert written("csv", capsys) == ("", "")


def test_a_list_that_is_cut_says_of_how_many(capsys: pytest.CaptureFixture[str]) -> None:
    rows = [Row(str(n), n, "") for n in range(3)]
    out, err = written("table", capsys, *rows, limit=2)
    assert len(out.splitlines()) == 3
    assert err == "2 of 3; --limit 0 for all\n"
    assert cut(rows, 3) == Listed(rows)


@pytest.mark.parametrize(
    ("ago", "told"), [(5, "5s ago"), (120, "2m ago"), (7_300, "2h ago"), (200_000, "2d ago")]
)
def test_an_age_is_told_in_its_largest_unit(
    ago: int, told: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setattr("time.time", lambda: 1_767_323_045.0 + ago)
    assert output.age("2026-01-02T03:04:05Z") == told
    assert output.age("") == ""
