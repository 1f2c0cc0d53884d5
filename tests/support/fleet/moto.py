"""moto's server, but its DynamoDB checks a condition and writes in one step, as AWS's does.

``python -m fleet.moto`` prints its URL and ends when its standard input does.
"""

from __future__ import annotations

import threading

from typing import Any

import pytest

from moto.dynamodb.responses import DynamoHandler

from worker.sandbox.amazon import moto_server as embedded


def write_in_one_step() -> None:
    """Let DynamoDB carry out one request at a time."""
    lock = threading.Lock()
    call_action = DynamoHandler.call_action

    def one_at_a_time(handler: DynamoHandler) -> Any:
        with lock:
            return call_action(handler)

    patch = pytest.MonkeyPatch()  # for good: the process is ours
    patch.setattr(DynamoHandler, "call_action", one_at_a_time)


if __name__ == "__main__":
    write_in_one_step()
    embedded.main()
