"""Packages the flow Lambda: the modules of this repository it needs, and its locked dependencies.

``package.py OUT [PYTHON]``: PYTHON is the version of the Lambda's runtime, ``RUNTIME`` by default.
Made twice it is the same, byte for byte.
"""  # noqa: INP001 - a script

from __future__ import annotations

import fnmatch
import subprocess
import sys
import tempfile
import zipfile

from collections.abc import Iterator
from modulefinder import ModuleFinder
from pathlib import Path
from typing import Final


ROOT: Final = Path(__file__).parents[2]
LOCK: Final = ROOT / "infra" / "locks" / "lambda.txt"

#: The Lambda's entry, ``worker.flow.handler.handle``.
ENTRY: Final = ROOT / "worker" / "flow" / "handler.py"

#: The runtime named in infra/cloudformation/flow.yaml: python3.13 on x86_64, an Amazon Linux 2023
#: with glibc 2.34 (AWS Lambda Developer Guide "lambda-runtimes").
RUNTIME: Final = "3.13"
PLATFORMS: Final = ("manylinux2014_x86_64", "manylinux_2_28_x86_64", "manylinux_2_34_x86_64")

#: What the dependencies bring along and nothing here reads; ``RECORD`` lists what is left out.
UNREAD: Final = ("bin/*", "*/__pycache__/*", "*.dist-info/RECORD", "babel/locale-data/*")

#: Of the languages, 9 MB, these are read by the template engine.
LOCALES: Final = tuple(
    f"babel/locale-data/{name}.dat" for name in ("root", "en", "en_001", "en_US")
)

#: The earliest time a zip can tell: files are of no age.
TIME: Final = (1980, 1, 1, 0, 0, 0)


def package(out: Path, python: str = RUNTIME) -> None:
    """Write the zip."""
    with tempfile.TemporaryDirectory() as folder:
        install(Path(folder), python)
        files = {**files_of(Path(folder)), **own_files()}
        out.parent.mkdir(parents=True, exist_ok=True)
        with zipfile.ZipFile(out, "w", zipfile.ZIP_DEFLATED, compresslevel=9) as archive:
            for name, path in sorted(files.items()):
                entry = zipfile.ZipInfo(name, TIME)
                entry.external_attr = 0o644 << 16
                archive.writestr(entry, path.read_bytes(), zipfile.ZIP_DEFLATED)


def install(folder: Path, python: str) -> None:
    """Unpack the wheels for the Lambda's Python; no others will do."""
    platforms = [f"--platform={name}" for name in PLATFORMS]
    quiet = ["--quiet", "--disable-pip-version-check", "--no-compile"]
    command = [sys.executable, "-m", "pip", "install", *quiet, *platforms, "--require-hashes"]
    only = ["--no-deps", "--only-binary=:all:", f"--python-version={python}"]
    target = [f"--target={folder}", f"--requirement={LOCK}"]
    subprocess.run([*command, *only, *target], check=True)  # noqa: S603 - nothing of a stranger's


def files_of(folder: Path) -> dict[str, Path]:
    """The files that are read, by their name in the zip."""
    paths = (path for path in folder.rglob("*") if path.is_file())
    named = {path.relative_to(folder).as_posix(): path for path in paths}
    return {
        name: path
        for name, path in named.items()
        if name in LOCALES or not any(fnmatch.fnmatch(name, pattern) for pattern in UNREAD)
    }


def own_files() -> dict[str, Path]:
    """The modules that the entry imports, whichever way, and the pipelines."""
    finder = ModuleFinder(path=[str(ROOT)])
    finder.run_script(str(ENTRY))
    return {path.relative_to(ROOT).as_posix(): path for path in _own(finder)}


def _own(finder: ModuleFinder) -> Iterator[Path]:
    yield ENTRY
    yield from (ROOT / "pipelines" / "definitions").glob("*.toml")
    yield from (Path(m.__file__) for m in finder.modules.values() if m.__file__)


if __name__ == "__main__":
    package(Path(sys.argv[1]), *sys.argv[2:3])
    print(f"{sys.argv[1]}: {Path(sys.argv[1]).stat().st_size / 1e6:.1f} MB")  # noqa: T201 - told
