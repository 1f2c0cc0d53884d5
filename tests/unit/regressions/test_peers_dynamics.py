"""What broke in other integrations with a CRM: directions, matches, closed records.

tests/README.md names the products, and tests of the same kind in other folders.
"""

from __future__ import annotations

from collections.abc import Callable

import pytest

from pipelines.pipeline import Pipeline
from twins.calls import Call
from twins.dynamics import Failure, ScriptedDynamics
from twins.site import Site
from worker.dynamics.errors import Closed


MakePipeline = Callable[[str], list[Pipeline]]

#: participationtypemask of a party (Dataverse, activityparty).
FROM, TO = 1, 2

PARTIES = """
[[step]]
name = "INCOMING"
on = "created"
method = "POST"
entity = "phonecalls"
when = { Direction = "inbound" }
body = '''{"directioncode": "{{Outbound}}", "phonecall_activity_parties": [
  {"participationtypemask": 1, "addressused": "{{CustomerEndpoint}}"},
  {"participationtypemask": 2, "addressused": "{{SystemEndpoint}}"}]}'''
[[step]]
name = "OUTGOING"
on = "created"
method = "POST"
entity = "phonecalls"
when = { Direction = "outbound" }
body = '''{"directioncode": "{{Outbound}}", "phonecall_activity_parties": [
  {"participationtypemask": 1, "addressused": "{{SystemEndpoint}}"},
  {"participationtypemask": 2, "addressused": "{{CustomerEndpoint}}"}]}'''
"""


@pytest.mark.parametrize(("method", "customer"), [("INBOUND", FROM), ("OUTBOUND", TO)])
async def test_the_customer_is_from_of_an_incoming_call_and_to_of_an_outgoing_one(
    pipeline: MakePipeline,
    call: Call,
    *,
    method: str,
    customer: int,
) -> None:
    """From, To and the direction follow from how the call began."""
    site = Site(pipelines=pipeline(PARTIES))
    us = {"Address": "+15550100999", "Type": "TELEPHONE_NUMBER"}
    site.stream.put(call.record(InitiationMethod=method, SystemEndpoint=us))
    await site.run(5)
    (made,) = site.calls
    parties = made["phonecall_activity_parties"]
    roles = {party["addressused"]: party["participationtypemask"] for party in parties}
    assert roles == {"+15550100200": customer, "+15550100999": FROM + TO - customer}
    assert made["directioncode"] is (customer == TO)


MATCH = """
[[step]]
name = "WHO"
on = "created"
method = "GET"
entity = "contacts"
query = "?$filter=telephone1 eq '{{CustomerEndpoint}}'&$select=contactid"
[[step]]
name = "CALL"
on = "created"
method = "POST"
entity = "phonecalls"
after = ["WHO"]
body = '''{"phonenumber": "{{CustomerEndpoint}}", "category": "{{WHO-Response.LookupStatus}}",
  "regardingobjectid_contact_phonecall@odata.bind": "/contacts({{WHO-Response.contactid}})"}'''
"""


@pytest.mark.parametrize(
    ("people", "status"), [(0, "NoMatch"), (1, "SingleMatch"), (3, "MultiMatch")]
)
async def test_a_number_that_several_people_have_is_nobodys_and_the_activity_says_so(
    pipeline: MakePipeline,
    call: Call,
    *,
    people: int,
    status: str,
) -> None:
    """One activity, no guess, and the ambiguity is on the record."""
    site = Site(pipelines=pipeline(MATCH))
    for n in range(people):
        key = f"00000000-0000-4000-8000-00000000000{n}"
        person = {"contactid": key, "telephone1": "+15550100200"}
        site.dynamics.records["contacts", key] = person
    site.stream.put(call.record())
    await site.run(5)
    (made,) = site.calls
    assert made["category"] == status
    assert (made.get("_regardingobjectid_value") is not None) is (people == 1)


@pytest.mark.parametrize("reopens", [True, False])
async def test_a_recording_after_the_close_of_a_call_is_on_it_or_in_a_note(
    call: Call, *, reopens: bool
) -> None:
    """A completed phone call may refuse updates; if it does not reopen, an annotation tells it."""
    site = Site(dynamics=ScriptedDynamics(refuse_closed=True))
    site.stream.put(call.record())
    await site.run_on_and_off(20 * 60)
    (made,) = site.calls
    assert made["statecode"] == 1
    final = Failure(Closed("answered 400", status=400))
    site.dynamics.script = lambda request: (
        final if not reopens and (request.body or {}).get("statecode") == 0 else None
    )
    site.stream.put(call.recorded())
    await site.run(5)
    notes = [
        r["notetext"] for (name, _), r in site.dynamics.records.items() if name != "phonecalls"
    ]
    (made,) = site.calls
    assert made["statecode"] == 1
    assert (made.get("description") or notes[0]).endswith("_UTC.wav")
    assert len(notes) == (not reopens)
