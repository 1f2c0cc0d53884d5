"""The command line: ``connect-dynamics``.

A command imports what it runs, so that none waits for what only others need.
"""

from __future__ import annotations

import os
import shlex
import sys
import warnings

from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import Annotated, Literal

import typer

from worker.commands import completion
from worker.commands.contact import contact_app
from worker.commands.desktop import desktop_app
from worker.commands.options import LEFT_ASIDE, Group, SettingsFile, State, finished
from worker.commands.parked import parked_app
from worker.commands.person import person_app
from worker.commands.quarantine import quarantine_app
from worker.commands.state import state_app
from worker.errors import ConfigError, WorkerError
from worker.terminal import pretty, show, shown


#: Exit status of a command that failed.
FAILED = 1


app = typer.Typer(
    help="Keeps Microsoft Dynamics 365 in sync with Amazon Connect.",
    no_args_is_help=True,
    pretty_exceptions_enable=False,
    rich_markup_mode=None,
    cls=Group,
    context_settings={"help_option_names": ["-h", "--help"]},
)
tables_app = typer.Typer(help="The DynamoDB tables.", no_args_is_help=True)
app.add_typer(contact_app, name="contact", cls=Group)
app.add_typer(desktop_app, name="desktop")
app.add_typer(parked_app, name="parked", cls=Group)
app.add_typer(person_app, name="person", cls=Group)
app.add_typer(quarantine_app, name="quarantine", cls=Group)
app.add_typer(state_app, name="state", cls=Group)
app.add_typer(tables_app, name="tables", cls=Group)


def _version(asked: bool) -> None:
    if asked:
        from worker.version import PACKAGE, version_text

        show(f"{PACKAGE} {version_text()}")
        raise typer.Exit


@app.callback()
def _program(
    version: Annotated[
        bool,
        typer.Option(
            "--version", callback=_version, is_eager=True, help="Show which build this is."
        ),
    ] = False,
) -> None:
    del version  # its callback has answered


def main() -> None:
    """Run a command; an error that its user can correct is one line, never a traceback."""
    try:
        app()
    except (WorkerError, BaseExceptionGroup) as error:
        if (reason := _user_error(error)) is None:
            raise
        sys.stderr.write(f"connect-dynamics: {shown(reason)}\n")
        sys.exit(FAILED)


def _user_error(error: BaseException) -> WorkerError | None:
    """The one error meant for the user; None if there is any of another kind."""
    if isinstance(error, WorkerError):
        return error
    if not isinstance(error, BaseExceptionGroup):
        return None
    reasons = [_user_error(inner) for inner in error.exceptions]
    return None if None in reasons else reasons[0]


@app.command()
def run(settings: SettingsFile = None) -> None:
    """Run the worker until SIGTERM: read the streams and the queue, write to Dynamics."""
    with unseen("charset_normalizer", "click", "greenlet", "rich"):
        from worker.settings import load_settings
        from worker.telemetry.logs import configure
        from worker.wiring import serve

    loaded = load_settings(settings)
    configure(loaded.log_level)
    finished(serve(loaded))


@contextmanager
def unseen(*packages: str) -> Iterator[None]:
    """Packages are not found while the block imports what does without them.

    structlog and httpx import what draws tracebacks, a command line and greenlets wherever they
    find it, and MSAL imports requests, with what guesses encodings: to a worker, which uses none
    of it, 10 MB of memory and an eighth of a second.
    """
    hidden = dict.fromkeys(packages) | {p: sys.modules[p] for p in packages if p in sys.modules}
    sys.modules.update(hidden)  # type: ignore[arg-type] # None: "is not there", by the reference
    try:
        with warnings.catch_warnings():
            warnings.simplefilter("ignore")  # requests says that it cannot guess
            yield
    finally:
        for package, module in hidden.items():
            if module is None:
                del sys.modules[package]


