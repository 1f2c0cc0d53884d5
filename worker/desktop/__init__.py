"""The agent's desktop: pages beside the softphone, and what serves and installs them.

The pages are in ``pages/``; everything they need at run time is one ``config.json``.
"""
