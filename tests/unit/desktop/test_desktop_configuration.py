"""config.json is made of the settings and the pipelines."""

from __future__ import annotations

import json
import re

from pathlib import Path
from typing import Any

import pytest

from pipelines.loader import load
from pipelines.pipeline import Pipeline
from worker.definitions import find_all, shipped
from worker.desktop import names as names_module
from worker.desktop.configuration import Choices, brief, configuration, load_names
from worker.errors import ConfigError
from worker.settings import Settings


CORE = Path(__file__).parents[3] / "worker" / "desktop" / "pages" / "core" / "config.js"

CREATE = """
[[step]]
name = "MAKE"
on = "created"
method = "POST"
entity = "tasks"
body = '{"subject": "x"}'
"""


def opening(query: str, name: str = "OPEN") -> str:
    return f"""
[[step]]
name = "{name}"
on = "answered"
open = "main.aspx"
tab = false
query = '{query}'
"""


def pipeline(text: str, name: str = "mine") -> Pipeline:
    return load(f'name = "{name}"\n{text}', f"{name}.toml")


def records(settings: Settings, *pipelines: Pipeline) -> dict[str, Any]:
    found: dict[str, Any] = configuration(settings, pipelines).content["records"]
    return found


def test_the_shipped_timeline_has_a_record_for_every_channel(settings: Settings) -> None:
    found = records(settings, *find_all(["timeline"]))
    assert {channel: (one["table"], one["step"]) for channel, one in found.items()} == {
        "voice": ("phonecall", "PHONECALL"),
        "chat": ("task", "TASK"),
        "task": ("task", "TASK"),
        "email": ("email", "EMAIL"),
    }


def test_the_shipped_channels_pipelines_open_what_they_create(settings: Settings) -> None:
    names = [name for name in shipped() if name != "timeline"]
    made = configuration(settings, find_all(names))
    assert made.warnings == ()
    found = {channel: one["pipeline"] for channel, one in made.content["records"].items()}
    assert found == {"voice": "phonecall", "chat": "chat", "task": "task", "email": "email"}


def test_what_an_opening_step_shows_goes_before_what_is_created_first(settings: Settings) -> None:
    other = CREATE.replace("MAKE", "SECOND").replace("tasks", "phonecalls")
    query = '{"etn": "phonecall", "id": "{{second-response.activityid}}"}'
    made = records(settings, pipeline(CREATE + other + opening(query)))
    assert made["voice"] == {
        "table": "phonecall",
        "set": "phonecalls",
        "pipeline": "mine",
        "step": "SECOND",
    }


def test_the_first_pipeline_that_opens_a_record_decides(settings: Settings) -> None:
    query = '{"etn": "task", "id": "{{MAKE-Response.activityid}}"}'
    one = pipeline(CREATE, "one")
    both = 'both = true\nwhen = { Channel = ["VOICE"] }\n'
    two = pipeline(both + CREATE + opening(query), "two")
    made = records(settings, one, two)
    assert (made["voice"]["pipeline"], made["chat"]["pipeline"]) == ("two", "one")


def test_a_note_is_no_page_of_a_contact(settings: Settings) -> None:
    note = CREATE.replace("MAKE", "NOTE").replace("tasks", "annotations")
    note = note.replace('{"subject"', '{"objectid_task@odata.bind": "/tasks(1)", "subject"')
    assert records(settings, pipeline(note + CREATE))["task"]["step"] == "MAKE"


def test_a_channel_that_no_pipeline_takes_has_no_record(settings: Settings) -> None:
    made = records(settings, pipeline('when = { Channel = ["TASK"] }\n' + CREATE))
    assert set(made) == {"task"}


