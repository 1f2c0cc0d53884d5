"""Twins of what a worker meets, in memory and in virtual time: each exists once, here.

The twins that the product ships beside the real thing (``MemoryStore``, ``MemoryLeases``,
``MemoryConnect`` …) are in ``worker``.
"""
