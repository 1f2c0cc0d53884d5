"""Ingest: what the contacts of a chain tell one another, in whichever order they come."""

from __future__ import annotations

import asyncio

from collections.abc import Sequence
from itertools import permutations
from typing import Any

import orjson
import pytest

from pipelines.contact import Contact
from pipelines.fact import KIN
from pipelines.view import view
from worker.engine.ingest import DAMAGED, UNFINISHED_S, Ingest
from worker.errors import StoreUnavailable
from worker.operations.erasure import erase, traces
from worker.sources.protocol import Message
from worker.stores.memory import MemoryStore
from worker.stores.protocol import Entry, Saved


INSTANCE = "arn:aws:connect:eu-west-2:111122223333:instance/1a2b"
PAYLOAD = dict[str, Any]


def event(contact_id: str, kind: str, method: str, begin: str, **more: Any) -> PAYLOAD:
    detail = {
        "eventType": kind,
        "contactId": contact_id,
        "channel": "VOICE",
        "initiationMethod": method,
        "instanceArn": INSTANCE,
        "initiationTimestamp": f"2026-03-02T09:{begin}:00.100Z",
        **more,
    }
    source = {"detail-type": "Amazon Connect Contact Event", "source": "aws.connect"}
    return {**source, "time": f"2026-03-02T09:{begin}:01Z", "detail": detail}


def record(contact_id: str, method: str, begin: str, updated: str = "40", **more: Any) -> PAYLOAD:
    return {
        "AWSContactTraceRecordFormatVersion": "2017-03-10",
        "ContactId": contact_id,
        "Channel": "VOICE",
        "InitiationMethod": method,
        "InstanceARN": INSTANCE,
        "InitiationTimestamp": f"2026-03-02T09:{begin}:00Z",
        "DisconnectTimestamp": f"2026-03-02T09:{begin}:50Z",
        "LastUpdateTimestamp": f"2026-03-02T09:{updated}:00Z",
        **more,
    }


FIRST = record("a", "OUTBOUND", "00", Agent={"ARN": "arn:a/1", "Username": "maud.ellery"})
SECOND = record("b", "TRANSFER", "05", InitialContactId="A", PreviousContactId="A")
THIRD = record("c", "QUEUE_TRANSFER", "10", InitialContactId="a", PreviousContactId="b")


async def tell(ingest: Ingest, *payloads: PAYLOAD) -> None:
    bodies = [orjson.dumps(payload) for payload in payloads]
    await ingest.handle([Message(body, f"test:{at}") for at, body in enumerate(bodies)])


async def state(store: MemoryStore) -> dict[str, Contact]:
    ids = await store.ids("", 100)
    return {entry.contact.id: entry.contact for entry in await store.load(ids)}


async def told(*payloads: PAYLOAD) -> dict[str, Contact]:
    """The contacts after these messages, each in a batch of its own."""
    store = MemoryStore()
    for payload in payloads:
        await tell(Ingest(store), payload)
    return await state(store)


@pytest.mark.parametrize("events_only", [False, True])
async def test_a_chain_of_three_has_one_direction_in_whichever_order_its_legs_come(
    events_only: bool,
) -> None:
    chain = [FIRST, SECOND, THIRD]
    if events_only:
        before = {"initialContactId": "a"}
        chain = [
            event("a", "INITIATED", "OUTBOUND", "00"),
            event("b", "INITIATED", "TRANSFER", "05", previousContactId="a", **before),
            event(
                "c", "CONNECTED_TO_AGENT", "QUEUE_TRANSFER", "10", previousContactId="b", **before
            ),
        ]
    ends = []
    for order in permutations(chain):
        contacts = await told(*order)
        assert [view(contacts[one])["Outbound"] for one in "abc"] == [True, True, True]
        ends.append({one: contact.facts for one, contact in contacts.items()})
        together = MemoryStore()
        await tell(Ingest(together), *order, *order)
        assert {one: contact.facts for one, contact in (await state(together)).items()} == ends[0]
    assert all(end == ends[0] for end in ends)


async def test_until_the_initial_contact_is_known_the_method_decides_and_is_corrected_later() -> (
    None
):
    store = MemoryStore()
    await tell(Ingest(store), SECOND)
    assert view((await state(store))["b"])["Outbound"] is False
    await tell(Ingest(store), FIRST)
    assert view((await state(store))["b"])["Outbound"] is True


async def test_legs_know_one_anothers_agents_and_the_way_back_and_forth() -> None:
    contacts = await told(THIRD, SECOND, FIRST)
    seen = {one: view(contact) for one, contact in contacts.items()}
    assert seen["b"]["Previous"]["Agent"] == {"ARN": "arn:a/1", "Username": "maud.ellery"}
    assert seen["c"]["Initial"]["Agent"]["Username"] == "maud.ellery"
    assert (seen["a"]["Next"]["ContactId"], seen["b"]["Next"]["ContactId"]) == ("b", "c")
    assert "Previous" not in seen["a"]
    assert "Next" not in seen["c"]


