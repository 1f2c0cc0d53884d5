"""Dynamics' pages and the Customer Service workspace of the sandbox, in a real browser."""

from __future__ import annotations

import json

from collections.abc import AsyncIterator, Awaitable, Callable
from pathlib import Path
from typing import Any, Final

import pytest
import pytest_asyncio

from playwright.async_api import Frame, Page, expect
from starlette.applications import Starlette
from starlette.requests import Request
from starlette.responses import HTMLResponse
from starlette.routing import Route

from worker.sandbox.browser.dynamics import Dynamics
from worker.sandbox.dataverse.app import Dataverse, create_dataverse
from worker.sandbox.dataverse.odata.wire import Call
from worker.sandbox.dataverse.schema.desktop import ENTITY_RECORD, GENERIC_SESSION
from worker.sandbox.server import serve


pytestmark = pytest.mark.services

CONTACT: Final = "0a0b0c0d-0001-4002-8003-000000000001"
CALL: Final = "0a0b0c0d-0001-4002-8003-000000000002"
UNKNOWN: Final = "0a0b0c0d-0001-4002-8003-00000000000f"
NUMBER: Final = "+351 210 000 001"
AXE: Final = (
    Path(__file__).parents[2] / ".venv" / "desktop" / "node_modules" / "axe-core" / "axe.min.js"
)

#: A provider's page; ``attributes`` are those of the library's script.
PROVIDER: Final = """<!doctype html><html lang="en"><title>Provider</title><h1>Provider</h1>
<script>
const said = [];
window.addEventListener('CIFInitDone', () => {
  for (const name of ['onclicktoact', 'onSessionClosed', 'onSessionSwitched'])
    Microsoft.CIFramework.addHandler(name, async (data) => said.push([name, JSON.parse(data)]));
});
async function call(method, args) {
  try { return {value: await Microsoft.CIFramework[method](...args)}; }
  catch (error) { return {refused: error.message}; }
}
</script>
<script src="ORGANIZATION/WebResources/Widget/msdyn_ciLibrary.js" ATTRIBUTES></script></html>"""

Serve = Callable[[Any], Awaitable[str]]


def _relate(dataverse: Dataverse, template: str, field: str) -> None:
    relation = "msdyn_notificationtemplate_notificationfield"
    path = f"msdyn_notificationtemplates({template})/{relation}/$ref"
    body = json.dumps({"@odata.id": f"/msdyn_notificationfields({field})"}).encode()
    call = Call("POST", path, "", {}, body, "https://org.test/api/data/v9.2/", "")
    assert dataverse.organisation.answer(call).status == 204


def _tab(dataverse: Dataverse, name: str, title: str, **parameters: str) -> str:
    row = {"msdyn_uniquename": name, "msdyn_title": title, "msdyn_pagetype": ENTITY_RECORD}
    text = json.dumps(parameters)
    return dataverse.put("msdyn_applicationtabtemplates", row | {"msdyn_templateparameters": text})


def _fill(dataverse: Dataverse) -> None:
    """Ana, her call, and templates."""
    put = dataverse.put
    ana = {"contactid": CONTACT, "firstname": "Ana", "lastname": "Silva", "telephone1": NUMBER}
    put("contacts", ana)
    regarding = {"regardingobjectid_contact_phonecall@odata.bind": f"/contacts({CONTACT})"}
    put("phonecalls", {"activityid": CALL, "subject": "Call from Ana"} | regarding)
    entity = {"entityName": "{table}", "entityId": "{id}"}
    anchor = _tab(dataverse, "cdyn_customer", "{name}", validateRecord="true", **entity)
    _tab(dataverse, "cdyn_loose", "Loose", **entity)
    session = {"msdyn_title": "Voice-{name}", "msdyn_sessiontype": GENERIC_SESSION}
    bound = {"msdyn_anchortab@odata.bind": f"/msdyn_applicationtabtemplates({anchor})"}
    put("msdyn_sessiontemplates", {"msdyn_uniquename": "cdyn_voice"} | session | bound)
    toast = {"msdyn_uniquename": "cdyn_voice", "msdyn_title": "Call from {name}"}
    template = put("msdyn_notificationtemplates", toast)
    field = {"msdyn_title": "Queue", "msdyn_value": "{queue}"}
    _relate(dataverse, template, put("msdyn_notificationfields", field))


