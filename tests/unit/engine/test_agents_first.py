"""Agents first: whoever waits for a page does not wait behind a backlog that nobody looks at."""

from __future__ import annotations

from twins.backlog import Backlog, p95


#: What is due after three hours without Dynamics.
OUTAGE = 10_000

#: Calls that begin meanwhile, in a second, and for how long (s) this is watched.
CALLS_PER_S = 1.5
WATCHED_S = 25.0

#: What was sent in the minutes before: the budget's surplus is nearly spent.
SPENT = 5_700


async def test_after_an_outage_agents_see_their_page_at_once_and_the_backlog_keeps_its_share() -> (
    None
):
    site = Backlog()
    await site.lay_up(OUTAGE)
    site.way.spend(SPENT)
    await site.run(WATCHED_S, CALLS_PER_S)
    assert len(site.until_open) > 25
    assert p95(site.until_open) <= 2
    assert p95(site.until_written) <= 2
    backlog, live = site.sent_for(backlog=True), site.sent_for(backlog=False)
    assert backlog / (backlog + live) >= 0.8
    assert site.way.refused == 0
