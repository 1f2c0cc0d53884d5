"""Which build this is: the package's version, and the commit if it is known."""

from __future__ import annotations

import json
import subprocess

from importlib.metadata import PackageNotFoundError, distribution
from pathlib import Path


PACKAGE = "connect-dynamics"

#: Written when an image is made, where there is no repository: the commit.
COMMIT_FILE = Path(__file__).with_name("COMMIT")


def version_text() -> str:
    """Such as ``0.1.0 (commit 1a2b3c4d5e6f)``."""
    try:
        version = distribution(PACKAGE).version
    except PackageNotFoundError:
        version = "not installed"
    return f"{version} (commit {commit})" if (commit := commit_of(COMMIT_FILE)) else version


def commit_of(written: Path) -> str:
    """The commit that the program was made from; "" if nothing says."""
    if written.is_file():
        return written.read_text(encoding="ascii", errors="replace").strip()
    return _of_install() or _of_checkout(written.parents[1])


def _of_install() -> str:
    """What an installer noted of an installation from a repository (PEP 610)."""
    try:
        noted = distribution(PACKAGE).read_text("direct_url.json")
    except PackageNotFoundError:
        return ""
    commit = json.loads(noted or "{}").get("vcs_info", {}).get("commit_id", "")
    return str(commit)[:12]


def _of_checkout(root: Path) -> str:
    """What is checked out, if the program runs from there."""
    if not (root / ".git").exists():
        return ""
    asked = ["git", "-C", str(root), "rev-parse", "--short=12", "HEAD"]
    try:
        told = subprocess.run(asked, capture_output=True, text=True, check=True, timeout=5)  # noqa: S603 - fixed words
    except (OSError, subprocess.SubprocessError):
        return ""
    return told.stdout.strip()
