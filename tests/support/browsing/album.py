"""Pages looked at in each of their states: a screenshot, and what a designer would not let pass.

Screenshots are for people; they are kept outside the source tree, in ``DESKTOP_SCREENSHOTS`` or in
the user's cache. What is judged here is what can be: nothing wider than its window, nothing that
axe finds serious, and the control that matters reached by the keyboard with a mark to be seen.
"""

from __future__ import annotations

import os

from collections.abc import Sequence
from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final, Literal

from playwright.async_api import FloatRect, Frame, Page, expect


#: Widths (px) of the window: a telephone or a narrow panel, and a usual screen.
WIDTHS: Final = (320, 1280)
HEIGHT: Final = 800

#: How many keys of Tab may lead to the control that matters.
KEYS: Final = 40

AXE: Final = (
    Path(__file__).parents[3] / ".venv" / "desktop" / "node_modules" / "axe-core" / "axe.min.js"
)

#: Our own page alone: the softphone and the records in it are another's.
RUN: Final = "() => axe.run(document, {iframes: false, resultTypes: ['violations']})"

WIDE: Final = "() => document.documentElement.scrollWidth - document.documentElement.clientWidth"

#: Text that is cut off where nothing says so.
CUT: Final = """() => [...document.querySelectorAll('button, p, h1, h2, .tag')]
  .filter((one) => one.checkVisibility() && !one.classList.contains('unseen'))
  .filter((one) => getComputedStyle(one).display !== 'inline')
  .filter((one) => one.scrollWidth > one.clientWidth + 1)
  .map((one) => one.textContent.trim())"""

#: Lets the next Tab begin at the top of our page.
TOP: Final = """() => {
  const top = document.querySelector('h1');
  top.tabIndex = -1;
  top.focus();
  top.removeAttribute('tabindex');
}"""

#: What the element that has the focus is called, and whether one sees that it has it.
FOCUS: Final = """() => {
  const one = document.activeElement;
  if (!document.hasFocus()) return ['', false];
  return [one.id || one.textContent.trim(), getComputedStyle(one).outlineStyle !== 'none'];
}"""


def folder() -> Path:
    """Where screenshots are kept."""
    cache = Path(os.environ.get("XDG_CACHE_HOME") or Path.home() / ".cache")
    chosen = os.environ.get("DESKTOP_SCREENSHOTS")
    return Path(chosen) if chosen else cache / "connect-dynamics" / "screenshots"


@dataclass(slots=True)
class Album:
    """The states of one host.

    Attributes:
        host: Its name, for the files.
        page: The window it is in.
        faults: What is not right, each with the state and the width it was seen at.
    """

    host: str
    page: Page
    faults: list[str] = field(default_factory=list)

    async def look(
        self,
        state: str,
        *,
        main: str = "",
        frame: Frame | None = None,
        part: str = "",
        widths: Sequence[int] = WIDTHS,
    ) -> None:
        """Look at the state that the page is in.

        Args:
            state: Its name.
            main: Id of, or words on, the control that matters; "" if there is none.
            frame: Our page, where that is not the whole window.
            part: What of the window the picture shows; "" for all of it.
            widths: Of the window.
        """
        ours = frame or self.page.main_frame
        for width in widths:
            await self.page.set_viewport_size({"width": width, "height": HEIGHT})
            said = await self._judged(ours, width)
            if main and width == widths[0] and not await self._reached(ours, main):
                said.append(f"“{main}” cannot be reached by the keyboard, or not be seen then")
            self.faults += [f"{self.host}, {state}, {width} px: {one}" for one in said]
            await self._picture(f"{self.host} {state} {width}", part, width)

    async def notice(self, kind: str, frame: Frame | None = None) -> None:
        """Look at a notice as soon as it is there; its button is what matters."""
        notice = (frame or self.page.main_frame).locator(f'[data-trouble="{kind}"]')
        await expect(notice).to_be_visible(timeout=30_000)
        button = await notice.get_by_role("button").text_content()
        await self.look(kind, main=button or "no button", frame=frame)

    async def _judged(self, ours: Frame, width: int) -> list[str]:
        # Narrow in the light scheme, wide in the dark one: both are held to the same.
        scheme: Literal["light", "dark"] = "light" if width < HEIGHT else "dark"
        await self.page.emulate_media(color_scheme=scheme, reduced_motion="reduce")
        if not await ours.evaluate("() => 'axe' in window"):
            await ours.evaluate(f"() => {{ {AXE.read_text('utf-8')} }}")
        found: dict[str, Any] = await ours.evaluate(RUN)
        said = [_finding(one) for one in found["violations"]]
        if (over := await ours.evaluate(WIDE)) > 0:
            said.append(f"{over} px wider than its window")
        said += [f"“{text}” is cut off" for text in await ours.evaluate(CUT)]
        await self.page.emulate_media(color_scheme="light")
        return said

    async def _reached(self, ours: Frame, main: str) -> bool:
        await ours.evaluate(TOP)
        for _ in range(KEYS):
            await self.page.keyboard.press("Tab")
            name, seen = await ours.evaluate(FOCUS)
            if main in name:
                return bool(seen)
        return False

    async def _picture(self, name: str, part: str, width: int) -> None:
        folder().mkdir(parents=True, exist_ok=True)
        path = folder() / f"{name.replace(',', '').replace(' ', '-')}.png"
        clip: FloatRect | None = None
        if part:
            clip = await self.page.locator(part).bounding_box()
        tall = width < HEIGHT and not part
        await self.page.screenshot(path=path, full_page=tall, clip=clip)


def _finding(one: dict[str, Any]) -> str:
    where = ", ".join(str(node["target"]) for node in one["nodes"])
    return f"axe {one['impact']}: {one['help']} ({where})"
