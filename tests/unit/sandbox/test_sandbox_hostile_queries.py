"""Whatever is asked is answered or refused: no query ends in an error of the sandbox itself."""

from __future__ import annotations

from random import Random
from typing import Any
from urllib.parse import quote

import orjson
import pytest

from hypothesis import given, settings
from hypothesis import strategies as st

from worker.sandbox.dataverse.app import Dataverse, create_dataverse
from worker.sandbox.dataverse.odata.wire import Call


ROOT = "https://org.test/api/data/v9.2/"
KEY = "0a0b0c0d-0001-4002-8003-00000000000a"

#: Words of all the small languages there are, and what does not belong into any.
PIECES = st.sampled_from(
    [
        *("name", "primarycontactid", "contact_customer_accounts", "createdon", "_ownerid_value"),
        *("lastname", "numberofemployees", "nothing", "accountid", "c", "@p", "$count", "$ref"),
        *(" eq ", " ne ", " and ", " or ", "not ", " in ", " add ", " with ", " as ", " desc"),
        *("any(", "all(", "c:", "contains(", "endswith(", "tolower(", "groupby(", "aggregate("),
        *("filter(", "sum", "average", "$select=", "$expand=", "$filter=", "$top=", "$orderby="),
        *("Microsoft.Dynamics.CRM.In(", "Microsoft.Dynamics.CRM.LastXYears(", "PropertyName="),
        *(
            "PropertyValue=",
            "PropertyValues=",
            "'name'",
            "'createdon'",
            '["a"]',
            "['a','b']",
            "[1]",
        ),
        *(
            "'",
            '"',
            "(",
            ")",
            "((",
            "))",
            "[",
            "]",
            ",",
            ";",
            "/",
            "=",
            ":",
            "%",
            "\\",
            " ",
            "\x00",
        ),
        *("null", "true", "1", "-1", "9" * 40, "²", "٣", "1.5", "2026-01-02", "2026-99-99"),
        *("0001-01-01T00:00:00+14:00", "9999-12-31T23:59:59-14:00", KEY, f"'{KEY}'", "ö", "😀"),
    ]
)
TEXTS = st.lists(PIECES, max_size=12).map("".join)
OPTIONS = st.dictionaries(
    st.sampled_from(
        [
            *(
                "$filter",
                "$expand",
                "$select",
                "$orderby",
                "$top",
                "$count",
                "$apply",
                "$skiptoken",
            ),
            *("fetchXml", "savedQuery", "@p", "$nothing"),
        ]
    ),
    TEXTS,
    max_size=3,
)
PATHS = st.one_of(
    st.just("accounts"),
    st.just(f"accounts({KEY})"),
    st.lists(
        st.sampled_from(
            [
                *(
                    "accounts",
                    f"accounts({KEY})",
                    "name",
                    "$value",
                    "$count",
                    "$ref",
                    "(",
                    ")",
                    "'",
                    "/",
                ),
                *(
                    "contact_customer_accounts",
                    "primarycontactid",
                    f"({KEY})",
                    "(x=1)",
                    "(x='a''/b')",
                ),
            ]
        ),
        min_size=1,
        max_size=5,
    ).map("/".join),
)

ELEMENTS = st.sampled_from(
    ["fetch", "entity", "attribute", "filter", "condition", "value", "order", "link-entity", "x"]
)
ATTRIBUTES = st.dictionaries(
    st.sampled_from(
        [
            *(
                "name",
                "from",
                "to",
                "alias",
                "attribute",
                "operator",
                "value",
                "type",
                "top",
                "page",
            ),
            *("count", "distinct", "descending", "entityname", "link-type", "valueof"),
        ]
    ),
    st.sampled_from(
        [
            *(
                "account",
                "contact",
                "name",
                "accountid",
                "primarycontactid",
                "createdon",
                "eq",
                "in",
            ),
            *(
                "last-x-years",
                "olderthan-x-minutes",
                "between",
                "or",
                "outer",
                "1",
                "0",
                "9" * 12,
                "",
                "x",
            ),
        ]
    ),
    max_size=4,
)


def element(name: str, attributes: dict[str, str], children: list[str]) -> str:
    written = "".join(f" {key}={orjson.dumps(value).decode()}" for key, value in attributes.items())
    return f"<{name}{written}>{''.join(children)}</{name}>"


XML = st.recursive(
    st.builds(element, ELEMENTS, ATTRIBUTES, st.just([])),
    lambda inner: st.builds(element, ELEMENTS, ATTRIBUTES, st.lists(inner, max_size=3)),
    max_leaves=6,
)


