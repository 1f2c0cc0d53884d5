"""The desktop's pages: their types, node's own tests of them, and the packages they are made with.

Without node or the packages (``make desktop`` installs them) these tests fail; none is left out.
"""

from __future__ import annotations

import json
import shutil
import subprocess

from pathlib import Path
from typing import Any

import pytest

from pipelines.identity import NAMESPACE, record_id, timeline_id


ROOT = Path(__file__).parents[3]
ROOM = ROOT / "worker" / "desktop"
TYPESCRIPT = ROOT / ".venv" / "desktop" / "node_modules" / "typescript" / "bin" / "tsc"
TESTS = sorted(Path(__file__).parent.glob("*.test.js"))
VECTOR = json.loads((ROOT / "tests" / "samples" / "desktop" / "record_ids.json").read_text())
LOCK = json.loads((ROOM / "package-lock.json").read_text())["packages"]


def run_node(*arguments: str | Path) -> subprocess.CompletedProcess[str]:
    node = shutil.which("node")
    assert node, "node 20 or newer is needed"
    command = [node, *map(str, arguments)]
    return subprocess.run(command, cwd=ROOT, capture_output=True, text=True, check=False)


def test_the_pages_types_are_right() -> None:
    assert TYPESCRIPT.exists(), "make desktop installs it"
    done = run_node(TYPESCRIPT, "-p", ROOM / "tsconfig.json", "--pretty", "false")
    assert done.returncode == 0, done.stdout + done.stderr


def test_a_wrong_type_in_a_page_is_found(tmp_path: Path) -> None:
    page = tmp_path / "wrong.js"
    page.write_text("/** @param {number} at */\nfunction show(at) { return at; }\nshow('x');\n")
    settings = tmp_path / "tsconfig.json"
    extended = {"extends": str(ROOM / "tsconfig.json"), "include": [str(page)]}
    settings.write_text(json.dumps(extended))
    done = run_node(TYPESCRIPT, "-p", settings, "--pretty", "false")
    assert "TS2345" in done.stdout, "wrong.js was not checked"


@pytest.mark.parametrize("path", TESTS, ids=lambda path: path.name.removesuffix(".test.js"))
def test_the_pages_pass_their_own_tests(path: Path) -> None:
    done = run_node("--test", "--test-reporter=tap", path)
    failed = [line for line in done.stdout.splitlines() if line.lstrip().startswith("not ok")]
    assert done.returncode == 0, "\n".join([*failed, done.stdout, done.stderr])
    assert "\n# skipped 0\n# todo 0\n" in done.stdout
    assert "\n# pass 0\n" not in done.stdout


def test_the_core_has_node_tests() -> None:
    nouns = {path.name.removesuffix(".test.js") for path in TESTS}
    assert nouns >= {"address", "config", "dial", "intents", "record", "seen", "session", "target"}


@pytest.mark.parametrize(
    "row", VECTOR["records"], ids=lambda row: f"{row['step']}-{row['contact']}"
)
def test_the_pages_and_the_worker_make_the_same_record_id(row: dict[str, str]) -> None:
    assert VECTOR["namespace"] == str(NAMESPACE)
    assert record_id(row["contact"].lower(), row["pipeline"], row["step"]) == row["record"]
    if row["step"] == "PHONECALL":
        assert timeline_id(row["contact"], "phonecall") == row["record"]


def test_the_lock_names_no_registry_and_has_a_hash_for_everything() -> None:
    packages = {name: package for name, package in LOCK.items() if name}
    assert packages
    assert not [name for name, package in packages.items() if "resolved" in package]
    assert all(package["integrity"].startswith("sha512-") for package in packages.values())


def test_versions_of_packages_are_exact_and_only_the_library_is_served() -> None:
    package = json.loads((ROOM / "package.json").read_text())
    assert list(package["dependencies"]) == ["amazon-connect-streams"]
    versions = package["dependencies"] | package["devDependencies"]
    assert {name: LOCK[f"node_modules/{name}"]["version"] for name in versions} == versions


def test_no_script_of_a_package_is_run_and_the_type_checker_needs_no_binary() -> None:
    assert "ignore-scripts=true" in (ROOM / ".npmrc").read_text().splitlines()
    checker: dict[str, Any] = LOCK["node_modules/typescript"]
    assert "optionalDependencies" not in checker
    assert not [name for name in LOCK if name.startswith("node_modules/@typescript/")]