async def test_a_late_event_takes_no_name_away_that_the_record_gave() -> None:
    late = event("a", "COMPLETED", "OUTBOUND", "00", agentInfo={"agentArn": "arn:a/1"})
    contacts = await told(FIRST, SECOND, {**late, "time": "2026-03-02T12:00:00Z"})
    assert view(contacts["b"])["Previous"]["Agent"]["Username"] == "maud.ellery"


class Dying(MemoryStore):
    """Takes so many saves and is unavailable from then on."""

    def __init__(self, saves: int) -> None:
        super().__init__()
        self.left = saves

    async def save(self, entries: Sequence[Entry]) -> list[Saved]:
        if not self.left:
            raise StoreUnavailable("disk full")
        self.left -= 1
        return await super().save(entries)


class Counting(MemoryStore):
    """Notes which contacts are loaded, and which are saved."""

    def __init__(self) -> None:
        super().__init__()
        self.loaded: list[str] = []
        self.saved: list[str] = []

    async def load(self, contact_ids: Sequence[str]) -> list[Entry]:
        self.loaded += sorted(contact_ids)
        return await super().load(contact_ids)

    async def save(self, entries: Sequence[Entry]) -> list[Saved]:
        self.saved += sorted(entry.contact.id for entry in entries)
        return await super().save(entries)


async def test_legs_of_one_batch_are_loaded_once_and_saved_again_only_for_what_they_were_told() -> (
    None
):
    store = Counting()
    await tell(Ingest(store), FIRST, SECOND)
    assert store.loaded == ["a", "b"]
    assert store.saved == ["a", "b", "a", "b"]
    store.loaded.clear()
    store.saved.clear()
    await tell(Ingest(store), FIRST, SECOND)
    assert (store.loaded, store.saved) == (["a", "b"], [])


async def test_a_leg_that_tells_the_same_again_is_not_told_what_it_has() -> None:
    store = Counting()
    await tell(Ingest(store), FIRST, SECOND)
    store.loaded.clear()
    await tell(Ingest(store), SECOND)
    assert store.loaded == ["b", "a"]


async def test_a_contact_that_changed_since_this_batch_saved_it_is_loaded_and_told_again() -> None:
    class Pushed(Counting):
        """Somebody claims the leg as soon as it is saved."""

        async def save(self, entries: Sequence[Entry]) -> list[Saved]:
            done = await super().save(entries)
            if len(self.saved) == 2:
                (leg,) = await MemoryStore.load(self, ["b"])
                leg.claim = "another"
                await MemoryStore.save(self, [leg])
            return done

    store = Pushed()
    await tell(Ingest(store), FIRST, SECOND)
    assert store.loaded == ["a", "b", "b"]
    (leg,) = await store.load(["b"])
    assert (leg.claim, view(leg.contact)["Outbound"]) == ("another", True)


@pytest.mark.parametrize("order", list(permutations([FIRST, SECOND])))
@pytest.mark.parametrize("saves", [0, 1])
async def test_a_worker_that_dies_before_a_leg_was_told_leaves_it_to_who_reads_the_batch_again(
    order: tuple[PAYLOAD, PAYLOAD], saves: int
) -> None:
    store = Dying(2)
    await tell(Ingest(store), order[0])
    store.left = saves
    stop = asyncio.Event()
    stop.set()
    batch = [Message(orjson.dumps(order[1]), "test:2")]
    with pytest.raises(StoreUnavailable):
        await Ingest(store).handle(batch, stop)
    store.left = 9
    await Ingest(store).handle(batch)
    seen = view((await state(store))["b"])
    assert (seen["Outbound"], seen["Previous"]["Agent"]["Username"]) == (True, "maud.ellery")


async def test_a_contact_that_only_others_told_of_is_not_due_until_it_is_heard_of_itself() -> None:
    store = MemoryStore()
    ingest = Ingest(store)
    await tell(ingest, SECOND)
    (stub,) = await store.load(["a"])
    assert (stub.due_at, stub.contact.heard_of, ingest.tally.only_told) == (None, False, 1)
    assert stub.expires_at == pytest.approx(ingest.clock.wall() + UNFINISHED_S, abs=60)
    assert (ingest.tally.facts, ingest.tally.quarantined) == (1, 0)
    await tell(ingest, FIRST)
    (known,) = await store.load(["a"])
    assert known.due_at is not None
    assert ingest.tally.only_told == 0


async def test_what_a_replayed_leg_tells_does_not_make_a_live_one_replayed() -> None:
    store = MemoryStore()
    await tell(Ingest(store), SECOND)
    await tell(Ingest(store, rank=1), FIRST)
    contacts = await state(store)
    assert (contacts["a"].replayed, contacts["b"].replayed) == (True, False)


async def test_a_forgotten_contact_is_told_nothing_and_its_chain_goes_on() -> None:
    store = MemoryStore()
    await tell(Ingest(store), SECOND)
    await store.forget(["b"])
    ingest = Ingest(store)
    await tell(ingest, FIRST, THIRD)
    contacts = await state(store)
    assert set(contacts) == {"a", "c"}
    assert view(contacts["c"])["Outbound"] is True
    assert ingest.tally.ignored == {}


