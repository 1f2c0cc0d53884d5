"""Finds pipelines: the shipped ones by name, others by path."""

from __future__ import annotations

from collections.abc import Iterable
from importlib import resources
from pathlib import Path

from pipelines.loader import load
from pipelines.pipeline import Pipeline
from pipelines.source import PipelineError
from worker.errors import ConfigError


SHIPPED = resources.files("pipelines") / "definitions"


def shipped() -> list[str]:
    """The names of the shipped pipelines."""
    names = (entry.name for entry in SHIPPED.iterdir())
    return sorted(name.removesuffix(".toml") for name in names if name.endswith(".toml"))


def find(name: str) -> Pipeline:
    """The pipeline of a shipped name or a path.

    Raises:
        ConfigError: There is none, or it cannot be used; the message says where it is wrong.
    """
    text, source = text_and_source(name)
    try:
        return load(text, source)
    except PipelineError as error:
        raise ConfigError(str(error)) from None
    except RecursionError:
        raise ConfigError(f"{name}: nested too deeply") from None


def find_all(names: Iterable[str]) -> list[Pipeline]:
    """The pipelines of these names, which must differ in the name they give themselves.

    Raises:
        ConfigError: See ``find``.
    """
    found = [find(name) for name in names]
    if not found:
        raise ConfigError(f"no pipeline is named; shipped are {', '.join(shipped())}")
    for pipeline in found:
        if sum(other.name == pipeline.name for other in found) > 1:
            raise ConfigError(f"two pipelines call themselves {pipeline.name!r}; rename one")
    return found


def text_and_source(name: str) -> tuple[str, str]:
    """The text of a shipped pipeline or of a file, and what messages call it.

    Raises:
        ConfigError: There is none, or it cannot be read.
    """
    return _text(name), name if _is_path(name) else f"{name}.toml"


def _is_path(name: str) -> bool:
    return name.endswith(".toml") or "/" in name


def _text(name: str) -> str:
    try:
        if _is_path(name):
            return Path(name).read_text(encoding="utf-8")
        return (SHIPPED / f"{name}.toml").read_text(encoding="utf-8")
    except FileNotFoundError:
        known = ", ".join(shipped())
        raise ConfigError(
            f"{name}: there is no such pipeline; give a path ending in .toml or one of: {known}"
        ) from None
    except (OSError, UnicodeDecodeError) as error:
        raise ConfigError(f"{name}: cannot be read ({type(error).__name__})") from None