@pytest.mark.parametrize(
    "query",
    [
        '{"etn": "contact", "id": "{{Attributes.customer}}"}',
        '{"etn": "phonecall", "id": "{{MAKE-Response.activityid}}"}',
        '{"pagetype": "search", "searchText": "{{CustomerEndpoint}}"}',
    ],
)
def test_a_page_that_is_no_record_of_ours_is_named_unless_the_contact_is_vouched_for(
    settings: Settings, query: str
) -> None:
    text = CREATE + opening(query)
    made = configuration(settings, [pipeline(text)])
    (warning,) = made.warnings
    assert "mine.toml: step OPEN opens no record that this pipeline creates" in warning
    assert made.content["records"]["voice"]["step"] == "MAKE"
    vouching = text + '\n[writeback]\nms_id = "{{ContactId}}"\n'
    assert configuration(settings, [pipeline(vouching)]).warnings == ()


def test_without_a_record_it_says_what_pages_do(settings: Settings) -> None:
    looking = "[[step]]\nname='L'\non='created'\nmethod='GET'\nentity='contacts'\nquery='?$top=1'\n"
    (warning,) = configuration(settings, [pipeline(looking)]).warnings
    assert "no pipeline creates a record" in warning


def test_pages_open_in_a_tab_unless_a_step_or_the_command_says_otherwise(
    settings: Settings,
) -> None:
    query = '{"etn": "task", "id": "{{MAKE-Response.activityid}}"}'
    framed = pipeline(CREATE + opening(query))
    assert configuration(settings, [framed]).content["open"]["tab"] is False
    assert configuration(settings, [framed], Choices(tab=True)).content["open"]["tab"] is True
    assert configuration(settings, [pipeline(CREATE)]).content["open"]["tab"] is True


def test_what_is_missing_is_named_by_its_setting() -> None:
    with pytest.raises(ConfigError, match="ENVIRONMENT_URL, CONNECT_DYNAMICS_CCP_URL"):
        configuration(Settings(), [])


@pytest.mark.parametrize(
    ("given", "name"),
    [
        ({"ccp_url": "http://acme.example/ccp-v2/"}, "CCP_URL"),
        ({"ccp_url": "https://acme.example/connect/"}, "CCP_URL"),
        ({"login_url": "javascript:alert(1)"}, "LOGIN_URL"),
        ({"app_id": "sales"}, "APP_ID"),
        ({"desktop_names": "cornerstone"}, "DESKTOP_NAMES.*connect, cornerstonecx"),
        ({"desktop_names": "absent.json"}, "absent.json: cannot be read"),
    ],
)
def test_a_setting_that_cannot_be_used_is_named(
    settings: Settings, given: dict[str, str], name: str
) -> None:
    with pytest.raises(ConfigError, match=name):
        configuration(settings.model_copy(update=given), [pipeline(CREATE)])


@pytest.mark.parametrize("choices", [Choices(countries=("usa",)), Choices(region="eu central")])
def test_a_choice_that_cannot_be_used_is_named(settings: Settings, choices: Choices) -> None:
    with pytest.raises(ConfigError, match="is not a"):
        configuration(settings, [pipeline(CREATE)], choices)


def test_a_softphones_address_without_a_path_gets_its_own(settings: Settings) -> None:
    short = settings.model_copy(update={"ccp_url": "https://acme.my.connect.aws/"})
    made = configuration(short, [pipeline(CREATE)]).content
    assert made["connect"]["ccpUrl"] == "https://acme.my.connect.aws/ccp-v2/"


def test_channels_are_named_whose_page_comes_with_the_answer(settings: Settings) -> None:
    phonecall, timeline = find_all(["phonecall", "timeline"])
    made = configuration(settings, [phonecall, timeline]).content["open"]
    assert made["urlChannels"] == ["voice"]
    assert configuration(settings, [timeline]).content["open"]["urlChannels"] == []
    logs = settings.model_copy(update={"open_by": "log"})
    assert configuration(logs, [phonecall]).content["open"]["urlChannels"] == []


# --- names ---


@pytest.mark.parametrize("name", ["connect", "cornerstonecx"])
def test_the_shipped_tables_of_names_are_whole(name: str) -> None:
    assert load_names(name)["attributes"]["id"] == "ms_id"


def test_cornerstonecx_names_are_spelled_as_its_product_does() -> None:
    names = load_names("cornerstonecx")
    assert names["session"]["voice"]["match"] == "extn_voice_identified_session"
    assert names["notification"]["voice"]["match"] == "extn_voice_notification"
    attributes = names["attributes"]
    assert (attributes["searchType"], attributes["searchText"]) == (
        "ms_searchType",
        "ms_searchText",
    )


