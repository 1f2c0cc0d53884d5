"""Bodies: JSON whose strings are templates, filled leaf by leaf."""

from __future__ import annotations

import json

from typing import Any

import pytest

from hypothesis import given
from hypothesis import strategies as st

from pipelines.template import (
    LONGEST,
    Template,
    TemplateError,
    compile_data,
    render_data,
    resolve,
    templates,
)
from pipelines.text import sound
from pipelines.value import ABSENT, HELD, as_text
from pipelines.view import Names


GUID = "8a1f0c7e-0000-4000-8000-00000000c0de"
CALL: dict[str, Any] = {
    "CustomerEndpoint": {"Address": "+4930901820", "Type": "TELEPHONE_NUMBER"},
    "SystemEndpoint": {"Type": "TELEPHONE_NUMBER"},
    "Agent": {"Username": "ada", "ARN": "arn"},
    "Attributes": {"CallReason": "invoice", "two words": "yes"},
    "DurationMinutes": 5,
    "Outbound": False,
    "Answered": True,
    "UpdatedProperties": ["Tags", "Attributes"],
    "STEP2-Response": {"activityid": GUID},
}


def rendered(source: str, values: dict[str, Any] = CALL, *, lenient: bool = False) -> Any:
    return Template(source).render(Names(values, lenient=lenient), lenient=lenient)


def body(data: Any, values: dict[str, Any] = CALL, *, lenient: bool = False) -> Any:
    return render_data(compile_data(data), Names(values, lenient=lenient), lenient=lenient)


# --- one string ---------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("source", "value"),
    [
        ("{{DurationMinutes}}", 5),
        ("{{ Outbound }}", False),
        ("{{Answered}}", True),
        ("{{CustomerEndpoint}}", "+4930901820"),
        ("{{UpdatedProperties}}", ["Tags", "Attributes"]),
        ("{{Attributes}}", CALL["Attributes"]),
        ("{{ DurationMinutes | plus: 1 }}", 6),
        ("{{ DurationMinutes | default: 1 }}", 5),
        ("{{ Outbound | default: true, allow_false: true }}", False),
        ("{{ Agent | default: 'nobody' }}", "ada"),
        ("{{ UpdatedProperties[0] }}", "Tags"),
        ("{{ Attributes['two words'] }}", "yes"),
    ],
)
def test_a_placeholder_alone_keeps_its_type(source: str, value: Any) -> None:
    found = rendered(source)
    assert (found, type(found)) == (value, type(value))


@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("Call between {{Username}} and {{CustomerEndpoint}}", "Call between  and +4930901820"),
        ("{{DurationMinutes}} min", "5 min"),
        ("outbound: {{Outbound}}", "outbound: false"),
        ("outbound: {{ Outbound | downcase }}", "outbound: false"),
        (
            "outbound: {{ Outbound }}{% if Answered %}, answered{% endif %}",
            "outbound: false, answered",
        ),
        (" {{DurationMinutes}}", " 5"),
        ("{{DurationMinutes}}{{DurationMinutes}}", "55"),
        ("{{customerendpoint}}/{{AGENT.username}}", "+4930901820/ada"),
        ("{{STEP2-Response.activityid}}.", f"{GUID}."),
        ("{{step2-response.ACTIVITYID | upcase}}.", f"{GUID.upper()}."),
        ("{{ Agent | upcase }}!", "ADA!"),
        ("{{ Agent }} {{ 'x' }}", "ada x"),
    ],
)
def test_text_and_placeholders_make_text(source: str, text: str) -> None:
    assert rendered(source, lenient=True) == text


@pytest.mark.parametrize("source", ["", "plain", "a } b", "50 % {of}", "}}"])
def test_text_without_placeholders_is_itself(source: str) -> None:
    template = Template(source)
    assert template.constant
    assert template.render(Names({})) == source


def test_what_liquid_makes_of_nothing_is_no_constant() -> None:
    assert not Template("{{ 'a' | upcase }}").constant
    assert rendered("{{ 'a' | upcase }}") == "A"


@pytest.mark.parametrize(
    "source",
    [
        "{{Queue}}",
        "{{ Queue }}",
        "{{Queue.Name}}",
        "{{Agent.ActiveRegion}}",
        "{{SystemEndpoint}}",
        "{{Attributes.Other}}",
        "{{DurationMinutes.deeper}}",
        "{{ Queue | upcase }}",
        "{{ Queue.Name | upcase }}",
        "{{ SystemEndpoint | upcase }}",
    ],
)
def test_a_placeholder_alone_without_a_value_is_absent(source: str) -> None:
    assert rendered(source) is ABSENT


