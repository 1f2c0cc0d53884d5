"""The CloudFormation templates."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest

from cfnlint.decode import decode


TEMPLATES = Path(__file__).parents[3] / "infra" / "cloudformation"


@pytest.fixture(scope="session")
def template_paths() -> list[Path]:
    return sorted(TEMPLATES.glob("*.yaml"))


@pytest.fixture(scope="session")
def template() -> Callable[[str], dict[str, Any]]:
    """A template by its name; functions like !Ref are dictionaries, as in JSON."""

    def read(name: str) -> dict[str, Any]:
        parsed, faults = decode(str(TEMPLATES / f"{name}.yaml"))
        assert not faults
        read: dict[str, Any] = parsed
        return read

    return read
