"""The clouds, badly on purpose: men in the middle that spoil what services answer, byte by byte.

``behaviours`` is the table of what they can do, a named line each; ``middle`` does it, between a
worker and a service that works, to some requests, so that the world can go on; ``channel`` and
``http`` are its sight of a connection. ``world`` is a worker among them.
"""
