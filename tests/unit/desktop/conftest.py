"""Invented pages and packages, and the settings of a desktop."""

from __future__ import annotations

from pathlib import Path

import pytest

from worker.settings import Settings


PAGE = """<!doctype html>
<title>{name}</title>
<link rel="stylesheet" href="assets/styles.css">
<script src="assets/connect-streams-min.js" integrity="sha384-old"></script>
<script type="module" src="assets/{name}.js"></script>
"""


@pytest.fixture
def settings() -> Settings:
    return Settings(
        environment_url="https://org.crm4.dynamics.com",
        ccp_url="https://acme.my.connect.aws/ccp-v2/",
        pipelines=("timeline",),
    )


@pytest.fixture
def pages(tmp_path: Path) -> Path:
    place = tmp_path / "pages"
    (place / "core").mkdir(parents=True)
    (place / "styles.css").write_text("body { margin: 0 }")
    (place / "core" / "intents.js").write_text("export const one = 1;")
    for name in ("agent", "cif", "companion"):
        (place / f"{name}.html").write_text(PAGE.format(name=name))
        (place / f"{name}.js").write_text("import {one} from './core/intents.js';")
    return place


@pytest.fixture
def modules(tmp_path: Path) -> Path:
    package = tmp_path / "node_modules" / "amazon-connect-streams"
    (package / "release").mkdir(parents=True)
    (package / "release" / "connect-streams-min.js").write_text("var connect = {};")
    (package / "LICENSE.txt").write_text("Apache")
    return package.parent
