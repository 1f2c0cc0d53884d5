"""Columns get values of their type: a conditional keeps it, text is converted where it is clear."""

from __future__ import annotations

from typing import Any

import pytest

from pipelines.conversion import Kind
from pipelines.loader import load
from pipelines.source import PipelineError
from pipelines.template import Template
from pipelines.value import ABSENT, HELD
from pipelines.view import Names


NAMES = Names(
    {
        "Attributes": {"vip": "true", "level": "2", "note": "ja"},
        "Outbound": True,
        "DurationMinutes": 4,
    }
)


@pytest.mark.parametrize(
    ("source", "kind", "value"),
    [
        ("{% if Outbound %}{{ 2 }}{% else %}{{ 1 }}{% endif %}", None, 2),
        ("{% unless Outbound %}{{ 2 }}{% else %}{{ Outbound }}{% endunless %}", None, True),
        ("{% case Attributes.level %}{% when '2' %}{{ DurationMinutes }}{% endcase %}", None, 4),
        ("{% if Outbound %}{% if Outbound %} {{ 2 }} {% endif %}{% endif %}", None, 2),
        ("{% if Outbound %}2{% else %}1{% endif %}", None, "2"),
        ("{% if Outbound %}{{ 2 }} min{% endif %}", None, "2 min"),
        ("{% if Outbound %}{{ 2 }}{{ 2 }}{% endif %}", None, "22"),
        ("{% if Attributes.vip == 'true' %}2{% else %}1{% endif %}", "integer", 2),
        ("{% if Attributes.vip == 'no' %}2{% endif %}", "integer", ABSENT),
        ("{{ Attributes.vip }}", "boolean", True),
        ("{{Attributes.level}}", "integer", 2),
        ("{{Attributes.level}}{{Attributes.level}}", "integer", 22),
        ("{{Attributes.level}}", "decimal", 2.0),
        ("{{Attributes.note}}", "boolean", "ja"),  # Dynamics refuses it, out loud
        ("{{DurationMinutes}}", "text", "4"),
        ("{{Outbound}}", "text", "true"),
        ("{{Attributes.none}}", "boolean", ABSENT),
        ("{{Attributes.level}} {{Attributes.none}}", "integer", HELD),
        ("{% if Outbound %}{{ Attributes.none }}{% endif %}", "integer", HELD),
    ],
)
def test_a_template_gives_a_value_of_its_columns_type(
    source: str, kind: Kind | None, value: Any
) -> None:
    found = Template(source, kind=kind).render(NAMES)
    assert (found, type(found)) == (value, type(value))


def test_a_branch_without_a_value_gives_none_once_nothing_is_waited_for() -> None:
    source = "{% if Outbound %}{{ Attributes.none }}{% endif %}"
    assert Template(source, kind="integer").render(NAMES, lenient=True) is ABSENT


HEAD = """
name = "p"
[choices.level]
High = 2
[[step]]
name = "A"
on = "created"
method = "POST"
entity = "phonecalls"
"""


def body(column: str, text: str) -> str:
    return f"{HEAD}body = '''{{\"{column}\": \"{text}\"}}'''"


@pytest.mark.parametrize(
    ("column", "text", "message"),
    [
        (
            "new_x",
            "{{ Attributes.a | choice: 'levels' }}",
            "no table [choices.levels]; there are level",
        ),
        ("new_x", "{{ Attributes.a | choice }}", "choice: there is no table [choices.…]"),
        ("new_x", "{{ Attributes.a | choice: Channel }}", "choice: there is no table [choices.…]"),
    ],
)
def test_a_choice_of_a_table_there_is_none_of_is_refused_on_loading(
    column: str, text: str, message: str
) -> None:
    with pytest.raises(PipelineError) as error:
        load(body(column, text), "my.toml")
    assert " step A: " in str(error.value)
    assert message in str(error.value)


@pytest.mark.parametrize(
    ("tables", "message"),
    [
        ("choices = 5", "choices are tables"),
        ("[choices]\nhigh = 2", "choices are tables"),
        ("[choices.level]", "choices.level: lines like high = 2"),
        ("[choices.level]\nhigh = 1.5", "choices.level: lines like high = 2"),
        ("[choices.level]\nhigh = 1\nHigh = 2", "choices.level: a label is there twice"),
    ],
)
def test_a_table_of_choices_that_is_none_is_refused(tables: str, message: str) -> None:
    with pytest.raises(PipelineError, match=message.replace(".", r"\.")):
        load(f'name = "p"\n{tables}\n{HEAD.partition("High = 2")[2]}body = "{{}}"')


@pytest.mark.parametrize(
    ("column", "text", "words"),
    [
        ("leftvoicemail", "{{Attributes.x}}", "holds boolean values, and what is not clearly one"),
        ("prioritycode", "{{Attributes.x}}", "add | integer or | choice"),
        ("prioritycode", "{{Channel}}{{Agent}}", "use one placeholder alone, | integer"),
        (
            "prioritycode",
            "{% if Outbound %}high{% endif %}",
            "the branch 'high' is text, no integer",
        ),
        ("prioritycode", "{{Attributes.x | choice: 'level'}}", ""),
        ("prioritycode", "{% if Outbound %}2{% else %}1{% endif %}", ""),
        ("leftvoicemail", "{{Attributes.x | boolean}}", ""),
        ("leftvoicemail", "{{Attributes.x | default: false}}", "add | boolean"),
        ("leftvoicemail", "{{Outbound | default: Attributes.x}}", "add | boolean"),
        ("leftvoicemail", "{{Attributes.x | default: false | boolean}}", ""),
        ("leftvoicemail", "{{Attributes.x | boolean | default: false}}", ""),
        ("leftvoicemail", "{% if Outbound %}{{Attributes.x}}{% endif %}", "add | boolean"),
        ("leftvoicemail", "{% if Attributes.x == 'a' %}{{ true }}{% endif %}", ""),
        ("leftvoicemail", "{{Outbound}}", ""),
        ("subject", "{{Attributes.x}}", ""),
        ("new_flag", "{{Attributes.x}}", ""),  # what it holds is known with Dynamics only
        ("leftvoicemail", "true", "'true' is text, but the column holds boolean values; write it"),
        ("prioritycode", "high", "'high' is text, but the column holds integer values"),
    ],
)
def test_check_tells_where_text_may_be_refused_by_its_column(
    column: str, text: str, words: str
) -> None:
    warnings = load(body(column, text)).warnings()
    assert len(warnings) == bool(words)
    assert not words or words in warnings[0]
