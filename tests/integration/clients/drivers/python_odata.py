"""python-odata: what its README and its documentation show, one operation each."""

from __future__ import annotations

import datetime as dt
import re

from typing import Any

import requests

from odata import ODataService
from odata.exceptions import NoResultsFound, ODataError
from odata.flags import ODataServerFlags
from odata.property import StringProperty, UUIDProperty

from outside import Ground, Operations, new_id, same


GROUND = Ground()


def refusal(error: Exception) -> str:
    """Status and code of an answer."""
    status = str(getattr(error, "status_code", "")).removeprefix("HTTP ")
    return f"{status} {getattr(error, 'code', '')}" if isinstance(error, ODataError) else ""


operation = Operations(refusal)
session = requests.Session()
session.headers["Authorization"] = f"Bearer {GROUND.token}"
FLAGS = ODataServerFlags(skip_null_properties=True)
HEADERS = {"Prefer": "return=representation"}


def service(*, reflect: bool) -> Any:
    """A service, with or without the classes that the metadata document describes."""
    return ODataService(
        GROUND.api,
        session=session,
        reflect_entities=reflect,
        extra_headers=HEADERS,
        server_flags=FLAGS,
        quiet_progress=True,
    )


plain = service(reflect=False)


class Contact(plain.Entity):  # type: ignore[misc, name-defined]
    """Contacts, described by hand as the documentation shows it."""

    __odata_type__ = "Microsoft.Dynamics.CRM.contact"
    __odata_collection__ = "contacts"

    contactid = UUIDProperty("contactid", primary_key=True)
    first = StringProperty("firstname")
    last = StringProperty("lastname")
    job = StringProperty("jobtitle")


class _Reflected:
    """The reflected service, made when it is first asked for."""

    made: Any = None

    def __call__(self) -> Any:
        if self.made is None:
            self.made = service(reflect=True)
        return self.made


reflected = _Reflected()


def seeded() -> Any:
    """A query of the three contacts, in order."""
    return plain.query(Contact).filter(Contact.job == "Seeded").order_by(Contact.last.asc())


@operation("a class that is described by hand is queried")
def _() -> None:
    same([one.last for one in seeded()], ["Adams", "Baker", "Clark"])


@operation("queries are combined, sorted and cut")
def _() -> None:
    query = plain.query(Contact).filter(Contact.job == "Seeded")
    query = query.filter((Contact.last == "Adams") | (Contact.last == "Baker"))
    found = query.order_by(Contact.last.desc()).limit(1).all()
    same([one.last for one in found], ["Baker"])


@operation("queries look for parts of a text")
def _() -> None:
    parts = (Contact.last.startswith("Ba"), Contact.last.endswith("er"), Contact.last.contains("k"))
    query = seeded()
    for part in parts:
        query = query.filter(part)
    same([one.last for one in query], ["Baker"])


@operation("queries look for texts without a part")
def _() -> None:
    found = seeded().filter(Contact.last.lacks("a"))
    same([one.last for one in found], [])


@operation("queries compare with nothing")
def _() -> None:
    same([one.last for one in seeded().filter(Contact.first.is_null())], [])
    same(len(seeded().filter(Contact.first.not_null()).all()), 3)


@operation("the first row is taken")
def _() -> None:
    same(seeded().first().last, "Adams")


@operation("one row is taken")
def _() -> None:
    same(seeded().filter(Contact.last == "Clark").one().last, "Clark")


@operation("no row is told")
def _() -> None:
    try:
        seeded().filter(Contact.last == "Nobody").one()
    except NoResultsFound:
        return
    raise AssertionError("no refusal")


@operation("a row is taken by id")
def _() -> None:
    same(plain.query(Contact).get(GROUND.contacts[1]).last, "Baker")


@operation("columns are chosen")
def _() -> None:
    same([row["lastname"] for row in seeded().select(Contact.last)], ["Adams", "Baker", "Clark"])


@operation("rows are skipped")
def _() -> None:
    same([one.last for one in seeded().offset(1)], ["Baker", "Clark"])


@operation("rows are counted")
def _() -> None:
    same(plain.query(Contact).filter(Contact.job == "Seeded").count(), 3)


@operation("rows are grouped")
def _() -> None:
    found = plain.query(Contact).apply("groupby((jobtitle))").all()
    assert "Seeded" in {one.job for one in found}, found


@operation("a query is written out")
def _() -> None:
    found = plain.query(Contact).raw({"$filter": "lastname eq 'Adams'", "$top": "1"})
    same([row["lastname"] for row in found], ["Adams"])