@app.command("replay")
def replay_command(
    sources: Annotated[list[str], typer.Argument(help="Files, folders or s3://bucket/prefix.")],
    pipeline: Annotated[
        list[str] | None,
        typer.Option(help="Shipped name or TOML file.", autocompletion=completion.pipelines),
    ] = None,
    state: Annotated[
        str,
        typer.Option(
            help="sqlite:PATH, memory, or dynamodb:TABLE (live workers then write); default: a "
            "state for this run alone, which does not know which contacts were forgotten."
        ),
    ] = "",
    dynamics: Annotated[
        str,
        typer.Option(
            help="Where to: the environment's https:// address, or 'sandbox'. Always named, unless "
            "nothing is sent from here."
        ),
    ] = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Send nothing.")] = False,
    values: Annotated[
        bool, typer.Option("--values", help="Of --dry-run: with values. Shows personal data.")
    ] = False,
    overwrite: Annotated[
        bool, typer.Option("--overwrite", help="Overwrite existing records, whoever made them.")
    ] = False,
    since: Annotated[str, typer.Option(help="Only messages from this ISO time on.")] = "",
    until: Annotated[str, typer.Option(help="Only messages before this ISO time.")] = "",
    rate: Annotated[float | None, typer.Option(min=0.001, help="Requests per second.")] = None,
    report: Annotated[Literal["table", "json"], typer.Option(help="Form of the report.")] = "table",
    dump: Annotated[Path | None, typer.Option(help="Write the sandbox's records here.")] = None,
    schema: Annotated[
        Path | None, typer.Option(help="The sandbox's tables, from this file.")
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """Replay archived messages into Dynamics. Exit status 3: something was set aside."""
    from worker.commands.progress import watching
    from worker.commands.replay import Options, replay
    from worker.definitions import find_all
    from worker.settings import load_settings
    from worker.telemetry.logs import configure

    loaded = load_settings(settings)
    configure("error")
    if not all(sources):  # an unset variable of a shell, not the folder one is in
        raise typer.BadParameter("a source is empty", param_hint="sources")
    _writable(dump)
    options = Options(
        sources=tuple(sources),
        pipelines=tuple(find_all(pipeline or loaded.pipelines)),
        state=state,
        dynamics=dynamics,
        dry_run=dry_run,
        overwrite=overwrite,
        since=_time(since, "--since"),
        until=_time(until, "--until"),
        rate=rate,
        dump=dump,
        schema=schema,
        values=values,
        typed=shlex.join(["connect-dynamics", *sys.argv[1:]]),
    )
    with watching() as watch:
        result = finished(replay(options, loaded, watch))
    if report == "json":
        show(result.to_json().decode())
    else:
        for line in result.texts():
            show(line)
    for line in result.next_steps():
        typer.echo(shown(line), err=True)
    raise typer.Exit(0 if result.clean else LEFT_ASIDE)


def _writable(dump: Path | None) -> None:
    """Find out before the work whether its outcome can be written."""
    if dump is None:
        return
    place = dump if dump.exists() else dump.parent
    if dump.is_dir() or not os.access(place, os.W_OK):
        raise typer.BadParameter(f"{dump} cannot be written", param_hint="--dump")


def _time(text: str, option: str) -> str:
    """An ISO time or date in the form facts have."""
    from pipelines.decode.timestamp import normalise

    found = normalise(f"{text}T00:00:00Z" if len(text) == len("2026-01-02") else text)
    if text and not found:
        message = f"{text!r} is not an ISO time like 2026-01-02T03:04:05Z"
        raise typer.BadParameter(message, param_hint=option)
    return found


@app.command("verify")
def verify_command(
    sources: Annotated[
        list[str] | None,
        typer.Argument(help="Archives, as for replay; without any, the state's contacts."),
    ] = None,
    pipeline: Annotated[
        list[str] | None,
        typer.Option(help="Shipped name or TOML file.", autocompletion=completion.pipelines),
    ] = None,
    state: State = "",
    dynamics: Annotated[
        str, typer.Option(help="The environment's address; 'sandbox:PATH'. Default: the setting.")
    ] = "",
    since: Annotated[str, typer.Option(help="Look for unexpected records from then on.")] = "",
    until: Annotated[str, typer.Option(help="And before this ISO time.")] = "",
    sample: Annotated[
        int | None, typer.Option(min=1, help="Compare about so many contacts, spread over all.")
    ] = None,
    report: Annotated[Literal["table", "json"], typer.Option(help="Form of the report.")] = "table",
    settings: SettingsFile = None,
) -> None:
    """Compare what the facts say with what Dynamics holds. Exit status 3: something differs."""
    from worker.commands.progress import watching
    from worker.commands.verify import Options, verify
    from worker.definitions import find_all
    from worker.operations.verified import Period
    from worker.settings import load_settings
    from worker.telemetry.logs import configure

    loaded = load_settings(settings)
    configure("error")
    options = Options(
        tuple(sources or ()),
        tuple(find_all(pipeline or loaded.pipelines)),
        state or loaded.state,
        dynamics or loaded.environment_url,
        Period(_time(since, "--since"), _time(until, "--until")),
        sample,
    )
    if not options.dynamics:
        raise ConfigError("to verify, name --dynamics or set CONNECT_DYNAMICS_ENVIRONMENT_URL")
    with watching("verifying") as watch:
        result = finished(verify(options, loaded, watch))
    if report == "json":
        show(pretty(result.document()))
    else:
        for line in result.texts():
            show(line)
    raise typer.Exit(0 if result.clean else LEFT_ASIDE)


@app.command("preview")
def preview_command(
    pipeline: Annotated[
        str, typer.Argument(help="Shipped name or TOML file.", autocompletion=completion.pipelines)
    ],
    step: Annotated[
        str,
        typer.Argument(
            help="The step's name; with --all: up to it.", autocompletion=completion.steps
        ),
    ] = "",
    event: Annotated[
        list[str] | None, typer.Option(help="File of messages; may be repeated.")
    ] = None,
    sample: Annotated[
        str, typer.Option(help="An invented contact: voice-in, missed, chat, email, task, …")
    ] = "",
    contact: Annotated[
        str, typer.Option(help="Contact id, of several in the files; or one of the state.")
    ] = "",
    state: State = "",
    all_: Annotated[
        bool, typer.Option("--all", help="All steps in order; lookups are asked.")
    ] = False,
    send_it: Annotated[bool, typer.Option("--send", help="Send it and show the answer.")] = False,
    settings: SettingsFile = None,
) -> None:
    """Show what a step would send for a contact, or with --all every step, and try it with --send.

    The contact is that of messages (--event), an invented one (--sample) or one of the state
    (--contact).
    """
    from worker.commands.trial import Options, tried
    from worker.definitions import find
    from worker.settings import load_settings
    from worker.telemetry.logs import configure

    loaded = load_settings(settings)
    configure("error")
    chosen = Options(
        find(pipeline), step, tuple(event or ()), sample, contact, state, all_, send_it
    )
    raise typer.Exit(0 if finished(tried(chosen, loaded, show)) else FAILED)


@app.command("check")
def check_command(
    pipeline: Annotated[
        list[str] | None,
        typer.Option(help="Pipelines to check instead.", autocompletion=completion.pipelines),
    ] = None,
    online: Annotated[bool, typer.Option("--online", help="Ask AWS and Dynamics as well.")] = False,
    output: Annotated[Literal["text", "json"], typer.Option(help="Form of the output.")] = "text",
    settings: SettingsFile = None,
) -> None:
    """Check settings and pipelines, and with --online what AWS and Dynamics say to them."""
    from worker.commands.check import check_offline
    from worker.commands.check_online import Report, check_online
    from worker.commands.finding import each_place_once
    from worker.settings import load_settings
    from worker.telemetry.logs import configure

    loaded = load_settings(settings)
    configure("critical")  # what else is logged is told
    if pipeline:
        loaded = loaded.model_copy(update={"pipelines": tuple(pipeline)})
    findings = finished(check_offline(loaded))
    told = finished(check_online(loaded)) if online else Report([])
    findings = each_place_once(findings, told.findings)
    if output == "json":
        from worker.commands.check_online import to_json

        show(to_json(findings, told.matrices))
    else:
        for finding in findings:
            mark = {"ok": "ok  ", "error": "FAIL", "note": "note"}[finding.severity]
            show(f"{mark} {finding.text}")
        for matrix in told.matrices:
            show("\n".join(["", *matrix.lines()]))
    raise typer.Exit(FAILED if any(finding.wrong for finding in findings) else 0)


@app.command("lint")
def lint_command(
    pipelines: Annotated[
        list[str],
        typer.Argument(help="TOML files, or shipped names.", autocompletion=completion.pipelines),
    ],
    output: Annotated[Literal["text", "json"], typer.Option(help="Form of the output.")] = "text",
) -> None:
    """Find what is wrong with pipeline files; no settings are needed. Exit status 1: something."""
    from worker.commands.lint import lint, to_json

    problems = lint(pipelines)
    if output == "json":
        show(to_json(problems))
    else:
        for problem in problems:
            show(str(problem))
    raise typer.Exit(FAILED if any(one.severity == "error" for one in problems) else 0)


@app.command("states")
def states_command() -> None:
    """Print the life of a contact and that of a Dynamics record as Mermaid diagrams."""
    from pipelines import lifecycle, settle

    sys.stdout.write(f"{lifecycle.mermaid()}\n\n{settle.mermaid()}\n")


@tables_app.command("create")
def tables_create(
    state: Annotated[str, typer.Argument(help="Name of the table for contact state.")],
    leases: Annotated[
        list[str] | None, typer.Option(help="Names of lease tables, one per stream.")
    ] = None,
) -> None:
    """Create the DynamoDB tables, or finish half-made ones. CloudFormation does the same."""
    from worker import aws
    from worker.leases.dynamodb import create_lease_table
    from worker.stores.tables import create_tables

    async def work() -> None:
        async with aws.client("dynamodb") as client:
            await create_tables(client, state)
            for table in leases or ():
                await create_lease_table(client, table)

    finished(work())
    show(f"tables: {', '.join([state, *(leases or ())])}")


@app.command("sandbox")
def sandbox_command(
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = 8443,
    data: Annotated[Path | None, typer.Option(help="Keep records in this SQLite file.")] = None,
    ca: Annotated[Path, typer.Option(help="Write the CA certificate to trust here.")] = Path(
        "sandbox-ca.pem"
    ),
    schema: Annotated[
        Path | None, typer.Option(help="Tables, columns, keys and choices from this file.")
    ] = None,
    like: Annotated[
        str,
        typer.Option(
            help="Read the tables of this environment, once, into the file; or behave as the "
            "organization of this file of conform's."
        ),
    ] = "",
    customers: Annotated[
        Path | None, typer.Option(help="Begin with the rows of this file, JSON or CSV.")
    ] = None,
    settings: SettingsFile = None,
) -> None:
    """Serve a local Dataverse with a token endpoint until SIGTERM."""
    try:
        from worker.sandbox.command import Options, serve_until_stopped  # an optional extra
    except ModuleNotFoundError as error:
        message = f"the sandbox needs {error.name}: install connect-dynamics[sandbox]"
        raise ConfigError(message) from error
    options = Options(port, data, ca, schema, like, customers, settings)
    finished(serve_until_stopped(options, show))


@app.command("conform")
def conform_command(
    dynamics: Annotated[
        str, typer.Option(help="The test organization's https:// address; else the setting.")
    ] = "",
    is_test: Annotated[
        bool, typer.Option("--test-organization", help="Yes, it is for tests only.")
    ] = False,
    to: Annotated[Path, typer.Option("--out", help="Write what was found here.")] = Path(
        "conformance.json"
    ),
    settings: SettingsFile = None,
) -> None:
    """Find out where a test organization behaves otherwise than the sandbox."""
    from worker.commands.conform import Options, conform
    from worker.settings import load_settings
    from worker.telemetry.logs import configure

    loaded = load_settings(settings)
    configure("error")
    report = finished(conform(Options(dynamics, is_test, to), loaded, show))
    for name, position in report.switches.items():
        mark = "differs" if name in report.differs else "as here"
        show(f"{mark} {name}: {position!r}")
    for name, why in {**report.unknown, **report.not_probed}.items():
        show(f"unknown {name}: {why}")
    show(f"written to {to}; connect-dynamics sandbox --like {to} behaves so")
