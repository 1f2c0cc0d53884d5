"""What the documents point at is there: pages, headings, files, rooms and commands."""

from __future__ import annotations

import re

from pathlib import Path

import pytest
import typer.main

from document_tables import ROOT, rows
from worker.cli import app


#: Every file of the repository, as far as it is text that people read.
FILES = sorted(
    path
    for top in ("*", "infra/**/*", "pipelines/**/*", "tests/**/*", "worker/**/*")
    for path in ROOT.glob(top)
    if path.is_file() and "__pycache__" not in path.parts
)
NAMES = {path.name for path in FILES}
PAGES = [path for path in FILES if path.suffix == ".md"]

#: Endings of files that a page may name.
ENDINGS = "py|toml|md|sql|json|ndjson|txt|yaml|yml|sh|in|gz"

#: Code in backticks that is a path: of a file, or of a folder.
PATH = re.compile(rf"[\w.-]+(?:/[\w.*-]+)*\.(?:{ENDINGS})|[\w.-]+/(?:[\w.-]+/)*")

#: A page as code and pages cite it.
CITED = re.compile(r"[\w./-]*\b[\w-]+\.md\b")
ADDRESS = re.compile(r"https?://\S+")
FENCED = re.compile(r"^```.*?^```$", re.MULTILINE | re.DOTALL)
EXTERNAL = ("http://", "https://", "mailto:")

named = pytest.mark.parametrize("page", PAGES, ids=[str(page.relative_to(ROOT)) for page in PAGES])


def prose(page: Path) -> str:
    """The text of a page without its fenced blocks."""
    return FENCED.sub("", page.read_text(encoding="utf-8"))


def anchors(page: Path) -> set[str]:
    """The anchors that GitHub gives to a page's headings."""
    headings = re.findall(r"^#+ (.+)$", prose(page), re.MULTILINE)
    return {re.sub(r"[^\w -]", "", heading).lower().replace(" ", "-") for heading in headings}


@named
def test_every_link_of_a_page_leads_somewhere(page: Path) -> None:
    for target in re.findall(r"\]\(([^)\s]+)\)", prose(page)):
        if target.startswith(EXTERNAL):
            continue
        path, _, anchor = target.partition("#")
        there = (page.parent / path).resolve() if path else page
        assert there.exists(), target
        assert not anchor or anchor in anchors(there), target


#: Paths that are the reader's own, or another repository's.
ELSEWHERE = {
    "config.json",
    "my-calls.toml",
    "records.json",
    "secret.txt",
    "tests/events/",
    "tests/aws/services/s3/",
}


@named
def test_every_path_that_a_page_names_is_there(page: Path) -> None:
    """From the page's folder or one above; a bare name is that of some file."""
    paths = {code for code in re.findall(r"`([^`\n]+)`", prose(page)) if PATH.fullmatch(code)}
    missing = [
        path
        for path in paths - ELSEWHERE - NAMES
        if not any(list(folder.glob(path.rstrip("/"))) for folder in above(page))
    ]
    assert missing == []


def above(path: Path) -> list[Path]:
    """The folders that a path is in, up to the root."""
    return [folder for folder in path.parents if folder.is_relative_to(ROOT)]


@pytest.mark.parametrize("suffixes", [(".py",), (".md", ".toml", ".yaml", ".yml", "")], ids=str)
def test_every_page_that_is_cited_is_in_the_repository_or_has_a_public_address(
    suffixes: tuple[str, ...],
) -> None:
    missing = [
        f"{path.relative_to(ROOT)}: {cited}"
        for path in FILES
        if path.suffix in suffixes and path != Path(__file__)
        for cited in cited_pages(path)
        if cited not in NAMES and not any((folder / cited).is_file() for folder in above(path))
    ]
    assert missing == []


def cited_pages(path: Path) -> set[str]:
    text = path.read_text(encoding="utf-8", errors="replace")
    return {match[0] for match in CITED.finditer(ADDRESS.sub("", text))}


# --- the first page -----------------------------------------------------------------------------


def test_the_first_page_leads_to_every_room() -> None:
    table = " ".join(cell for row in rows("README.md", "to find", "open") for cell in row)
    for top in ("pipelines", "worker"):
        files = (path for path in FILES if path.suffix in (".py", ".toml"))
        rooms = {path.parent.name for path in files if path.parent.parent == ROOT / top}
        assert {room for room in rooms if f"`{top}/{room}/" not in table} == set()


def test_the_first_page_has_a_line_for_every_command() -> None:
    listed = [row[0].strip("`") for row in rows("README.md", "command", "what it does")]
    assert sorted(listed) == sorted(commands(typer.main.get_command(app), "connect-dynamics"))


def commands(found: object, path: str) -> list[str]:
    inner: dict[str, object] = getattr(found, "commands", {})
    return [one for name, group in inner.items() for one in commands(group, f"{path} {name}")] or [
        path
    ]
