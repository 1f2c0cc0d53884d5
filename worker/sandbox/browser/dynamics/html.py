"""HTML from Python, escaped unless it says that it is HTML."""

from __future__ import annotations

from html import escape
from typing import Final


class Html(str):
    """Text that is HTML already."""

    __slots__ = ()


NOTHING: Final = Html()

_VOID: Final = frozenset({"input", "link", "meta"})


def tag(name: str, /, *children: str, **attributes: str | bool) -> Html:
    """An element.

    Args:
        name: Its name.
        children: Text, which is escaped, and ``Html``, which is not.
        attributes: By name: ``data_id`` is ``data-id``, ``class_`` is ``class``. True stands
            without a value, False is left out.
    """
    shown = "".join(_attribute(key, value) for key, value in attributes.items())
    if name in _VOID:
        return Html(f"<{name}{shown}>")
    return Html(f"<{name}{shown}>{join(*children)}</{name}>")


def join(*children: str) -> Html:
    """One after another."""
    return Html("".join(child if isinstance(child, Html) else escape(child) for child in children))


def _attribute(key: str, value: str | bool) -> str:
    name = key.rstrip("_").replace("_", "-")
    if value is True:
        return f" {name}"
    return "" if value is False else f' {name}="{escape(value)}"'


def page(title: str, body: Html, *, styles: tuple[str, ...], scripts: tuple[str, ...]) -> str:
    """A whole document. Styles and scripts are addresses; scripts are modules."""
    head = join(
        tag("meta", charset="utf-8"),
        tag("meta", name="viewport", content="width=device-width, initial-scale=1"),
        tag("title", title),
        tag("link", rel="icon", href="data:,"),
        *(tag("link", rel="stylesheet", href=style) for style in styles),
        *(tag("script", type="module", src=script) for script in scripts),
    )
    html = tag("html", tag("head", head), tag("body", body), lang="en")
    return f"<!doctype html>\n{html}"
