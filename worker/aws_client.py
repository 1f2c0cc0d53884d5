"""How aiobotocore makes the clients of ``worker.aws``: time-outs, connections, models."""

from __future__ import annotations

import os

from functools import cache
from typing import Any, Final

from aiobotocore.config import AioConfig
from aiobotocore.httpsession import AIOHTTPSession
from aiobotocore.session import get_session
from botocore.loaders import Loader, create_loader

from worker.aws_models import used_models
from worker.reuse import only_clean


CONNECT_TIMEOUT_S: Final = 5.0
#: Longer than the longest wait asked for, which is SQS's 20 s long poll.
READ_TIMEOUT_S: Final = 30.0
#: One connection for each shard or receiver that is waiting; botocore's 10 would be a queue.
MAX_CONNECTIONS: Final = 100


def made_client(
    service: str, endpoint_url: str | None, region: str | None, attempts: int, *, whole: bool
) -> Any:
    """A client to be used with ``async with`` once; see ``worker.aws.client``."""
    session = get_session()
    loader = _models(session.get_config_variable("data_path"), whole=whole)
    session.register_component("data_loader", loader)
    region = region or session.get_config_variable("region") or os.environ.get("AWS_REGION")
    return session.create_client(
        service, endpoint_url=endpoint_url, region_name=region, config=_config(session, attempts)
    )


@cache
def _models(path: str | None, *, whole: bool) -> Loader:
    """The services' models: each session would read them anew, which takes most of its making."""
    return create_loader(path) if whole else used_models(path)


class _Session(AIOHTTPSession):  # type: ignore[misc]  # it has no types
    """aiobotocore's own, but see ``worker.reuse``."""

    async def _create_connector(self, proxy_url: str | None) -> Any:
        return only_clean(await super()._create_connector(proxy_url))


def _config(session: Any, attempts: int) -> AioConfig:
    return AioConfig(
        http_session_cls=_Session,
        connect_timeout=CONNECT_TIMEOUT_S,
        read_timeout=READ_TIMEOUT_S,
        max_pool_connections=MAX_CONNECTIONS,
        retries={"mode": "standard", "total_max_attempts": attempts},
        tcp_keepalive=True,
        # Else botocore makes a longer one twice for each call, a sixth of what a call costs.
        user_agent=f"{session.user_agent()} connect-dynamics",
    )
