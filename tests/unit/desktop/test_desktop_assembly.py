"""The pages are put together for serving."""

from __future__ import annotations

import os
import re
import shutil

from base64 import b64encode
from hashlib import sha384
from pathlib import Path

import pytest

from worker.desktop.assembly import PAGES, assemble, main
from worker.errors import ConfigError


def contents(place: Path) -> dict[str, bytes]:
    files = (path for path in place.rglob("*") if path.is_file())
    return {path.relative_to(place).as_posix(): path.read_bytes() for path in files}


def test_pages_lie_at_the_top_and_all_else_below_a_digest(
    pages: Path, modules: Path, tmp_path: Path
) -> None:
    digest = assemble(modules, pages, tmp_path / "dist")
    assert re.fullmatch("[0-9a-f]{20}", digest)
    found = contents(tmp_path / "dist")
    assets = ("styles.css", "core/intents.js", "agent.js", "cif.js", "companion.js")
    amazons = ("connect-streams-min.js", "amazon-connect-streams-LICENSE.txt")
    assert set(found) == {
        *("agent.html", "cif.html", "companion.html"),
        *(f"assets/{digest}/{name}" for name in (*assets, *amazons)),
    }
    assert found[f"assets/{digest}/core/intents.js"] == (pages / "core/intents.js").read_bytes()


def test_a_page_names_its_assets_below_the_digest(
    pages: Path, modules: Path, tmp_path: Path
) -> None:
    digest = assemble(modules, pages, tmp_path / "dist")
    page = (tmp_path / "dist" / "agent.html").read_text()
    named = re.findall(r'(?:src|href)="([^"]*)"', page)
    names = ("styles.css", "connect-streams-min.js", "agent.js")
    assert named == [f"assets/{digest}/{name}" for name in names]
    assert all((tmp_path / "dist" / name).is_file() for name in named)


def test_the_library_is_loaded_only_as_it_was_assembled(
    pages: Path, modules: Path, tmp_path: Path
) -> None:
    assemble(modules, pages, tmp_path / "dist")
    seal = b64encode(sha384(b"var connect = {};").digest()).decode()
    page = (tmp_path / "dist" / "agent.html").read_text()
    assert re.findall(r'integrity="([^"]*)"', page) == [f"sha384-{seal}"]
    (script,) = re.findall(r"<script[^>]*connect-streams-min.js[^>]*>", page)
    assert "integrity" in script


def test_the_same_sources_make_the_same_bytes_wherever_they_lie(
    pages: Path, modules: Path, tmp_path: Path
) -> None:
    first = assemble(modules, pages, tmp_path / "dist")
    copy = tmp_path / "elsewhere"
    shutil.copytree(pages, copy)
    for path in copy.rglob("*.js"):
        os.utime(path, (1, 1))
    assert assemble(modules, copy, tmp_path / "again") == first
    assert contents(tmp_path / "again") == contents(tmp_path / "dist")


@pytest.mark.parametrize("changed", ["core/intents.js", "styles.css"])
def test_a_changed_asset_gets_another_address_and_the_old_one_goes(
    pages: Path, modules: Path, tmp_path: Path, changed: str
) -> None:
    first = assemble(modules, pages, tmp_path / "dist")
    (pages / changed).write_text("/* other */")
    second = assemble(modules, pages, tmp_path / "dist")
    assert second != first
    assert [path.name for path in (tmp_path / "dist" / "assets").iterdir()] == [second]


def test_a_renamed_asset_gets_another_digest(pages: Path, modules: Path, tmp_path: Path) -> None:
    first = assemble(modules, pages, tmp_path / "dist")
    (pages / "core" / "intents.js").rename(pages / "core" / "intent.js")
    assert assemble(modules, pages, tmp_path / "dist") != first


@pytest.mark.parametrize(
    ("markup", "why"),
    [
        ("<script>alert(1)</script>", "a script within the page is not run"),
        ('<script type="module">import "./a.js"</script>', "a script within the page"),
        ('<script src="assets/agent.js">x</script>', "a script within the page"),
        ("<style>p {}</style>", "a style within the page is not used"),
        ('<p style="color: red">', "a style within the page is not used"),
        ('<button onclick="go()">', "a handler within the page is not run"),
        ('<script src="assets/absent.js"></script>', "there is no absent.js"),
    ],
)
def test_what_a_pages_policy_would_refuse_is_refused_before(
    pages: Path, modules: Path, tmp_path: Path, markup: str, why: str
) -> None:
    (pages / "agent.html").write_text(markup)
    with pytest.raises(ConfigError, match=why):
        assemble(modules, pages, tmp_path / "dist")
    assert not (tmp_path / "dist").exists()


def test_a_comment_of_a_page_may_name_what_a_page_may_not_have(
    pages: Path, modules: Path, tmp_path: Path
) -> None:
    with (pages / "agent.html").open("a") as page:
        page.write("<!-- no <style> and no <script>inline</script> here -->")
    assemble(modules, pages, tmp_path / "dist")


def test_a_file_of_an_unknown_kind_is_not_served(
    pages: Path, modules: Path, tmp_path: Path
) -> None:
    (pages / "agent.js.orig").write_text("old")
    with pytest.raises(ConfigError, match=r"agent\.js\.orig: files of this kind are not served"):
        assemble(modules, pages, tmp_path / "dist")


def test_without_the_library_it_says_what_installs_it(
    pages: Path, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    with pytest.raises(ConfigError, match="run make desktop"):
        assemble(tmp_path, pages, tmp_path / "dist")
    arguments = ["--modules", str(tmp_path), "--into", str(tmp_path / "dist")]
    assert main(arguments) == 1
    told = capsys.readouterr().err
    assert told.startswith("desktop: ")
    assert told.count("\n") == 1


def test_the_modules_may_be_named_in_the_environment(
    modules: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("DESKTOP_MODULES", str(modules))
    assert main(["--into", str(tmp_path / "dist")]) == 0
    assert (tmp_path / "dist" / "agent.html").is_file()


def test_the_shipped_pages_are_whole(modules: Path, tmp_path: Path) -> None:
    """Every asset that a page names is there, and no page has what its policy refuses."""
    assemble(modules, PAGES, tmp_path / "dist")
    pages = {path.name for path in (tmp_path / "dist").glob("*.html")}
    assert pages == {"agent.html", "cif.html", "companion.html"}
