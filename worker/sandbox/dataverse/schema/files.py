"""Schemas in files."""

from __future__ import annotations

import json

from typing import TYPE_CHECKING, Any

from worker.errors import ConfigError
from worker.sandbox.dataverse.schema.document import read_schema
from worker.sandbox.dataverse.schema.tables import SHIPPED


if TYPE_CHECKING:
    from collections.abc import Mapping
    from pathlib import Path

    from worker.sandbox.dataverse.schema.columns import Schema


def load_schema(path: Path | None) -> Schema:
    """The schema a file describes, beside what is shipped or alone; without a file, as shipped.

    Raises:
        ConfigError: It cannot be read, or has mistakes: each with table and column.
    """
    if path is None:
        return SHIPPED
    try:
        document = json.loads(path.read_text("utf-8"))
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name a schema's file") from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path} is no text in UTF-8; write JSON") from None
    except json.JSONDecodeError as error:
        where = f"line {error.lineno}, column {error.colno}"
        raise ConfigError(f"{path}, {where}: this is no JSON: {error.msg}") from None
    return read_schema(document, SHIPPED, str(path))


def save_schema(path: Path, document: Mapping[str, Any]) -> None:
    """Write a document down.

    Raises:
        ConfigError: The file cannot be written.
    """
    try:
        path.write_text(json.dumps(document, indent=1, ensure_ascii=False) + "\n", "utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: {error.strerror}; name another file with --schema") from None