def test_our_own_names_are_those_that_the_timeline_writes_back() -> None:
    (timeline,) = find_all(["timeline"])
    assert timeline.writeback is not None
    ours = set(load_names("connect")["attributes"].values())
    assert set(timeline.writeback.attributes) <= ours


def test_an_attribute_that_is_written_by_another_name_is_named(settings: Settings) -> None:
    timeline = find_all(["timeline"])
    assert configuration(settings, timeline).warnings == ()
    other = settings.model_copy(update={"desktop_names": "cornerstonecx"})
    warnings = configuration(other, timeline).warnings
    assert [warning.split(" in ")[0] for warning in warnings] == [
        "timeline.toml: writeback: ms_search_type is ms_searchType",
        "timeline.toml: writeback: ms_search_text is ms_searchText",
    ]


@pytest.mark.parametrize(
    ("path", "value", "why"),
    [
        (("attributes", "id"), None, "attributes: id is missing"),
        (("attributes", "ident"), "ms_id", "attributes: 'ident' is not known"),
        (("session", "voice", "match"), "voice", "session.voice.match: 'voice' is no name"),
        (("session", "voice", "match"), "toolongprefix_x", "is no name"),
        (("tabs", "search"), 7, "tabs.search: 7 is no name"),
        (("titles", "chat"), "", "titles.chat: '' is no name"),
        (("notification", "email"), "x", "notification.email: must be an object"),
    ],
)
def test_a_table_of_names_says_where_it_is_wrong(
    tmp_path: Path, path: tuple[str, ...], value: object, why: str
) -> None:
    table = load_names("connect")
    place = table
    for key in path[:-1]:
        place = place[key]
    if value is None:
        del place[path[-1]]
    else:
        place[path[-1]] = value
    file = tmp_path / "mine.json"
    file.write_text(json.dumps(table))
    with pytest.raises(ConfigError, match=re.escape(why)):
        load_names(str(file))


@pytest.mark.parametrize("text", ["", "[]", "{", "7"])
def test_a_file_that_is_no_table_of_names_is_refused(tmp_path: Path, text: str) -> None:
    file = tmp_path / "mine.json"
    file.write_text(text)
    with pytest.raises(ConfigError, match=r"mine\.json: "):
        load_names(str(file))


def test_pages_and_worker_know_the_same_attributes() -> None:
    listed = re.search(r"const ATTRIBUTES = .*?\(\[(.*?)\]\)", CORE.read_text("utf-8"), re.DOTALL)
    assert listed is not None
    assert re.findall(r"'(\w+)'", listed[1]) == list(names_module.ATTRIBUTES)


# --- in short ---


def test_in_short_it_fits_a_channel_provider(settings: Settings) -> None:
    for choice in (["timeline"], [name for name in shipped() if name != "timeline"]):
        content = configuration(settings, find_all(choice)).content
        text = brief(content)
        assert len(text) <= 1900
        assert json.loads(text)["names"] == content["names"]


def test_in_short_only_what_the_pages_know_is_left_out(settings: Settings) -> None:
    """The page fills in what is left out, by these very values."""
    source = CORE.read_text("utf-8")
    for name, value in (
        ("loginUrl", "''"),
        ("region", "''"),
        ("softphone", "true"),
        ("appId", "''"),
        ("tab", "true"),
        ("urlAttribute", "'DynamicsUrl'"),
        ("tabAttribute", "'DynamicsTab'"),
        ("recordAfterMs", "4_000"),
        ("searchAfterMs", "20_000"),
        ("enabled", "true"),
    ):
        assert f"('{name}', {value})" in source, name
    choices = Choices("eu-central-1", tab=False, countries=("DE",))
    kept = json.loads(brief(configuration(settings, find_all(["timeline"]), choices).content))
    assert kept["connect"]["region"] == "eu-central-1"
    assert (kept["open"], kept["dial"]) == ({"tab": False}, {"countries": ["de"]})
