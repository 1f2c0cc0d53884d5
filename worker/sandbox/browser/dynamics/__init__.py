"""Dynamics in a browser: record pages, Customer Service workspace, and CIF's library.

They show and change the rows of the sandbox's Dataverse. Whoever opens them counts as signed in:
they are for one machine, and no token is asked for.
"""

from __future__ import annotations

from worker.sandbox.browser.dynamics.application import Dynamics
from worker.sandbox.browser.dynamics.switches import PageSwitches


__all__ = ["Dynamics", "PageSwitches"]