@pytest.mark.parametrize(
    "source",
    [
        "{{ Attributes['three words'] }}",
        "{{ UpdatedProperties[7] }}",
        "{{ Queue | default: Attributes.Other }}",
    ],
)
def test_a_value_that_only_the_engine_finds_missing_is_absent(source: str) -> None:
    assert rendered(source) is ABSENT


@pytest.mark.parametrize(
    "source",
    [
        "To {{Queue}}",
        "To {{ Queue | upcase }}",
        "To {{SystemEndpoint}}",
        "To {{ SystemEndpoint }}{{ 'x' }}",
        "{{DurationMinutes}}{{Queue}}",
        "{% if Queue %}a{% else %}b{% endif %}",
    ],
)
def test_text_with_a_name_without_value_is_held_until_leniency(source: str) -> None:
    assert rendered(source) is HELD
    assert isinstance(rendered(source, lenient=True), str)


def test_once_lenient_missing_names_render_empty() -> None:
    assert rendered("To {{Queue}}!", lenient=True) == "To !"
    assert rendered("To {{ Queue | upcase }}!", lenient=True) == "To !"
    assert rendered("To {{ SystemEndpoint | upcase }}!", lenient=True) == "To !"
    assert rendered("{{Queue}}{{Queue}}", lenient=True) == ""


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize(
    ("source", "text"),
    [
        ("To {{ Queue | default: 'nobody' }}", "To nobody"),
        ("To {{ SystemEndpoint | default: 'nobody' }}", "To nobody"),
        ("{{ Queue | default: 'nobody' }}", "nobody"),
        ("{{ Queue | default: Agent }}.", "ada."),
    ],
)
def test_a_default_fills_what_is_missing(source: str, text: str, *, lenient: bool) -> None:
    assert rendered(source, lenient=lenient) == text


def test_a_filter_without_use_for_a_value_makes_none() -> None:
    assert rendered("{{ Agent | divided_by: 0 }}") is ABSENT
    assert rendered("a {{ DurationMinutes | divided_by: 0 }}") is HELD
    assert rendered("a {{ DurationMinutes | divided_by: 0 }}", lenient=True) == "a "
    assert rendered("a {{ DurationMinutes | divided_by: 0 | default: 'few' }}") == "a few"


def test_a_loop_has_bounds() -> None:
    assert rendered("{% for i in (1..5000) %}x{% endfor %}", lenient=True) is ABSENT