async def test_a_message_is_set_aside_whose_leg_cannot_be_told_and_told_once_it_is_retried() -> (
    None
):
    class Damaged(MemoryStore):
        damaged = True

        async def save(self, entries: Sequence[Entry]) -> list[Saved]:
            kept = [one for one in entries if one.contact.id != "b" or not self.damaged]
            done = iter(await super().save(kept))
            return [next(done) if one in kept else Saved.UNREADABLE for one in entries]

    store = Damaged()
    store.damaged = False
    await tell(Ingest(store), SECOND)
    store.damaged = True
    await tell(Ingest(store), FIRST)
    (aside,) = await store.quarantined("", 9)
    assert aside.reason == DAMAGED
    store.damaged = False
    await Ingest(store).handle([Message(aside.body, aside.origin)])
    assert view((await state(store))["b"])["Outbound"] is True


async def test_a_contact_that_is_erased_leaves_nothing_in_its_chain_and_tells_nothing_again() -> (
    None
):
    number = {"Address": "+442079460123"}
    third = record("e", "EXTERNAL_OUTBOUND", "03", CustomerEndpoint=number, **JOINED)
    store = MemoryStore()
    await tell(Ingest(store), FIRST, third)
    assert (await traces(store, "a", [])).related == ["e"]
    await erase(store, "e")
    await tell(Ingest(store), third, FIRST)
    (first,) = (await state(store)).values()
    assert b"0123" not in first.to_bytes()
    assert "ThirdParties" not in view(first)


JOINED = {"InitialContactId": "a", "PreviousContactId": "a"}


async def test_the_leg_before_says_who_joined_and_forgets_it_with_a_redaction() -> None:
    number = {"Address": "+442079460123", "Type": "TELEPHONE_NUMBER"}
    customer = {"Address": "+442079460101", "Type": "TELEPHONE_NUMBER"}
    first = {**FIRST, "CustomerEndpoint": customer}
    third = record("e", "EXTERNAL_OUTBOUND", "03", CustomerEndpoint=number, **JOINED)
    contacts = await told(third, first)
    seen = view(contacts["a"])
    assert seen["ThirdParties"] == "+442079460123"
    assert seen["CustomerEndpoint"] == customer
    assert "Next" not in seen
    redacted = record("e", "EXTERNAL_OUTBOUND", "03", "59", CustomerEndpoint=None, **JOINED)
    contacts = await told(first, third, redacted, third)
    assert "ThirdParties" not in view(contacts["a"])
    assert b"0123" not in contacts["a"].to_bytes()


async def test_of_two_messages_of_one_time_the_chain_keeps_the_one_that_the_contact_keeps() -> None:
    for name in ("maud.ellery", "idris.cole", "ada.sample", "bea.sample"):
        other = {**FIRST, "Agent": {"ARN": "arn:a/1", "Username": name}, "CustomerId": name}
        for order in permutations([FIRST, other, SECOND]):
            contacts = await told(*order)
            kept = view(contacts["a"])["Agent"]["Username"]
            assert view(contacts["b"])["Previous"]["Agent"]["Username"] == kept


async def test_only_the_neighbours_of_a_leg_hold_an_extract_of_it() -> None:
    contacts = await told(FIRST, SECOND, THIRD)
    kin = {
        one: sorted({r.split("/")[1] for r in contact.facts if r.startswith(KIN)})
        for one, contact in contacts.items()
    }
    assert kin == {"a": ["b", "c"], "b": ["a", "c"], "c": ["a", "b"]}


async def test_a_leg_whose_other_legs_never_come_keeps_what_its_method_says() -> None:
    contacts = await told(SECOND, THIRD)
    seen = view(contacts["c"])
    assert (seen["Outbound"], seen["Initial"]) == (False, {"ContactId": "a"})
    callback = record("d", "CALLBACK", "20", InitialContactId="x", PreviousContactId="x")
    handed = record("f", "TRANSFER", "25", InitialContactId="x", PreviousContactId="d")
    asked = record("x", "INBOUND", "00")
    for order in permutations([callback, handed, asked]):
        contacts = await told(*order)
        assert [view(contacts[one])["Outbound"] for one in "xdf"] == [False, True, True]


async def test_a_contact_that_names_itself_or_is_named_in_a_circle_comes_to_rest() -> None:
    own = record("g", "TRANSFER", "00", InitialContactId="g", PreviousContactId="g")
    one = record("h", "TRANSFER", "01", PreviousContactId="i", RelatedContactId="not an id!")
    two = record("i", "TRANSFER", "02", PreviousContactId="h")
    contacts = await told(own, one, two, one, own)
    assert set(contacts) == {"g", "h", "i"}
    assert not any(register.startswith(KIN) for register in contacts["g"].facts)
    assert [view(contacts[key])["Outbound"] for key in "ghi"] == [False, False, False]
