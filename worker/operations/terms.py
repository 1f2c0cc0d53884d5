"""The terms under which a worker plans the contacts of a state, as that remembers them."""

from __future__ import annotations

from collections.abc import Mapping, Sequence
from typing import Any

from pipelines.objects import Which
from pipelines.pipeline import Pipeline
from pipelines.plan import Terms
from worker.engine.remembered_steps import recall_steps
from worker.stores.protocol import ContactStore


async def remembered_terms(
    store: ContactStore,
    pipelines: Sequence[Pipeline],
    constants: Mapping[str, Any],
    files: Which,
) -> Terms:
    """What ``run`` would plan by; nothing is written.

    Args:
        store: The state, which knows since when each pipeline applies and its earlier steps.
        pipelines: What is to be done.
        constants: Names from the settings.
        files: Which files count.

    Raises:
        StoreUnavailable: The store does not answer.
    """
    since = {one.name: await store.recall(f"pipeline/{one.name}") or "" for one in pipelines}
    versions = await recall_steps(store, pipelines)
    return Terms(constants, live=True, since=since, versions=versions, files=files)
