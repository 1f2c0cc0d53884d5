"""Mutation testing: what can be broken without a test noticing. ``make mutants`` runs it.

mutmut changes one expression at a time in a copy of the tree and runs the tests that reach it; a
change that no test fails by has survived. Which modules and which tests: pyproject.toml. Tables,
constants and properties it leaves alone, and what runs on import only survives whatever the tests.

Arguments: modules, e.g. ``pipelines.plan worker.leases.choice``; without any, all there are.
"""

from __future__ import annotations

import os
import shutil
import subprocess
import sys

from collections import Counter
from pathlib import Path
from tempfile import mkdtemp


ROOT = Path(__file__).parents[2]

#: Where ``make`` puts mutmut; what it tests with is in the environment around it.
TOOL = Path(sys.prefix) / "mutants"

#: All that the tests of these modules read.
COPIED = ("pipelines", "worker", "tests", "pyproject.toml")

#: The ends of a mutant that a test noticed (an endless loop is one), and of one not asked for.
KILLED = ("killed", "timeout")
SKIPPED = "not checked"


def copied() -> Path:
    """A copy of the tree in a temporary folder, which is left there with the survivors."""
    folder = Path(mkdtemp(prefix="mutants-"))
    for name in COPIED:
        if (ROOT / name).is_dir():
            ignore = shutil.ignore_patterns("__pycache__")
            shutil.copytree(ROOT / name, folder / name, ignore=ignore)
        else:
            shutil.copy(ROOT / name, folder)
    return folder


def mutmut(folder: Path, *arguments: str) -> str:
    """What mutmut says, run in the copy.

    Raises:
        subprocess.CalledProcessError: It did not end well; ``output`` says why.
    """
    return subprocess.run(
        [sys.executable, TOOL / "bin" / "mutmut", *arguments],
        cwd=folder,
        env=os.environ | {"PYTHONPATH": str(TOOL)},
        stdout=subprocess.PIPE,
        stderr=subprocess.STDOUT,
        text=True,
        check=True,
    ).stdout


def results(folder: Path) -> dict[str, str]:
    """Mutant -> how it ended, of those that were tried."""
    lines = mutmut(folder, "results", "--all", "true").splitlines()
    pairs = (line.strip().rpartition(": ") for line in lines)
    return {mutant: end for mutant, _, end in pairs if mutant and end != SKIPPED}


def report(folder: Path) -> None:
    """Print a line per module, and write down what survived."""
    ends = results(folder)
    survivors = [mutant for mutant, end in ends.items() if end not in KILLED]
    tried, survived = (Counter(m.rpartition(".")[0] for m in found) for found in (ends, survivors))
    print(f"{'module':<26}{'mutants':>8}{'killed':>8}{'survived':>10}{'score':>8}")
    for module, number in sorted(tried.items()):
        killed = number - survived[module]
        print(f"{module:<26}{number:8}{killed:8}{survived[module]:10}{killed / number:8.1%}")
    diffs = folder / "survivors.diff"
    diffs.write_text("".join(mutmut(folder, "show", mutant) for mutant in survivors))
    print(f"survivors: {diffs}")


def main() -> None:
    folder = copied()
    print(f"copy: {folder}", flush=True)
    try:
        mutmut(folder, "run", "--max-children", "1", *(f"{module}.*" for module in sys.argv[1:]))
    except subprocess.CalledProcessError as failure:
        sys.exit(failure.output)
    report(folder)


if __name__ == "__main__":
    main()
