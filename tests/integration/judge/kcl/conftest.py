"""A real Kinesis Client Library and a worker of ours have shared a stream: what came of it."""

from __future__ import annotations

import asyncio
import shutil

import pytest

from tests.integration.judge.kcl.daemon import NO_JAVA
from tests.integration.judge.kcl.story import Story, stage, tell
from worker.sandbox.amazon.moto_server import CREDENTIALS, REGION


@pytest.fixture(scope="module")
def story(kinesis_mock: str, moto_process: str, tmp_path_factory: pytest.TempPathFactory) -> Story:
    """The same for all tests; it takes some two minutes to come to pass."""
    if not shutil.which("java"):
        pytest.skip(NO_JAVA)

    async def happen() -> Story:
        async with stage(kinesis_mock, moto_process, REGION) as there:
            return await tell(there, tmp_path_factory.mktemp("kcl"))

    with pytest.MonkeyPatch.context() as patch:
        for name, value in CREDENTIALS.items():
            patch.setenv(name, value)
        return asyncio.run(happen())