@pytest.fixture
def dynamics() -> Dynamics:
    dataverse = create_dataverse()
    _fill(dataverse)
    return Dynamics(dataverse)


@pytest_asyncio.fixture(loop_scope="session")
async def organization(dynamics: Dynamics, tmp_path: Path) -> AsyncIterator[str]:
    """Its address, ``https://127.0.0.1:<port>``."""
    async with serve(dynamics, ca_path=tmp_path / "ca.pem") as url:
        yield url
    dynamics.dataverse.close()


@pytest_asyncio.fixture(loop_scope="session")
async def provider_url(organization: str, serve_app: Serve) -> str:
    """The provider's page, on another site."""

    async def page(request: Request) -> HTMLResponse:
        named = f'data-crmurl="{organization}" data-cifid="CIFMainLibrary"'
        attributes = named if request.url.path == "/cif" else f'data-crmurl="{organization}"'
        html = PROVIDER.replace("ORGANIZATION", organization)
        return HTMLResponse(html.replace("ATTRIBUTES", attributes))

    return await serve_app(Starlette(routes=[Route("/{page}", page)]))


class Workspace:
    """The workspace with the provider's page in it.

    Args:
        page: The workspace's page.
        provider: The provider's.
    """

    def __init__(self, page: Page, provider: Frame) -> None:
        self.page = page
        self.provider = provider

    async def call(self, method: str, *args: Any) -> Any:
        """A method's value; what is the matter if it is refused."""
        answer = await self.provider.evaluate("([m, a]) => call(m, a)", [method, list(args)])
        return answer["value"] if "value" in answer else answer["refused"]

    async def notify(self, token: str) -> None:
        """Let the provider notify; ``answer`` has what came of it."""
        parameters = {"name": "Ana Silva", "queue": "Support"}
        notification = {"templateName": "cdyn_voice", "templateParameters": parameters}
        given = notification | {"cancellationToken": token}
        script = "(given) => { window.answer = call('notifyEvent', [given]); }"
        await self.provider.evaluate(script, given)
        await expect(self.page.locator(f"[data-toast={token}]")).to_be_visible()

    async def answer(self) -> Any:
        """What came of the last notification."""
        answer = await self.provider.evaluate("() => window.answer")
        return json.loads(answer["value"])["value"]

    async def start(self, **slugs: str) -> str:
        """A session's id."""
        given = {"templateName": "cdyn_voice", "templateParameters": slugs}
        session = await self.call("createSession", given)
        assert session.startswith("session-id-"), session
        return str(session)

    async def main(self, tab: str) -> dict[str, str | None]:
        """What the page in a tab says that it shows."""
        main = self.page.frame_locator(f"[data-frame={tab}]").locator("main")
        await main.wait_for()
        names = ("data-table", "data-id", "data-found", "data-create")
        return {name: await main.get_attribute(name) for name in names}

    async def said(self) -> list[Any]:
        """The events that the provider heard of."""
        heard: list[Any] = await self.provider.evaluate("() => said")
        return heard


@pytest_asyncio.fixture(loop_scope="session")
async def workspace(page: Page, organization: str, provider_url: str) -> Workspace:
    await page.goto(f"{organization}/apps/customer-service?panel={provider_url}/cif")
    return Workspace(page, await _provider(page, "() => window.Microsoft?.CIFramework"))


async def _provider(page: Page, ready: str) -> Frame:
    """The provider's page in the workspace, once a script says that it is there."""
    panel = await page.wait_for_selector("[data-panel]")
    frame = await panel.content_frame() if panel else None
    assert frame
    await frame.wait_for_function(ready)
    return frame


ANA: Final = {"name": "Ana Silva", "table": "contact", "id": CONTACT}


