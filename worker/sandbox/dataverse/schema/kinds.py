"""Short ways of writing columns down."""

from __future__ import annotations

from dataclasses import replace
from typing import Final

from worker.sandbox.dataverse.schema.columns import Column


INT32_MAX: Final = 2**31 - 1


def text(name: str, max_length: int) -> Column:
    """A line of text."""
    return Column(name, "String", max_length=max_length)


def texts(max_length: int, *names: str) -> tuple[Column, ...]:
    """Lines of text of one length."""
    return tuple(text(name, max_length) for name in names)


def memo(name: str, max_length: int) -> Column:
    """Several lines of text."""
    return Column(name, "Memo", max_length=max_length)


def flag(name: str, *, default: bool | None = None) -> Column:
    """Yes or no."""
    return Column(name, "Boolean", options={0: "No", 1: "Yes"}, default=default)


def number(name: str, minimum: int = 0, maximum: int = INT32_MAX) -> Column:
    """A whole number."""
    return Column(name, "Integer", minimum=minimum, maximum=maximum)


def date(name: str) -> Column:
    """A moment, kept in UTC to the second."""
    return Column(name, "DateTime")


def decimal(name: str, minimum: float = 0, maximum: float = 100_000_000_000) -> Column:
    """A number with digits after the point."""
    return Column(name, "Decimal", minimum=minimum, maximum=maximum)


def money(name: str) -> Column:
    """An amount in the currency of its row."""
    return Column(name, "Money", minimum=0, maximum=1_000_000_000_000)


def choice(name: str, *labels: str, start: int = 0, default: int | None = None) -> Column:
    """One of several, numbered from ``start``."""
    return Column(name, "Picklist", options=dict(enumerate(labels, start)), default=default)


def guid(name: str) -> Column:
    """An id that leads nowhere."""
    return Column(name, "Uniqueidentifier")


def lookup(name: str, *targets: str, nav: str = "", relation: str = "") -> Column:
    """A reference to a row. Without ``nav`` each table has its own ``<name>_<table>``."""
    navs = {nav: targets} if nav else {f"{name}_{target}": (target,) for target in targets}
    relations = dict.fromkeys(targets, relation) if relation else {}
    return Column(name, "Lookup", navs=navs, relations=relations)


def customer(name: str, table: str) -> Column:
    """A customer: an account or a contact."""
    names = {kind: f"{table}_customer_{kind}s" for kind in ("account", "contact")}
    return replace(lookup(name, *names), relations=names, lookup="Customer")


def required(column: Column, level: str = "SystemRequired") -> Column:
    """The same, to be filled in."""
    return replace(column, required=level)


def read_only(column: Column) -> Column:
    """The same, set by the server alone."""
    return replace(column, create=False, update=False)


def create_only(column: Column) -> Column:
    """The same, set by a create alone."""
    return replace(column, create=True, update=False)