@operation("pages are followed")
def _() -> None:
    headers = {"Prefer": "odata.maxpagesize=2"}
    context = plain.create_context(session=session, extra_headers=headers)
    try:
        query = context.query(Contact).filter(Contact.job == "Seeded")
        same(len(query.all()), 3)
    finally:
        plain.create_context(session=session, extra_headers=HEADERS)


@operation("a row is created, changed and deleted")
def _() -> None:
    one = Contact()
    one.last = "Written"
    plain.save(one)
    assert one.contactid
    one.last = "Changed"
    plain.save(one)
    same(plain.query(Contact).get(one.contactid).last, "Changed")
    plain.delete(one)
    try:
        plain.query(Contact).get(one.contactid)
    except NoResultsFound:
        return
    raise AssertionError("still there")


@operation("a refusal has its status and code")
def _() -> None:
    one = Contact()
    one.last = "x" * 51
    try:
        plain.save(one)
    except ODataError as error:
        same(refusal(error), "400 0x80044331")
    else:
        raise AssertionError("no refusal")


@operation("the metadata document becomes classes")
def _() -> None:
    entities = reflected().entities
    assert {"contacts", "accounts", "phonecalls"} <= set(entities), sorted(entities)
    assert entities["contacts"].lastname.name == "lastname"


def classes() -> tuple[Any, Any]:
    """Accounts and contacts as the metadata document describes them."""
    entities = reflected().entities
    return entities["accounts"], entities["contacts"]


@operation("reflected classes are queried by text, number and date")
def _() -> None:
    account, _ = classes()
    since = dt.datetime(2020, 1, 1, tzinfo=dt.UTC)
    query = reflected().query(account).filter(account.accountnumber == "SEED")
    query = query.filter(account.numberofemployees >= 200).filter(account.createdon >= since)
    same([one.name for one in query], ["Seed Ltd"])


@operation("a navigation property leads to a row")
def _() -> None:
    account, _ = classes()
    one = reflected().query(account).get(GROUND.account)
    same(one.primarycontactid.lastname, "Adams")


@operation("a navigation property leads to rows")
def _() -> None:
    account, _ = classes()
    one = reflected().query(account).get(GROUND.account)
    names = {contact.lastname for contact in one.contact_customer_accounts}
    assert {"Adams", "Baker", "Clark"} <= names, names


@operation("a query brings what a lookup leads to")
def _() -> None:
    account, _ = classes()
    query = reflected().query(account).filter(account.accountnumber == "SEED")
    (one,) = query.expand(account.primarycontactid).all()
    same(one.primarycontactid.lastname, "Adams")


@operation("a query brings what is behind what a lookup leads to")
def _() -> None:
    account, _ = classes()
    query = reflected().query(account).filter(account.accountnumber == "SEED")
    (one,) = query.expand(account.primarycontactid.parentcustomerid_account).all()
    same(one.primarycontactid.parentcustomerid_account.name, "Seed Ltd")


@operation("a query filters by what a lookup leads to")
def _() -> None:
    account, _ = classes()
    query = reflected().query(account).filter(account.primarycontactid.lastname == "Adams")
    same([one.accountnumber for one in query], ["SEED"])


@operation("a row is created with the row it refers to")
def _() -> None:
    account, contact = classes()
    one = account()
    one.name = "Deep"
    one.primarycontactid = contact()
    one.primarycontactid.lastname = "Deeper"
    reflected().save(one)
    found = reflected().query(account).filter(account.name == "Deep").one()
    same(found.primarycontactid.lastname, "Deeper")


@operation("a lookup is set to a row")
def _() -> None:
    account, contact = classes()
    one = account()
    one.accountid = new_id()
    one.name = "Pointing"
    one.primarycontactid = reflected().query(contact).get(GROUND.contacts[2])
    reflected().save(one)
    found = reflected().query(account).filter(account.name == "Pointing").one()
    same(found.primarycontactid.lastname, "Clark")


@operation("a function of the metadata document is called")
def _() -> None:
    functions = reflected().functions
    assert "WhoAmI" in functions, sorted(functions)
    functions["WhoAmI"]()


@operation("a function that is described by hand is called")
def _() -> None:
    class _Version(plain.Function):  # type: ignore[misc, name-defined]
        name = "RetrieveVersion"
        parameters: dict[str, Any] = {}  # noqa: RUF012 - as the documentation writes it
        return_type = None

    _Version()()
    answer = session.get(f"{GROUND.api}RetrieveVersion()").json()
    assert re.match(r"9\.2\.", answer["Version"]), answer


if __name__ == "__main__":
    operation.run()