async def test_a_record_s_page_shows_what_is_written_while_it_is_open(
    page: Page, dynamics: Dynamics, organization: str
) -> None:
    query = f"pagetype=entityrecord&etn=phonecall&id={CALL}"
    await page.goto(f"{organization}/main.aspx?{query}")
    await expect(page.locator("main[data-found=true]")).to_contain_text("Call from Ana")
    note = {"subject": "Recording", "objectid_phonecall@odata.bind": f"/phonecalls({CALL})"}
    dynamics.dataverse.put("annotations", note)
    await expect(page.locator("[data-card=notes]")).to_contain_text("Recording")


async def test_what_the_agent_presses_answers_the_notification(workspace: Workspace) -> None:
    await workspace.notify("one")
    toast = workspace.page.locator("[data-toast=one]")
    await expect(toast).to_contain_text("Call from Ana Silva")
    await expect(toast).to_contain_text("Support")
    await toast.get_by_role("button", name="Accept").click()
    accepted = {"actionName": "Accept", "responseReason": "Accept"}
    assert await workspace.answer() == accepted
    await workspace.notify("two")
    await workspace.page.get_by_role("button", name="Reject").click()
    assert (await workspace.answer())["responseReason"] == "DeclinedByAgent"


async def test_a_cancelled_notification_goes(workspace: Workspace) -> None:
    await workspace.notify("one")
    assert await workspace.call("cancelEvent", "one") == "one"
    await expect(workspace.page.locator("[data-toast]")).to_have_count(0)


async def test_a_notification_times_out(dynamics: Dynamics, workspace: Workspace) -> None:
    dynamics.switches.countdown_s = 1
    await workspace.page.reload()
    frame = await _provider(workspace.page, "() => window.Microsoft?.CIFramework")
    again = Workspace(workspace.page, frame)
    await again.notify("one")
    timed_out = {"actionName": "Timeout", "responseReason": "DisplayTimeout"}
    assert await again.answer() == timed_out


async def test_a_session_opens_the_customer_and_a_tab_beside_it(workspace: Workspace) -> None:
    session = await workspace.start(**ANA)
    await expect(workspace.page.locator(f"[data-session={session}]")).to_have_text(
        "Voice-Ana Silva"
    )
    (anchor,) = await workspace.call("getTabs")
    shown = await workspace.main(anchor)
    assert (shown["data-table"], shown["data-id"], shown["data-found"]) == (
        *("contact", CONTACT),
        "true",
    )
    call = {"table": "phonecall", "id": CALL}
    tab = {"templateName": "cdyn_customer", "templateParameters": call, "isFocused": True}
    opened = await workspace.call("createTab", tab)
    assert (await workspace.main(opened))["data-id"] == CALL
    await expect(workspace.page.locator(f"[data-tab={opened}]")).to_have_attribute(
        "aria-selected", "true"
    )


async def test_only_a_tab_that_does_not_validate_shows_the_form_for_a_new_record(
    workspace: Workspace,
) -> None:
    await workspace.start(**ANA)
    unknown = {"table": "phonecall", "id": UNKNOWN}
    for template, create in (("cdyn_customer", None), ("cdyn_loose", "true")):
        tab = {"templateName": template, "templateParameters": unknown, "isFocused": True}
        shown = await workspace.main(await workspace.call("createTab", tab))
        assert (shown["data-found"], shown["data-create"]) == ("false", create)


async def test_what_dynamics_refuses_is_refused(workspace: Workspace) -> None:
    call = workspace.call
    unknown = {"templateName": "cdyn_no"}
    assert await call("notifyEvent", unknown) == "NotificationTemplateNotFoundError"
    assert await call("createSession", unknown) == "SessionTemplateNotFoundError"
    assert await call("createTab", unknown) == "ApplicationTabTemplateNotFoundError"
    for _ in range(10):
        await workspace.start(**ANA)
    assert await call("canCreateSession") is False
    eleventh = await call("createSession", {"templateName": "cdyn_voice"})
    assert eleventh == "There are 10 sessions already"


