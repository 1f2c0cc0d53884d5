"""Whatever is wrong with a pipeline is found on loading, and said with file, step and place."""

from __future__ import annotations

import pytest

from pipelines.loader import load
from pipelines.source import PipelineError


HEAD = 'name = "p"\n'
POST = """
[[step]]
name = "A"
on = "created"
method = "POST"
entity = "phonecalls"
body = '{}'
"""
GET = """
[[step]]
name = "L"
on = "created"
method = "GET"
entity = "contacts"
query = "?$top=1"
"""
PATCH = """
[[step]]
name = "U"
on = "ended"
method = "PATCH"
entity = "phonecalls"
query = "({{A-Response.activityid}})"
body = '{}'
"""
OPEN = """
[[step]]
name = "O"
on = "answered"
open = "main.aspx"
query = '{}'
"""


def refusal(text: str) -> str:
    with pytest.raises(PipelineError) as error:
        load(text, "my.toml")
    return str(error.value)


def changed(step: str, old: str, new: str) -> str:
    assert old in step
    return step.replace(old, new)


def without(step: str, option: str) -> str:
    return "\n".join(line for line in step.splitlines() if not line.startswith(option))


def place(text: str, part: str, nth: int = 1) -> str:
    """Where a part stands in a text for the nth time, as messages say it."""
    at = -1
    for _ in range(nth):
        at = text.index(part, at + 1)
    line = text.count("\n", 0, at) + 1
    return f"(line {line}, column {at - text.rfind(chr(10), 0, at)})"


# --- the file -----------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ("name = ", "not TOML: "),
        ('name = "a"\nname = "b"', "not TOML: "),
        (POST, "name is missing"),
        ("name = 5" + POST, "name must be text"),
        ('name = " "' + POST, "name must be text"),
        (HEAD, "needs at least one [[step]]"),
        (HEAD + "step = 5", "needs at least one [[step]]"),
        (HEAD + "step = [5]", "needs at least one [[step]]"),
        (HEAD + 'steps = "A"' + POST, "there is no option 'steps'; there are name, "),
        (HEAD + 'when = "VOICE"' + POST, "when is a table: when = "),
        (HEAD + "when = { Channel = [] }" + POST, "when: Channel: one value, or a list of values"),
    ],
)
def test_a_file_is_refused(text: str, message: str) -> None:
    assert refusal(text).startswith("my.toml: ")
    assert message in refusal(text)


def test_a_file_without_steps_is_refused() -> None:
    assert refusal(HEAD + "step = []").startswith("my.toml: needs at least one [[step]]")


def test_the_files_own_when_is_no_steps_fault() -> None:
    text = HEAD + "when = { Chanel = 1 }" + POST
    assert refusal(text).startswith(
        "my.toml: when: there is no name 'Chanel'; did you mean Channel?"
    )
    assert refusal(text).endswith(place(text, "Chanel"))


# --- lookups and files ---------------------------------------------------------------------------

