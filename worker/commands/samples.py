"""Samples: messages of an invented contact of each kind, which ship with the program."""

from __future__ import annotations

from importlib import resources

from pipelines.source import meant
from worker.errors import ConfigError


_SAMPLES = resources.files("worker") / "samples"
_END = ".ndjson"


def samples() -> list[str]:
    """Their names."""
    names = (entry.name for entry in _SAMPLES.iterdir())
    return sorted(name.removesuffix(_END) for name in names if name.endswith(_END))


def path_of(name: str) -> str:
    """The file of a sample.

    Raises:
        ConfigError: There is none of this name.
    """
    if name not in samples():
        near = meant(name, samples())
        raise ConfigError(f"there is no sample {name!r}; there are {', '.join(samples())}{near}")
    return str(_SAMPLES / f"{name}{_END}")
