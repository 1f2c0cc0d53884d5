"""The pages, assembled of invented ones and the real library's place."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.desktop.assembly import assemble


PAGE = """<!doctype html><title>{name}</title>
<script src="assets/connect-streams-min.js"></script>
<script type="module" src="assets/{name}.js"></script>
"""


@pytest.fixture
def dist(tmp_path: Path) -> Path:
    pages, package = tmp_path / "pages", tmp_path / "node_modules" / "amazon-connect-streams"
    pages.mkdir()
    (package / "release").mkdir(parents=True)
    (package / "release" / "connect-streams-min.js").write_text("var connect = {};")
    (package / "LICENSE.txt").write_text("Apache")
    for name in ("agent", "cif", "companion"):
        (pages / f"{name}.html").write_text(PAGE.format(name=name))
        (pages / f"{name}.js").write_text("export {};")
    assemble(package.parent, pages, tmp_path / "dist")
    (tmp_path / "secret.txt").write_text("not served")
    return tmp_path / "dist"