LOOKUP = """
[[step]]
name = "L"
on = "created"
method = "GET"
entity = "contacts"
[step.lookup]
by = "phone"
columns = ["telephone1"]
suffix = 9
country = "49"
"""
READ = """
[[step]]
name = "R"
on = "analysis"
read = true
"""


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (changed(LOOKUP, '"GET"', '"POST"\nbody = "{}"'), "'lookup' goes with method = \"GET\""),
        (
            changed(LOOKUP, "[step.", 'query = "?$top=1"\n[step.'),
            "'lookup' goes with method = \"GET\", in place of 'query'",
        ),
        (GET.replace('query = "?$top=1"', "lookup = 5"), "lookup is a table: [step.lookup]"),
        (GET.replace('query = "?$top=1"', "lookup = []"), "lookup is a table: [step.lookup]"),
        (without(LOOKUP, "by"), "by is missing: one of phone, email, user, attribute"),
        (without(LOOKUP, "columns"), 'columns is a list of columns: columns = ["telephone1"]'),
        (changed(LOOKUP, '["telephone1"]', "[]"), "columns is a list of columns"),
        (changed(LOOKUP, '["telephone1"]', '["a or b"]'), "columns is a list of columns"),
        (changed(LOOKUP, "9\n", "3\n"), "suffix = 3: 6 to 15 digits"),
        (changed(LOOKUP, "9\n", '"9"\n'), "suffix = '9': 6 to 15 digits"),
        (changed(LOOKUP, '"49"', '"+49"'), "country = '+49': a country code's digits"),
        (changed(LOOKUP, '"phone"', '"email"'), "there is no option 'suffix'; there are by, "),
        (LOOKUP + "loose = true", "there is no option 'loose'; there are by, value, columns"),
        (LOOKUP + 'value = "123"', "value = '123': a name in braces"),
        (LOOKUP + 'value = "{{Agnt}}"', "there is no name 'Agnt'; did you mean Agent?"),
        (LOOKUP + 'value = "{{"', "step L: {{ is not closed; write }}"),
        (
            'by = "attribute"'.join(
                without(without(LOOKUP, "suffix"), "country").split('by = "phone"')
            ),
            "value is missing",
        ),
        (changed(READ, "true", "false"), "read = true goes with on = "),
        (changed(READ, '"analysis"', '"ended"'), "read = true goes with on = "),
        (READ + 'method = "GET"', "a step with 'read' has no 'method'"),
        (
            READ + changed(POST, "{}", '{"subject": "{{R-Response.mood}}"}'),
            "R-Response has summary, transcript, sentiment",
        ),
    ],
)
def test_a_lookup_or_a_file_s_step_that_cannot_work_is_refused(step: str, message: str) -> None:
    assert message in refusal(HEAD + step)


# --- steps --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("step", "message"),
    [
        (without(POST, "name"), "step ?: name is missing"),
        (changed(POST, '"A"', '"my step"'), "'my step' is not a step name"),
        (changed(POST, '"A"', '"A-Response"'), "'A-Response' is not a step name"),
        (changed(POST, '"A"', '"2"'), "'2' is not a step name"),
        (POST + "timeout = 5", "there is no option 'timeout'; there are name, on, "),
        (without(POST, "on"), "on is missing: one of created, queued, answered, ended, "),
        (changed(POST, '"created"', '"ringing"'), "on = 'ringing': one of created, "),
        (changed(POST, '"created"', '["created"]'), "on = ['created']: one of created, "),
        (without(POST, "method"), "method is missing: one of GET, POST, PATCH"),
        (changed(POST, '"POST"', '"DELETE"'), "method = 'DELETE': one of GET, POST, PATCH"),
        (changed(POST, '"POST"', '"post"'), "method = 'post': one of GET, POST, PATCH"),
        (without(POST, "entity"), "entity is missing"),
        (changed(POST, "phonecalls", "Phone Calls"), "entity = 'Phone Calls': the entity set"),
        (changed(POST, "phonecalls", "phonecalls(1)"), "entity = 'phonecalls(1)': the entity set"),
        (without(POST, "body"), "body is missing"),
        (changed(POST, "'{}'", "5"), "body must be text"),
        (changed(POST, "'{}'", "'[]'"), "body is a JSON object: "),
        (changed(POST, "'{}'", "'{\"a\": {{Agent}}}'"), "body is not JSON: "),
        (changed(POST, "'{}'", "'{\"{{Agent}}\": 1}'"), "a column's name cannot be a template"),
        (
            changed(POST, "'{}'", "'{\"a\": NaN}'"),
            "a: a number, text or structure that JSON cannot",
        ),
        (changed(POST, "'{}'", f"'{{\"a\": {2**63}}}'"), "a: a number, text or structure that"),
        (changed(POST, "'{}'", '\'{"a": "\\ud800"}\''), "a: a number, text or structure that"),
        (changed(POST, "'{}'", f"'{{\"a\": {101 * '['}{101 * ']'}}}'"), "a: a number, text or st"),
        (POST + 'query = "(1)"', "a POST has no query: the record's key is chosen"),
        (POST + "tab = true", "'tab' goes with 'open'"),
        (POST + 'on_missing = "cry"', "on_missing = 'cry': one of park, recreate, skip"),
        (POST + "when = 5", "when is a table: when = "),
        (POST + "when = { Chanel = 5 }", "when: there is no name 'Chanel'; did you mean Channel?"),
        (POST + "when = { Queue.Name = 1.5 }", "when: Queue.Name: one value, or a list of values"),
        (POST + 'when = { "Queue.Nam" = 5 }', "when: Queue has no 'Nam'; it has ARN, "),
        (POST + "when = { Channel = 1.5 }", "when: Channel: one value, or a list of values"),
        (POST + 'after = "L"', "after is a list of steps: after = "),
        (POST + "after = [5]", "after is a list of steps: after = "),
        (POST + 'after = ["X"]', "after: there is no step 'X'"),
        (POST + 'after = ["A"]', "waits for itself"),
        (POST + "within = 15", "within = 15: a number and s, m, h or d"),
        (POST + 'within = "15"', "within = '15': a number and s, m, h or d"),
        (POST + 'within = "-1m"', "within = '-1m': a number and s, m, h or d"),
        (GET + "body = '{}'", "a GET has no body"),
        (changed(GET, "?$top=1", "top=1"), "the query of a GET begins with ? or with a key"),
        (changed(GET, "$top=1", "{% if Agent %}"), "tags are not allowed in a query"),
        (without(PATCH, "query"), "query is missing"),
        (changed(PATCH, "({{A-Response.activityid}})", "?$filter=a"), "is the record's key in par"),
        (without(PATCH, "body"), "body is missing"),
        (OPEN + 'method = "POST"', "a step with 'open' has no 'method'"),
        (OPEN + 'entity = "contacts"', "a step with 'open' has no 'entity'"),
        (OPEN + "body = '{}'", "a step with 'open' has no 'body'"),
        (OPEN + "tab = 1", "tab is true or false"),
        (without(OPEN, "query"), "query is missing"),
        (changed(OPEN, "main.aspx", "https://evil"), "open = 'https://evil': a page below"),
        (changed(OPEN, "main.aspx", "/main.aspx"), "open = '/main.aspx': a page below"),
        (changed(OPEN, "main.aspx", "../main.aspx"), "open = '../main.aspx': a page below"),
        (changed(OPEN, "main.aspx", ""), "open = '': a page below"),
    ],
)
def test_a_step_is_refused(step: str, message: str) -> None:
    text = refusal(HEAD + step)
    assert text.startswith("my.toml: step ")
    assert message in text


