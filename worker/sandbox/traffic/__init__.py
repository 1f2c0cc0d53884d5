"""Invented Amazon Connect traffic: pure, and the same for the same seed.

A *leg* is what happened on one contact (``leg``, made by ``kinds``). From it come the messages
about it (``events``, ``records``, ``objects``), put in order by ``histories``, and the *truth*
a checker compares Dynamics with (``truths``). ``disturbance`` is what goes wrong on the way,
``archives`` are files of messages. ``python -m worker.sandbox.traffic`` writes some.
"""

from __future__ import annotations

from worker.sandbox.traffic.archives import Form, write_archive
from worker.sandbox.traffic.disturbance import disturb, malformed
from worker.sandbox.traffic.histories import (
    EVENTS,
    RECORDINGS,
    RECORDS,
    START,
    History,
    SentMessage,
    day,
    history,
)
from worker.sandbox.traffic.kinds import KINDS
from worker.sandbox.traffic.leg import Leg, Stored
from worker.sandbox.traffic.truths import Truth, truth


__all__ = [
    "EVENTS",
    "KINDS",
    "RECORDINGS",
    "RECORDS",
    "START",
    "Form",
    "History",
    "Leg",
    "SentMessage",
    "Stored",
    "Truth",
    "day",
    "disturb",
    "history",
    "malformed",
    "truth",
    "write_archive",
]
