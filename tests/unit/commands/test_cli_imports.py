"""What the command line imports before it knows which command is asked for."""

from __future__ import annotations

import subprocess
import sys


#: Libraries that take long to import and that only some commands need.
HEAVY = ("aiobotocore.client", "httpx", "moto", "msal", "prometheus_client", "worker.sandbox")


def test_the_help_is_there_before_the_libraries_that_only_some_commands_need() -> None:
    code = f"import sys, worker.cli; print([name for name in {HEAVY} if name in sys.modules])"
    run = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert run.stdout.strip() == "[]"
