"""What can go wrong, by what the caller can do about it.

WorkerError
├── ConfigError        correct the settings or the pipeline file; the message says where
├── StoreUnavailable   the same call may succeed later
├── Interrupted        somebody asked to stop; the same command goes on from there
└── DynamicsError      see ``worker.dynamics.errors``

Messages never hold numbers, names, attributes, transcripts or secrets.
"""

from __future__ import annotations


class WorkerError(Exception):
    """Anything this program raises on purpose."""


class ConfigError(WorkerError):
    """The settings or a pipeline file must be corrected first."""


class StoreUnavailable(WorkerError):
    """The contact store cannot be used just now."""


class Interrupted(WorkerError):
    """Stopped on request before the end; what was done is kept."""
