"""The scripts of the softphone's pages: their types are checked as those of our own pages are."""

from __future__ import annotations

import shutil
import subprocess

from pathlib import Path
from typing import Final

from worker.sandbox.browser.softphone_web import FILES


ROOT: Final = Path(__file__).parents[4]
COMPILER: Final = ROOT / ".venv/desktop/node_modules/typescript/lib/tsc.js"
OPTIONS: Final = (
    "--noEmit --allowJs --checkJs --strict --noUnusedLocals --noUnusedParameters"
    " --target ES2022 --lib ES2022,DOM,DOM.Iterable --module ESNext --moduleResolution Bundler"
)


def test_the_scripts_of_the_softphones_pages_have_no_type_errors() -> None:
    node = shutil.which("node")
    assert node, "node is missing: see README.md"
    assert COMPILER.exists(), "TypeScript is missing: run make desktop"
    scripts = sorted(str(file) for file in FILES.glob("*.js"))
    assert len(scripts) > 3
    command = [node, str(COMPILER), *OPTIONS.split(), *scripts]
    run = subprocess.run(command, capture_output=True, text=True, check=False, timeout=60)
    assert run.returncode == 0, run.stdout + run.stderr
