"""The worker in a simulated world: everything is decided by one seed and nothing takes time.

Workers (``worker``) run the real code for leases, ingest, push, client and gate as processes of a
virtual loop (``loop``). Between them and the in-memory twins of Kinesis, lease table, store and
Dynamics lies a network that delays, fails and loses (``network``). A nemesis kills, stops,
throttles and confuses (``nemesis``), people interfere (``people``), and checkers (``conduct``,
``safekeeping``) watch all that the services are made to do.

In half of the worlds something befalls contacts that nobody imagined (``afflictions``): bugs that
raise anything anywhere (``bugs``), rows that cannot be read (``damage``), records that Dynamics
never takes, clocks weeks apart. All other contacts are done first; then an operator or another
build mends it, and all must be as if it had never been.

``python -m simulated --seeds 300`` tries seeds; ``--seed 42`` tells one seed's story.
"""

from __future__ import annotations

from simulated.world import Outcome, simulate


__all__ = ["Outcome", "simulate"]