@pytest.mark.parametrize(
    "source", ["{{Queue}}{{Queue}}", "{{ Queue | append: Queue }}", "{{Queue}}{{ Queue | upcase }}"]
)
def test_a_rendered_text_has_bounds(source: str) -> None:
    fits, too_long = ({"Queue": "é" * length} for length in (LONGEST // 4, LONGEST // 2 + 1))
    assert len(rendered(source, fits)) == LONGEST // 2
    assert rendered(source, too_long) in (HELD, ABSENT)
    assert rendered(source, too_long, lenient=True) is ABSENT


@pytest.mark.parametrize(
    ("source", "paths"),
    [
        ("{{Agent}}", [("Agent",)]),
        ("{{Agent.Username}} {{Queue}}", [("Agent", "Username"), ("Queue",)]),
        ("{{ Queue | default: Agent.Username }}", [("Queue",), ("Agent", "Username")]),
        ("{% if Answered %}{{ Queue }}{% endif %}", [("Answered",), ("Queue",)]),
        ("{% assign a = Queue %}{{ a }}", [("Queue",)]),
        ("{{ Attributes['two words'] }}", [("Attributes", "two words")]),
        ("plain", []),
    ],
)
def test_a_template_knows_the_names_it_reads_and_where(source: str, paths: list[Any]) -> None:
    names = Template(source).names
    assert sorted(path for path, _ in names) == sorted(paths)
    assert all(source[at:].startswith(path[0]) for path, at in names)


@pytest.mark.parametrize(
    ("source", "index"),
    [
        ("ab {{ Agent", 3),
        ("ab {{ Agent | | }}", 14),
        ("{% nonsense %}", 3),
        ("{% include 'secrets' %}", 3),
        ("{% render 'secrets' %}", 3),
        ("{% extends 'secrets' %}", 3),
        ("{% increment a %}", 3),
    ],
)
def test_what_is_no_template_is_refused_with_its_place(source: str, index: int) -> None:
    with pytest.raises(TemplateError) as refusal:
        Template(source)
    assert refusal.value.index == index


@pytest.mark.parametrize("source", ["ab {% if Agent %}", "{{ }}"])
def test_what_ends_too_early_is_refused_within_the_text(source: str) -> None:
    with pytest.raises(TemplateError) as refusal:
        Template(source)
    assert 0 <= refusal.value.index <= len(source)


def test_a_template_with_an_unknown_filter_is_refused_with_its_place() -> None:
    with pytest.raises(TemplateError) as refusal:
        Template("{{ Agent | upcased }}")
    assert refusal.value.index == len("{{ Agent | ")


@pytest.mark.parametrize("source", ["{{ SystemEndpoint | fit }}", "{{ SystemEndpoint | e164 }}"])
def test_a_placeholder_alone_is_absent_also_once_lenient(source: str) -> None:
    """The shipped phonecall.toml has ``{{ Queue | fit }}``; agent queues have no name."""
    assert rendered("{{SystemEndpoint}}", lenient=True) is ABSENT
    assert rendered(source, lenient=True) is ABSENT


def test_a_structure_inside_text_is_json() -> None:
    assert json.loads(rendered("{{Attributes}} ")) == CALL["Attributes"]
    assert json.loads(rendered(" {{UpdatedProperties}}")) == CALL["UpdatedProperties"]


def test_letters_of_any_script_stay_themselves_in_it() -> None:
    assert (
        rendered("<{{Attributes}}>", {"Attributes": {"Name": "Jürgen"}}) == '<{"Name": "Jürgen"}>'
    )


def test_whitespace_control_works_with_and_without_the_engine() -> None:
    assert rendered("a {{- DurationMinutes -}} b {{ 'x' }}") == "a5b x"
    assert rendered("a {{- DurationMinutes -}} b") == "a5b"


def test_nothing_is_false_and_says_its_name() -> None:
    assert not ABSENT
    assert (repr(ABSENT), repr(HELD)) == ("ABSENT", "HELD")


def test_paths_lead_to_values_or_nowhere() -> None:
    names = Names(CALL)
    assert resolve(names, ("Agent", "Username")) == "ada"
    assert resolve(names, ("Agent",)) == "ada"
    assert resolve(names, ("Agent", "Username", "more")) is ABSENT
    assert resolve(names, ("UpdatedProperties", "first")) is ABSENT


@pytest.mark.parametrize(
    ("value", "text"), [(True, "true"), (False, "false"), (1, "1"), ("a", "a")]
)
def test_values_inside_text_are_as_json_has_them(value: Any, text: str) -> None:
    assert as_text(value) == text


# --- bodies -------------------------------------------------------------------------------------


def test_a_body_is_rendered_leaf_by_leaf() -> None:
    assert body(
        {
            "phonenumber": "{{CustomerEndpoint}}",
            "subject": "From {{CustomerEndpoint}} for {{ Agent | upcase }}",
            "actualdurationminutes": "{{DurationMinutes}}",
            "prioritycode": 1,
            "isbilled": False,
            "nothing": None,
            "list": [1, "{{Agent}}", {"a": "{{Answered}}"}],
        }
    ) == {
        "phonenumber": "+4930901820",
        "subject": "From +4930901820 for ADA",
        "actualdurationminutes": 5,
        "prioritycode": 1,
        "isbilled": False,
        "nothing": None,
        "list": [1, "ada", {"a": True}],
    }


def test_only_what_has_something_to_fill_in_becomes_a_template() -> None:
    compiled = compile_data({"a": "plain", "b": "{{Agent}}", "c": [1, "{{Queue}}"]})
    assert compiled["a"] == "plain"
    assert [template.source for template in templates(compiled)] == ["{{Agent}}", "{{Queue}}"]


def test_absent_parts_are_left_out() -> None:
    assert body({"a": "{{Queue}}", "b": ["{{Queue}}", 1], "c": {"d": "{{Queue}}"}}) == {
        "b": [1],
        "c": {},
    }


@pytest.mark.parametrize(
    "data", [{"a": "To {{Queue}}"}, {"a": {"b": ["To {{Queue}}"]}}, ["To {{Queue}}"]]
)
def test_one_held_text_holds_back_the_whole(data: Any) -> None:
    assert body(data) is HELD
    assert body(data, lenient=True) is not HELD


BIND = "regardingobjectid_contact_phonecall@odata.bind"


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize(
    ("link", "value"),
    [
        ("/contacts({{STEP2-Response.activityid}})", {BIND: f"/contacts({GUID})"}),
        ("/contacts({{STEP9-Response.contactid}})", {}),
        ("/contacts({{ STEP9-Response.contactid | downcase }})", {}),
        ("{{Attributes.link}}", {}),
        ("{{ Attributes.link | default: '' }}", {}),
    ],
)
def test_a_link_is_never_made_of_names_without_value(
    link: str, value: dict[str, str], *, lenient: bool
) -> None:
    assert body({BIND: link}, lenient=lenient) == value


@pytest.mark.parametrize("lenient", [False, True])
def test_a_party_nobody_is_known_for_is_left_out(*, lenient: bool) -> None:
    parties = [
        {"partyid_contact@odata.bind": "/contacts({{L-Response.id}})", "participationtypemask": 1},
        {"addressused": "{{CustomerEndpoint}}", "participationtypemask": 1},
        {"addressused": "fixed", "participationtypemask": 2},
    ]
    assert body({"phonecall_activity_parties": parties}, lenient=lenient) == {
        "phonecall_activity_parties": [
            {"addressused": "+4930901820", "participationtypemask": 1},
            {"addressused": "fixed", "participationtypemask": 2},
        ]
    }


@pytest.mark.parametrize("lenient", [False, True])
@pytest.mark.parametrize(
    ("member", "members"),
    [
        ("{{ parties }}", ["a", "b"]),
        ("{{ parties | reverse }}", ["b", "a"]),
        ("{{ nobody }}", []),
        ("{{ none }}", []),
        ("{{ CustomerEndpoint }}", ["+4930901820"]),
    ],
)
def test_a_placeholder_in_a_list_stands_for_the_members_of_its_list(
    member: str, members: list[str], *, lenient: bool
) -> None:
    endpoint = {"Address": "+4930901820"}
    names = Names({"parties": ["a", "b"], "none": [], "CustomerEndpoint": endpoint})
    compiled = compile_data(["first", member, ["inner"]])
    assert render_data(compiled, names, lenient=lenient) == ["first", *members, ["inner"]]


def test_a_held_party_holds_back_the_list() -> None:
    assert body([{"unresolvedpartyname": "Mr {{Queue}}"}]) is HELD


@pytest.mark.parametrize("data", [{"a": "{{ X | | }}"}, {"a": ["{{ X"]}])
def test_a_body_with_a_broken_template_is_refused(data: Any) -> None:
    with pytest.raises(TemplateError):
        compile_data(data)


HOSTILE = st.text(st.characters(codec="utf-8", exclude_characters="\r")) | st.sampled_from(
    ['","admin":"yes', '"}{%', "{{ Attributes.Secret }}", "{% raw %}", "{{", "\\", "\n\0", "'"]
)


@given(HOSTILE)
def test_nothing_a_caller_says_adds_a_column_or_leaves_its_string(value: str) -> None:
    found = body(
        {
            "whole": "{{Attributes.X}}",
            "text": "<{{Attributes.X}}>",
            "filtered": "{{ Attributes.X | append: '' }}",
            "engine": "<{{ Attributes.X }}{{ '' }}>",
            "nested": {"deeper": ["{{Attributes.X}}", {"deepest": "{{attributes.x}}"}]},
        },
        {"Attributes": {"X": value, "Secret": "s3cret"}},
    )
    assert json.loads(json.dumps(found)) == found
    value = sound(value)
    assert found == {
        "whole": value,
        "text": f"<{value}>",
        "filtered": value,
        "engine": f"<{value}>",
        "nested": {"deeper": [value, {"deepest": value}]},
    }


@pytest.mark.parametrize("value", ["a\rb", "a\r\nb"])
def test_line_breaks_stay_what_they_are(value: str) -> None:
    assert rendered("{{Agent}}:", {"Agent": {"Username": value}}) == f"{value}:"
    assert rendered("{{Agent}}{{ ':' }}", {"Agent": {"Username": value}}) == f"{value}:"