def test_two_steps_of_one_name_are_refused() -> None:
    text = HEAD + POST + POST
    assert refusal(text).startswith("my.toml: step A: there are two steps of this name")
    assert refusal(text).endswith(place(text, 'name = "A"', 2))


def test_two_steps_whose_answers_have_one_name_are_refused() -> None:
    assert "there are two steps of this name" in refusal(HEAD + POST + changed(POST, "A", "a"))


@pytest.mark.parametrize("after", [("B", "A"), ("C", "A"), ("c", "a")])
def test_steps_that_wait_in_a_circle_are_refused(after: tuple[str, str]) -> None:
    one = POST + f'after = ["{after[0]}"]'
    others = [changed(POST, '"A"', f'"{name}"') for name in ("B", "C")]
    circle = one + others[0] + f'after = ["{after[1]}"]' + others[1] + f'after = ["{after[1]}"]'
    assert "step A: after: it waits for itself" in refusal(HEAD + circle)


def test_steps_may_wait_for_one_another_without_a_circle() -> None:
    steps = [changed(POST, '"A"', f'"{name}"') for name in "ABC"]
    text = HEAD + steps[0] + 'after = ["B", "C"]' + steps[1] + 'after = ["C"]' + steps[2]
    assert [step.after for step in load(text).steps] == [("B", "C"), ("C",), ()]


# --- names --------------------------------------------------------------------------------------


