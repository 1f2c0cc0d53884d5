"""How workers behave towards Dataverse: within claims and Retry-After, one create, nothing stale.

Watches requests where push hands them in, where they leave the process and where they are carried
out (I4, I5, I6).
"""

from __future__ import annotations

import asyncio

from collections.abc import Collection, Iterator, Mapping
from contextlib import contextmanager
from dataclasses import dataclass, field

from simulated.bugs import SECRET
from simulated.loop import Process
from simulated.network import QUICK_S
from simulated.story import Story
from worker.dynamics.client import is_create
from worker.dynamics.notice import Notice
from worker.dynamics.protocol import Request
from worker.dynamics.reasons import Reason
from worker.stores.protocol import Entry, FaultNote


#: The last moment (s after its claim was saved) at which a request may be handed in: a claim lasts
#: 300 s, the request may take 60 and Dataverse 120.
LAST_START_S = 120.0

#: How long a claim lasts, and by how much the moments of taking and of saving it may differ (s).
CLAIM_S = 300.0
SKEW_S = 60.0

#: Columns of the simulation's own: the contact, its record's number, which only grows, and one of
#: few values, which comes back.
CONTACT = "activityadditionalparams"
REVISION = "sortdate"  # of a contact record: its number is the second
MOOD = "lastonholdtime"  # one of two days

#: What the name of an application user's notice begins with; the client id follows.
NOTICE = "gate/"

#: By when (s) after a notice all workers that share a gate must know of it: they look before a
#: request, though not twice within a second.
KNOWN_S = 2.0

#: Clocks are sums of floats.
ROUNDING_S = 1e-6


@dataclass(eq=False, slots=True)
class Sent:
    """A request on its way.

    Attributes:
        request: The request.
        key: The key of its record, or "".
        late: Its process was stopped after it had looked at its claim and before it sent.
    """

    request: Request
    key: str
    late: bool


@dataclass(slots=True)
class _Claim:
    token: str
    process: Process
    at_s: float
    until: float  # by the clock of whoever took it


@dataclass(slots=True)
class _Ban:
    """A 429 that a process has heard of."""

    heard_s: float = 0.0
    until_s: float = 0.0