async def test_a_click_on_a_number_reaches_the_provider_once_it_asked(
    workspace: Workspace,
) -> None:
    await workspace.start(**ANA)
    (anchor,) = await workspace.call("getTabs")
    number = workspace.page.frame_locator(f"[data-frame={anchor}]").locator("[data-phone]")
    await number.click()
    await workspace.call("setClickToAct", True)
    await number.click()
    await workspace.provider.wait_for_function("() => said.some(([n]) => n === 'onclicktoact')")
    clicks = [data for name, data in await workspace.said() if name == "onclicktoact"]
    kind = {"name": "telephone1", "format": "phone", "entityLogicalName": "contact"}
    assert clicks == [{"value": NUMBER, **kind}]


async def test_the_provider_hears_of_sessions_that_are_switched_and_closed(
    workspace: Workspace,
) -> None:
    session = await workspace.start(**ANA)
    await workspace.page.locator("[data-session=session-id-0]").click()
    assert await workspace.call("getFocusedSession") is None
    await workspace.page.locator(f"[data-session={session}]").click()
    await workspace.page.get_by_role("button", name="Close Voice-Ana Silva").click()
    await workspace.provider.wait_for_function("() => said.at(-1)?.[0] === 'onSessionClosed'")
    told = [(name, data.get("focussed")) for name, data in await workspace.said()]
    switched = [("onSessionSwitched", focussed) for focussed in (True, False, True)]
    assert told == [*switched, ("onSessionClosed", None)]


async def test_the_library_without_its_name_is_not_ready(
    page: Page, provider_url: str, organization: str
) -> None:
    fresh = await page.context.new_page()  # a script's error is what is wanted
    errors: list[str] = []
    fresh.on("pageerror", lambda error: errors.append(str(error)))
    await fresh.goto(f"{organization}/apps/customer-service?panel={provider_url}/nameless")
    frame = await _provider(fresh, "() => document.readyState === 'complete'")
    assert await frame.evaluate("() => window.Microsoft === undefined")
    assert "data-cifid" in errors[0]


async def test_a_record_is_framed_elsewhere_only_if_the_organization_lets_it(
    page: Page, dynamics: Dynamics, organization: str, serve_app: Serve
) -> None:
    record = f"{organization}/main.aspx?pagetype=entityrecord&etn=contact&id={CONTACT}"

    async def host(_: Request) -> HTMLResponse:
        return HTMLResponse(f'<!doctype html><iframe src="{record}"></iframe>')

    url = await serve_app(Starlette(routes=[Route("/", host)]))
    await page.goto(url)  # loads, as Chromium says, though the frame is refused
    frame = page.frame_locator("iframe")
    await expect(frame.locator("main")).to_have_count(0)
    dynamics.switches.frame_ancestors = f"'self' {url}"
    await page.goto(url)
    await expect(frame.locator("main[data-found=true]")).to_be_visible()


@pytest.mark.parametrize("width", [320, 1280])
async def test_the_workspace_and_its_pages_have_no_serious_barrier(
    workspace: Workspace, organization: str, width: int
) -> None:
    page = workspace.page
    await page.set_viewport_size({"width": width, "height": 800})
    await workspace.start(**ANA)
    await workspace.notify("one")
    found = await _barriers(page)
    for query in (
        *(f"pagetype=entityrecord&etn=contact&id={row}" for row in (CONTACT, UNKNOWN, "")),
        *("pagetype=search&searchText=silva", "pagetype=entitylist&etn=phonecall", ""),
    ):
        await page.goto(f"{organization}/main.aspx?{query}")
        assert await page.evaluate("document.documentElement.scrollWidth") <= width
        found += await _barriers(page)
    assert not found


async def _barriers(page: Page) -> list[Any]:
    """What axe finds that is serious or critical."""
    # by the debugger, as the pages' policy lets no other script in
    await page.evaluate(AXE.read_text("utf-8"))
    result = await page.evaluate("() => axe.run(document, {iframes: false})")
    violations = result["violations"]
    return [
        (page.url, violation["id"], violation["nodes"][0]["html"])
        for violation in violations
        if violation["impact"] in {"serious", "critical"}
    ]