@pytest.mark.parametrize(
    ("placeholder", "wrong", "message"),
    [
        ("{{Agnt}}", "Agnt", "there is no name 'Agnt'; did you mean Agent?"),
        ("{{ Chanel | upcase }}", "Chanel", "there is no name 'Chanel'; did you mean Channel?"),
        ("{{AgentInfo}}", "AgentInfo", "there is no name 'AgentInfo'; did you mean Agent?"),
        ("{{CustomerEndpiont}}", "CustomerEndpiont", "there is no name 'CustomerEndpiont'; did"),
        ("{{Agent.Usrname}}", "Agent.Usrname", "Agent has no 'Usrname'; it has ARN, "),
        ("{{Agent.Name}}", "Agent.Name", "Agent has no 'Name'; it has ARN, "),
        ("{{ Queue | default: Agent.Name }}", "Agent.Name", "Agent has no 'Name'; it has ARN, "),
        ("{{X-Response.id}}", "X-R", "there is no step before this one whose answer is X-Response"),
        ("{{A-Response.id}}", "A-R", "there is no step before this one whose answer is A-Response"),
        ("{{O-Response.id}}", "O-R", "there is no step before this one whose answer is O-Response"),
        ("{{L-Response}}", "L-R", "L-Response needs one field: L-Response.contactid"),
        ("{{L-Response.a.b}}", "L-R", "L-Response needs one field: L-Response.contactid"),
    ],
)
def test_a_name_no_contact_has_is_refused_with_its_place(
    placeholder: str, wrong: str, message: str
) -> None:
    text = HEAD + GET + OPEN + changed(POST, "{}", f'{{"subject": "Hm: {placeholder}"}}')
    assert refusal(text).startswith(f"my.toml: step A: {message}")
    assert refusal(text).endswith(place(text, wrong))


def test_an_update_answers_its_key_only() -> None:
    later = changed(POST, '"A"', '"B"').replace("{}", '{"subject": "{{U-Response.subject}}"}')
    assert "U-Response is the answer of a PATCH, which is its key only: activityid" in refusal(
        HEAD + POST + PATCH + later
    )


# --- places -------------------------------------------------------------------------------------


@pytest.mark.parametrize("spelling", ['name = "{}"', 'name   = "{}"', "name = '{}'", 'name="{}"'])
def test_of_two_steps_with_one_query_the_one_at_fault_is_shown(spelling: str) -> None:
    at_fault = changed(PATCH, "({{A-Response.activityid}})", "?$top=1")
    text = HEAD + GET + at_fault.replace('name = "U"', spelling.format("U"))
    assert refusal(text).endswith(place(text, "?$top=1", 2))


@pytest.mark.parametrize("spelling", ['name = "{}"', 'name   = "{}"', "name = '{}'", 'name="{}"'])
def test_of_one_text_in_two_places_the_one_at_fault_is_shown(spelling: str) -> None:
    body = '{"subject": "{{Agent}} {{L-Response}}"}'
    text = f"description = '{body}'\n{HEAD}{GET}" + changed(POST, "{}", body).replace(
        'name = "A"', spelling.format("A")
    )
    assert refusal(text).endswith(place(text, "L-Response", 2))


def test_a_broken_body_is_shown_where_it_breaks() -> None:
    text = HEAD + changed(POST, "'{}'", "'''{\n  \"a\": \"b\",\n  \"c\": {{Agent}}\n}'''")
    assert refusal(text).endswith(place(text, "{Agent}"))


@pytest.mark.parametrize("broken", ["{{ Agent | | }}", "{% nonsense %}", "{{ Agent"])
def test_a_broken_template_is_shown_where_it_stands(broken: str) -> None:
    text = HEAD + POST + changed(POST, '"A"', '"B"').replace("{}", f'{{"subject": "ab {broken}"}}')
    message = refusal(text)
    assert message.startswith("my.toml: step B: subject: ")
    start = place(text, broken).rstrip(")").rpartition(" ")
    line, column = start[0], int(start[2])
    assert line in message
    assert column <= int(message.rstrip(")").rpartition(" ")[2]) <= column + len(broken)


def test_a_column_that_is_a_template_is_shown_where_it_stands() -> None:
    text = HEAD + changed(POST, "{}", '{"a": 1, "{{Agent}}": 1}')
    assert refusal(text).endswith(place(text, "{{Agent}}"))


