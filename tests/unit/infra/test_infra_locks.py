"""The locks: pip takes a requirement with extras only from a line with those extras."""

from __future__ import annotations

import re

from collections.abc import Iterator
from importlib.metadata import PackageNotFoundError, requires
from pathlib import Path

import pytest

from packaging.requirements import Requirement
from packaging.utils import canonicalize_name


ROOT = Path(__file__).parents[3]
LOCKS = ROOT / "infra" / "locks"
ALL = sorted(LOCKS.glob("*.txt"))

#: Locks of environments that are not this one: they are checked as far as packages are shared.
APART = ("localstack.txt", "kcl.txt", "mutants.txt", "peers.txt", "build.txt")

#: Python versions that the locks are for.
PYTHONS = ("3.11", "3.12", "3.13")


def lines(lock: Path) -> list[Requirement]:
    """What a lock pins, without the hashes."""
    text = lock.read_text().replace("\\\n", " ")
    pinned = (re.sub(r"\s--hash=.*", "", line).strip() for line in text.splitlines())
    return [Requirement(line) for line in pinned if line and not line.startswith("#")]


def asked(package: Requirement) -> Iterator[Requirement]:
    """What a package of a lock asks for, as it is installed here."""
    try:
        needed = [Requirement(line) for line in requires(package.name) or ()]
    except PackageNotFoundError:
        return
    for requirement in needed:
        environments = [
            {"extra": extra, "python_version": python}
            for extra in (*package.extras, "")
            for python in PYTHONS
        ]
        marker = requirement.marker
        if marker is None or any(marker.evaluate(environment) for environment in environments):
            yield requirement


@pytest.mark.parametrize("lock", ALL, ids=lambda path: path.name)
def test_a_lock_has_the_extras_that_its_packages_ask_of_one_another(lock: Path) -> None:
    pinned = {canonicalize_name(line.name): line for line in lines(lock)}
    missing = [
        f"{package.name} asks for {requirement}, the lock has {pinned[name]}"
        for package in pinned.values()
        for requirement in asked(package)
        if (name := canonicalize_name(requirement.name)) in pinned
        and not requirement.extras <= pinned[name].extras
    ]
    assert pinned
    assert not missing


@pytest.mark.parametrize(
    "lock", [path for path in ALL if path.name not in APART], ids=lambda path: path.name
)
def test_a_lock_has_every_package_that_its_packages_ask_for_in_a_version_that_they_take(
    lock: Path,
) -> None:
    pinned = {canonicalize_name(line.name): line for line in lines(lock)}
    wrong = [
        f"{package.name} asks for {requirement}"
        for package in pinned.values()
        for requirement in asked(package)
        if requirement.marker is None or requirement.marker.evaluate({"extra": ""})
        if not _held(requirement, pinned.get(canonicalize_name(requirement.name)))
    ]
    assert not wrong


def _held(requirement: Requirement, line: Requirement | None) -> bool:
    if line is None:
        return False
    (pin,) = line.specifier
    return requirement.specifier.contains(pin.version, prereleases=True)


@pytest.mark.parametrize("lock", ALL, ids=lambda path: path.name)
def test_a_lock_names_no_registry(lock: Path) -> None:
    assert "://" not in lock.read_text()
    assert "--index" not in lock.read_text()


def test_locks_are_made_with_extras_kept() -> None:
    assert "--no-strip-extras" in (ROOT / "Makefile").read_text()
