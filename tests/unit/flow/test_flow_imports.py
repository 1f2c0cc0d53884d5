"""What the Lambda imports: its zip has no AWS client, see ``infra/lambda/package.py``."""

from __future__ import annotations

import subprocess
import sys


LOADED = "import sys, worker.flow.handler; print(*sys.modules)"


def test_the_lambda_is_loaded_without_a_client_of_aws() -> None:
    command = [sys.executable, "-c", LOADED]
    done = subprocess.run(command, capture_output=True, check=True, text=True)
    assert not {"aiobotocore", "botocore", "boto3"} & set(done.stdout.split())