def test_a_tag_in_a_query_is_shown_where_it_stands() -> None:
    text = HEAD + changed(GET, "$top=1", "$filter={% if Agent %}")
    assert refusal(text).endswith(place(text, "{% if"))


def test_a_query_that_is_no_key_is_shown_where_it_stands() -> None:
    text = HEAD + POST + changed(PATCH, "({{A-Response.activityid}})", "$filter=a")
    assert refusal(text).endswith(place(text, "$filter=a"))


def test_a_name_in_a_query_is_shown_where_it_stands() -> None:
    text = HEAD + changed(GET, "$top=1", "$filter=a eq '{{ Agnt }}'")
    assert refusal(text).endswith(place(text, "Agnt"))


def test_a_name_is_shown_where_it_stands_whatever_toml_made_of_the_text() -> None:
    text = HEAD + changed(POST, "'{}'", '"{\\"a\\": \\"b\\\\n{{Agnt}}\\"}"')
    assert refusal(text).endswith("(line 8, column 25)")


@pytest.mark.parametrize(
    ("old", "new", "wrong"),
    [
        ("?$top=1", "$filter=a eq '{{ Agnt }}'", "Agnt"),
        ("?$top=1", "(Nope-Response.contactid)", "Nope"),
    ],
)
def test_a_mended_query_is_shown_where_it_stands(old: str, new: str, wrong: str) -> None:
    text = HEAD + changed(GET, old, new)
    assert refusal(text).endswith(place(text, wrong))


def test_a_broken_template_deep_inside_is_shown_where_it_stands() -> None:
    text = HEAD + changed(POST, "{}", '{"a": [{"b": "fine", "c": "{{ Agent | | }}"}]}')
    assert refusal(text).endswith(place(text, "| }}"))


def test_a_broken_template_in_a_pasted_body_is_shown_where_it_stands() -> None:
    text = HEAD + changed(POST, "{}", '{\\"b\\": \\"fine\\", \\"a\\": \\"{{ Agent | | }}\\"}')
    assert refusal(text).endswith(place(text, "| }}"))


def test_a_body_with_an_unknown_filter_is_shown_where_it_stands() -> None:
    text = HEAD + changed(POST, "{}", '{"subject": "ab {{ Agent | upcased }}"}')
    assert "upcased" in refusal(text)
    assert refusal(text).endswith(place(text, "upcased"))


# --- all at once ---------------------------------------------------------------------------------


def test_all_mistakes_of_a_file_are_told_at_once_each_with_its_place() -> None:
    text = (
        HEAD
        + changed(
            POST, "body = '{}'", """body = '{"subject":"{{Custmer}}","category":"{{ | }}"}'"""
        )
        + changed(GET, 'on = "created"', 'on = "create"')
        + changed(PATCH, "body = '{}'", """body = '{"category":"{{A-Response}}"}'""")
        + changed(OPEN, "query = '{}'", """query = '{"id":"{{L-Response.contactid}}"}'""")
    )
    with pytest.raises(PipelineError) as error:
        load(text, "my.toml")
    found = [(m.step, m.text.partition(": ")[2]) for m in error.value.mistakes]
    assert [step for step, _ in found] == ["A", "A", "L", "U"]
    assert all(
        str(error.value).splitlines()[n] == m.text for n, m in enumerate(error.value.mistakes)
    )


def test_a_name_is_not_blamed_whose_step_could_not_be_read() -> None:
    text = HEAD + changed(POST, 'on = "created"', 'on = "create"') + PATCH
    with pytest.raises(PipelineError) as error:
        load(text, "my.toml")
    assert [mistake.step for mistake in error.value.mistakes] == ["A"]


def test_a_mistake_has_line_and_column_also_where_its_text_names_none() -> None:
    text = HEAD + POST + changed(GET, 'on = "created"', 'on = "create"')
    with pytest.raises(PipelineError) as error:
        load(text, "my.toml")
    (mistake,) = error.value.mistakes
    assert text.splitlines()[mistake.line - 1] == 'on = "create"'
