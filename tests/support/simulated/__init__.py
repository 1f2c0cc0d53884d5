"""The worker in a simulated world: everything is decided by one seed and nothing takes time.

Workers (``worker``) run the real code for leases, ingest, push, client and gate as processes of a
virtual loop (``loop``). Between them and the in-memory twins of Kinesis, lease table, store and
Dynamics lies a network that delays, fails and loses (``network``). A nemesis kills, stops,
throttles and confuses (``nemesis``), people interfere (``people``), and a checker (``checker``)
watches all that the services are made to do.

``python -m simulated --seeds 300`` tries seeds; ``--seed 42`` tells one seed's story.
"""

from __future__ import annotations

from simulated.world import Outcome, simulate


__all__ = ["Outcome", "simulate"]