@dataclass(slots=True)
class Conduct:
    """Watches requests.

    Attributes:
        story: Told of breaches, and of every request.
        contacts: Record key -> contact.
        calls: Keys of the records that are phone calls.
        going: Requests that have left and may yet be carried out.
        created: Key of each record that was created -> its contact.
        deleted: Keys of records that a person deleted.
        store_is_good: The store answers; workers that share a gate can always read its notice.
        clocks_agree: Workers' clocks are never further apart than claims bear.
        revisions: Key -> the newest contact record that was carried out.
    """

    story: Story
    contacts: Mapping[str, str]
    calls: Collection[str]
    going: set[Sent] = field(default_factory=set)
    created: dict[str, str] = field(default_factory=dict)
    deleted: set[str] = field(default_factory=set)
    revisions: dict[str, str] = field(default_factory=dict)
    store_is_good: bool = True
    clocks_agree: bool = True
    _notices: dict[str, _Ban] = field(default_factory=dict)
    _versions: dict[str, int] = field(default_factory=dict)
    _claims: dict[str, _Claim] = field(default_factory=dict)
    _bans: dict[tuple[Process, str], _Ban] = field(default_factory=dict)
    _entered: dict[object, float] = field(default_factory=dict)
    _in_hand: list[tuple[Process, Request]] = field(default_factory=list)
    _passed: dict[object, float] = field(default_factory=dict)

    def claims(self, process: Process, entry: Entry, wall: float) -> None:
        """The store took an entry of a process whose clock says ``wall`` (s since 1970)."""
        contact, known = entry.contact.id, self._claims.get(entry.contact.id)
        if not entry.claim:
            self._claims.pop(contact, None)
        elif known is None or known.token != entry.claim:
            now = self.story.time()
            if known and known.until > wall + SKEW_S and now < known.at_s + CLAIM_S - SKEW_S:
                self.story.breach("claim", f"{process.name} took {contact} from another's hand")
            self._claims[contact] = _Claim(entry.claim, process, now, entry.claimed_until)

    def put_back(
        self, process: Process, contact_id: str, fault: FaultNote | None, *, knows_time: bool
    ) -> None:
        """The store ended a claim, for a process that may know the time, and kept a fault note."""
        claim = self._claims.pop(contact_id, None)
        if claim and claim.process is not process:
            runs = self.story.time() < claim.at_s + CLAIM_S - SKEW_S
            if runs and knows_time and not claim.process.dead:
                self.story.breach("claim", f"{process.name} ended another's on {contact_id}")
        if fault and SECRET in fault.what:
            self.story.breach("I8", f"the fault of {contact_id} quotes what raised it")

    def held(self, process: Process | None, contact_id: str) -> str:
        """The token of the claim that a process has on a contact; "" if it has none."""
        claim = self._claims.get(contact_id)
        return claim.token if claim and claim.process is process else ""

    def enters(self, process: Process, request: Request) -> None:
        """Push hands a request in, having looked at its claim."""
        self._entered[asyncio.current_task()] = self.story.time()
        contact = self.contacts.get(key_of(request))
        if contact is None or _probes(request):
            return
        claim = self._claims.get(contact)
        if not self.clocks_agree:
            return  # then a claim is no promise; what comes of it is judged all the same
        if claim is None or claim.process is not process:
            self.story.breach("I5", f"{process.name} sends for {contact} without a claim")
        elif self.story.time() > claim.at_s + LAST_START_S + ROUNDING_S:
            self.story.breach("I5", f"{process.name} sends for {contact} when its claim may lapse")

    @contextmanager
    def in_hand(self, process: Process, request: Request) -> Iterator[None]:
        """While a process has a request in hand, be it stopped just before it sends."""
        self._in_hand.append((process, request))
        try:
            yield
        finally:
            self._in_hand.remove((process, request))

    def may_yet(self, key: str, *, create: bool) -> bool:
        """Whether a process has a request in hand that creates, or changes, a record."""
        return any(
            key_of(request) == key and is_create(request) is create and not process.dead
            for process, request in self._in_hand
        )

    def passed_gate(self) -> None:
        """A request, or a probe, is past the gate and needs a token."""
        self._passed[asyncio.current_task()] = self.story.time()

    def leaves(self, process: Process, user: str, request: Request) -> Sent:
        """A request of an application user's leaves its process."""
        task = asyncio.current_task()
        passed_s = self._passed.get(task, 0.0)
        ban = self._bans.get((process, user))
        # What has passed the gate already is on its way, also if the process was stopped just then.
        if ban and max(ban.heard_s, process.woken_at) < passed_s < ban.until_s - ROUNDING_S:
            self.story.breach("Retry-After", f"{process.name} sent before {ban.until_s:.3f}")
        notice = self._notices.get(NOTICE + user, _Ban())
        known_s = max(notice.heard_s + KNOWN_S, process.woken_at)
        if self.store_is_good and known_s < passed_s < notice.until_s - ROUNDING_S:
            until = f"{notice.until_s:.3f}"
            self.story.breach("Retry-After", f"{process.name} sent before {until} as all knew")
        late = process.woken_at >= self._entered.get(task, 0.0) > 0
        sent = Sent(request, key_of(request), late)
        self.going.add(sent)
        return sent

    def arrived(self, sent: Sent) -> None:
        """A request is carried out now or never."""
        self.going.discard(sent)

    def throttled(self, process: Process, user: str, retry_after_s: float) -> None:
        """A process has heard of a 429 for an application user."""
        now = self.story.time()
        ban = self._bans.setdefault((process, user), _Ban())
        ban.heard_s, ban.until_s = now, max(ban.until_s, now + retry_after_s)

    def agreed(self, name: str, text: str) -> None:
        """Workers agreed on something; it may be a new notice of those that share a gate."""
        if not name.startswith(NOTICE):
            return
        notice, now = Notice.from_text(text), self.story.time()
        if notice.version == self._versions.get(name, 0):
            return  # somebody who followed it counts from when he read it
        self._versions[name] = notice.version
        # The seconds count from when it was sent, which is a moment ago.
        for_s = notice.retry_s - QUICK_S[1] if notice.reason is Reason.THROTTLED else 0.0
        self._notices[name] = _Ban(now, now + for_s)

    def carried_out(self, sent: Sent, status: int) -> None:
        """Dataverse did what a request asks."""
        if not sent.request.path.startswith("phonecalls") or sent.request.method == "GET":
            return
        key, body = sent.key, sent.request.body or {}
        self.story.tell("dataverse", f"{sent.request.method} {key[:8]} {_shown(body)} {status}")
        if is_create(sent.request) or key not in self.created or key in self.deleted:
            self._created(key, str(body.get(CONTACT)))
        revision = str(body.get(REVISION) or "")
        if revision < self.revisions.get(key, "") and REVISION in body and not sent.late:
            self.story.breach("I5", f"{key} got contact record {revision} over a newer one")
        self.revisions[key] = max(revision, self.revisions.get(key, ""))

    def _created(self, key: str, contact: str) -> None:
        if key in self.deleted:
            self.story.breach("I6", f"{key} is back, which a person had deleted")
        elif contact in self.created.values():
            self.story.breach("I4", f"{key} was created, and {contact} had a record")
        self.created[key] = contact


def key_of(request: Request) -> str:
    """The key of the record a request is about; "" if it is about none."""
    if request.method == "POST":
        body = request.body or {}
        return str(body.get("activityid") or body.get("annotationid") or "")
    return request.path.partition("(")[2].partition(")")[0]


def _shown(body: Mapping[str, object]) -> str:
    """The columns of a request, and of the simulation's own and the state the values."""
    told = (REVISION, MOOD, "statecode")
    names = (name for name in body if name != CONTACT)
    return " ".join(f"{name}={body[name]}" if name in told else name for name in names)


def _probes(request: Request) -> bool:
    """Whether it belongs to the probe of writes, which changes nothing (``engine.write_probe``)."""
    if request.method == "GET":
        return "_modifiedby_value" in request.path
    return request.headers.get("If-Match", "*") != "*"
