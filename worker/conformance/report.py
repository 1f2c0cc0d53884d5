"""What the probes found: switch positions, statuses and codes, and no values."""

from __future__ import annotations

import json

from dataclasses import dataclass, field
from pathlib import Path
from typing import Any, Final

from worker.errors import ConfigError


#: Of the file; a reader refuses others.
FORM: Final = 1


@dataclass(slots=True)
class Report:
    """What is known of an organization.

    Attributes:
        switches: The positions that were found.
        unknown: Switches whose position could not be told, and why.
        answers: Status and code of each answer to a probe.
        not_probed: What there is no probe for, and why.
        differs: Where the sandbox as it is behaves otherwise.
    """

    switches: dict[str, Any] = field(default_factory=dict)
    unknown: dict[str, str] = field(default_factory=dict)
    answers: dict[str, list[str]] = field(default_factory=dict)
    not_probed: dict[str, str] = field(default_factory=dict)
    differs: list[str] = field(default_factory=list)

    def to_json(self) -> str:
        """The file's text."""
        content = {
            "conformance": FORM,
            "switches": self.switches,
            "differs": self.differs,
            "unknown": self.unknown,
            "not_probed": self.not_probed,
            "answers": self.answers,
        }
        return json.dumps(content, indent=1, ensure_ascii=False) + "\n"


def read_switches(path: Path) -> dict[str, Any]:
    """The positions in a file.

    Raises:
        ConfigError: It cannot be read, or is no such file.
    """
    try:
        content = json.loads(path.read_text(encoding="utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror})") from None
    except (ValueError, RecursionError):
        raise ConfigError(f"{path}: is not JSON; connect-dynamics conform writes it") from None
    known = isinstance(content, dict) and content.get("conformance") == FORM
    switches = content.get("switches") if known else None
    if not isinstance(switches, dict):
        raise ConfigError(f"{path}: is no file of this release's connect-dynamics conform")
    return switches