@pytest.fixture(scope="module")
def organisation() -> Dataverse:
    dataverse = create_dataverse(auth=False, clock=lambda: 1767323045.0, random=Random(1))
    dataverse.put("accounts", {"accountid": KEY, "name": "Ltd", "numberofemployees": 1})
    at = {"parentcustomerid_account@odata.bind": f"/accounts({KEY})"}
    dataverse.put("contacts", {"lastname": "Ada", **at})
    return dataverse


def judged(dataverse: Dataverse, method: str, path: str, query: str, body: Any = None) -> None:
    """Answered, or refused with a code and a message."""
    call = Call(method, path, query, {}, orjson.dumps(body), ROOT, "nobody")
    reply = dataverse.organisation.answer(call)
    assert reply.status in {200, 201, 204} or 400 <= reply.status < 500
    if reply.status >= 400:
        error = orjson.loads(reply.body)["error"]
        assert error["code"].startswith("0x")
        assert error["message"]


@settings(max_examples=500, deadline=None)
@given(path=PATHS, options=OPTIONS)
def test_any_query_is_answered_or_refused(
    organisation: Dataverse, path: str, options: dict[str, str]
) -> None:
    query = "&".join(f"{name}={quote(value)}" for name, value in options.items())
    judged(organisation, "GET", path, query)


@settings(max_examples=300, deadline=None)
@given(inside=st.lists(XML, max_size=3), attributes=ATTRIBUTES)
def test_any_fetch_is_answered_or_refused(
    organisation: Dataverse, inside: list[str], attributes: dict[str, str]
) -> None:
    entity = element("entity", {"name": "account"}, inside)
    xml = element("fetch", attributes, [entity])
    judged(organisation, "GET", "accounts", f"fetchXml={quote(xml)}")


@settings(max_examples=200, deadline=None)
@given(
    method=st.sampled_from(["POST", "PUT", "PATCH", "DELETE"]),
    path=PATHS,
    name=st.sampled_from(
        [
            *("@odata.id", "value", "primarycontactid", "contact_customer_accounts"),
            *("contact_customer_accounts@odata.bind", "primarycontactid@odata.bind"),
        ]
    ),
    value=st.sampled_from(
        [
            *(None, 1, "x", {}, [], [1], [None], {"lastname": "x"}, [{"lastname": 1}], [{"a": {}}]),
            *("contacts(x)", f"accounts({KEY})", f"/contacts({KEY})", "//", "(", "contacts(", "'"),
        ]
    ),
)
def test_any_write_is_carried_out_or_refused(method: str, path: str, name: str, value: Any) -> None:
    dataverse = create_dataverse(auth=False, random=Random(1))
    dataverse.put("accounts", {"accountid": KEY, "name": "Ltd"})
    judged(dataverse, method, path, "", {name: value})


DEEP = 1500
FETCH = "<fetch><entity name='account'>{}</entity></fetch>"


@pytest.mark.parametrize(
    ("query", "body"),
    [
        ("$filter=" + "(" * DEEP + "name eq 'x'" + ")" * DEEP, None),
        ("$filter=" + "not " * DEEP + "name eq 'x'", None),
        ("$expand=" + "createdby($expand=" * DEEP + "createdby" + ")" * DEEP, None),
        ("fetchXml=" + quote(FETCH.format("<filter>" * DEEP + "</filter>" * DEEP)), None),
        ("", '{"primarycontactid":{"parentcustomerid_account":' * 500 + "{}" + "}}" * 500),
    ],
)
def test_what_is_nested_without_end_is_refused(
    organisation: Dataverse, query: str, body: str | None
) -> None:
    before = organisation.dump()
    call = Call("POST" if body else "GET", "accounts", query, {}, (body or "").encode(), ROOT, "x")
    call.url_limit = 100_000
    reply = organisation.organisation.answer(call)
    assert (reply.status, orjson.loads(reply.body)["error"]["code"]) == (400, "0x80060888")
    assert organisation.dump() == before


@pytest.mark.parametrize("word", ["and", "or"])
def test_a_condition_may_be_as_long_as_an_address(organisation: Dataverse, word: str) -> None:
    text = f" {word} ".join(["name eq 'Ltd'"] * DEEP)
    call = Call("GET", "accounts", f"$filter={quote(text)}", {}, b"", ROOT, "x")
    call.url_limit = 100_000
    assert len(orjson.loads(organisation.organisation.answer(call).body)["value"]) == 1
