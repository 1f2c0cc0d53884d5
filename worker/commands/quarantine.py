"""``connect-dynamics quarantine``: messages that could not be used."""

from __future__ import annotations

import sys

from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.commands import completion, options, output
from worker.terminal import show, shown_lines


if TYPE_CHECKING:
    from worker.operations.quarantine import Reasons, Selection
    from worker.stores.protocol import ContactStore

quarantine_app = typer.Typer(help="Messages that could not be used.", no_args_is_help=True)

#: A reason, as it is listed.
REASONS = (
    output.number("messages"),
    output.number("bytes"),
    output.Column("oldest", text=output.age),
    output.Column("reason", wide=True),
    output.Column("origin", "first origin", wide=True),
)

#: A message, as it is listed.
MESSAGES = (
    output.Column("id"),
    output.Column("at", "since", output.age),
    output.number("bytes"),
    output.Column("origin", wide=True),
    output.Column("reason", wide=True),
)

Items = Annotated[
    list[str] | None,
    typer.Argument(help="Which messages.", autocompletion=completion.messages),
]
Reason = Annotated[str, typer.Option(help="Only those whose reason contains this.")]
Since = Annotated[str, typer.Option(help="Only set aside since this ISO time, or 2h, 3d ago.")]

NOTHING = "nothing is in quarantine"


@quarantine_app.command("list")
def quarantine_list(
    reason: Reason = "",
    since: Since = "",
    ids: Annotated[bool, typer.Option("--ids", help="One by one, with ids.")] = False,
    limit: options.Limit = options.LIMIT,
    form: options.Output = "table",
    state: options.State = "",
    settings: options.SettingsFile = None,
) -> None:
    """List quarantined messages by reason."""
    from worker.operations.listing import Listed
    from worker.operations.quarantine import (
        QuarantineLine,
        QuarantineReason,
        line,
        reasons,
        selected,
    )

    selection = _selection([], reason, since)

    async def counted(store: ContactStore) -> list[QuarantineReason]:
        return (await reasons(store, selection)).rows()

    async def lines(store: ContactStore) -> list[QuarantineLine]:
        return [line(item) async for item in selected(store, selection)]

    listed: Listed[Any] = options.listed(
        options.spec_of(state, settings), lines if ids else counted, limit
    )
    output.write(listed, MESSAGES if ids else REASONS, form, NOTHING)


@quarantine_app.command("show")
def quarantine_show(
    item_id: Annotated[
        str,
        typer.Argument(help="The message's id, from the list.", autocompletion=completion.messages),
    ],
    state: options.State = "",
    settings: options.SettingsFile = None,
) -> None:
    """Write a quarantined message to standard output, byte for byte unless it is a terminal."""
    from worker.operations.quarantine import reasons, selected

    spec, selection = options.spec_of(state, settings), _selection([item_id], "", "")

    async def work(store: ContactStore) -> bytes:
        async for item in selected(store, selection):
            return item.body
        await reasons(store, selection)  # says that it is not there, and what is
        return b""

    body = options.finished(options.on(spec, work))
    if sys.stdout.isatty():
        sys.stdout.write(shown_lines(body.decode(errors="backslashreplace")) + "\n")
    else:
        sys.stdout.buffer.write(body)


@quarantine_app.command("retry")
def quarantine_retry(
    item_ids: Items = None,
    all_: options.All = False,
    reason: Reason = "",
    since: Since = "",
    dry_run: options.DryRun = False,
    state: options.State = "",
    settings: options.SettingsFile = None,
) -> None:
    """Read quarantined messages again, for example after an upgrade."""
    from worker import aws
    from worker.engine.ingest import Ingest
    from worker.operations.index import own_key
    from worker.operations.quarantine import Reasons, retry_quarantined, selected
    from worker.settings import load_settings
    from worker.telemetry.logs import configure

    options.named(item_ids, all_=all_)
    loaded = load_settings(settings)
    configure("error")
    spec, selection = state or loaded.state, _selection(item_ids, reason, since)
    meant = options.finished(_reasons(spec, selection))
    if dry_run:
        _tell(
            meant, f"{options.counted(meant.messages, 'quarantined message')} would be read again"
        )
        return

    async def work(store: ContactStore) -> tuple[int, int, Reasons]:
        key = await own_key(store, loaded.index_key, aws.secrets)
        ingest = Ingest(store, frozenset(loaded.recording_buckets) or None, index_key=key)
        used, tried, left = 0, 0, Reasons()
        async for item in selected(store, selection):
            tried += 1
            if await retry_quarantined(store, ingest, item):
                used += 1
            else:
                left.add(item)
        return used, tried, left

    used, tried, left = options.finished(options.on(spec, work))
    _tell(left, f"{used} of {tried} quarantined messages could be used")
    raise typer.Exit(0 if used == tried else options.LEFT_ASIDE)


@quarantine_app.command("drop")
def quarantine_drop(
    item_ids: Items = None,
    all_: options.All = False,
    reason: Reason = "",
    since: Since = "",
    dry_run: options.DryRun = False,
    state: options.State = "",
    yes: options.Yes = False,
    settings: options.SettingsFile = None,
) -> None:
    """Remove quarantined messages for good."""
    from worker.operations.quarantine import Reasons, selected

    options.named(item_ids, all_=all_)
    spec, selection = options.spec_of(state, settings), _selection(item_ids, reason, since)
    meant = options.finished(_reasons(spec, selection))
    told = options.counted(meant.messages, "quarantined message")
    if dry_run or not meant.messages:
        _tell(meant, f"{told} would be dropped")
        return
    if not yes:
        _tell(meant, f"{told} would be dropped")
        typer.confirm("Drop them? Their bytes are lost", abort=True)

    async def work(store: ContactStore) -> Reasons:
        dropped = Reasons()
        async for item in selected(store, selection):
            if await store.release([item.id]):
                dropped.add(item)
        return dropped

    dropped = options.finished(options.on(spec, work))
    _tell(dropped, f"{options.counted(dropped.messages, 'quarantined message')} dropped")


def _selection(item_ids: list[str] | None, reason: str, since: str) -> Selection:
    from worker.operations.quarantine import Selection

    return Selection(frozenset(item_ids or ()), reason, options.moment(since, "--since"))


async def _reasons(spec: str, selection: Selection) -> Reasons:
    from worker.operations.quarantine import reasons

    return await options.on(spec, lambda store: reasons(store, selection))


def _tell(found: Reasons, what: str) -> None:
    """How many messages, then by reason."""
    from worker.operations.listing import Listed

    show(what)
    if found.messages:
        output.write(Listed(found.rows()), REASONS, "table", NOTHING)
