"""``connect-dynamics desktop``: the agent's pages, their configuration, and what Dynamics needs."""

from __future__ import annotations

import os

from functools import partial
from pathlib import Path
from typing import TYPE_CHECKING, Annotated, Any

import typer

from worker.commands.options import Group, SettingsFile, finished
from worker.errors import ConfigError
from worker.terminal import pretty, show, shown_lines


if TYPE_CHECKING:
    from worker.desktop.configuration import Configuration
    from worker.desktop.installation import Change
    from worker.settings import Settings

err = partial(typer.echo, err=True)

#: Where the pages are served without a word: browsers take loopback for safe without TLS.
HOST = "127.0.0.1"
PORT = 8444


class _ServesUnlessTold(Group):
    """``desktop`` alone, or with options, is ``desktop serve``."""

    def parse_args(self, ctx: Any, args: list[str]) -> list[str]:
        if not args or (args[0].startswith("-") and args[0] not in ctx.help_option_names):
            args = ["serve", *args]
        return super().parse_args(ctx, args)


desktop_app = typer.Typer(
    help="The agent's desktop: pages beside the softphone.", cls=_ServesUnlessTold
)

CcpUrl = Annotated[
    str, typer.Option(help="The softphone, https://NAME.my.connect.aws/ccp-v2/; else the setting.")
]
LoginUrl = Annotated[str, typer.Option(help="Where agents sign in by SAML; else the setting.")]
Names = Annotated[
    str, typer.Option(help="connect, cornerstonecx or a JSON file; else the setting.")
]
Region = Annotated[
    str, typer.Option(help="Region of the Connect instance; else AWS_REGION's or the like.")
]
Countries = Annotated[
    list[str] | None,
    typer.Option("--country", help="A country that may be dialled, like us; default: all."),
]
Tab = Annotated[
    bool | None,
    typer.Option("--tab/--frame", help="Open records in a tab, or (--frame) in the page itself."),
]
Origin = Annotated[
    str, typer.Option(help="Where browsers find the pages, https://…; else the setting.")
]


@desktop_app.command("serve")
def desktop_serve(
    host: Annotated[str, typer.Option(help="Address to listen at.")] = HOST,
    port: Annotated[int, typer.Option(min=0, max=65535, help="Port; 0 takes a free one.")] = PORT,
    dist: Annotated[Path | None, typer.Option(help="The assembled pages, if elsewhere.")] = None,
    ccp_url: CcpUrl = "",
    login_url: LoginUrl = "",
    names: Names = "",
    region: Region = "",
    country: Countries = None,
    tab: Tab = None,
    settings: SettingsFile = None,
) -> None:
    """Serve the agent's pages until SIGTERM. TLS is for a proxy in front of it to add."""
    from worker.desktop.assembly import DIST
    from worker.desktop.headers import Sites
    from worker.desktop.server import load, serve_until_stopped
    from worker.telemetry.logs import configure

    loaded = _settings(settings, ccp_url, login_url, names)
    made = _configuration(loaded, region, country, tab)
    configure(loaded.log_level)
    sites = Sites.of(made.content)
    files = load(dist or DIST, made.content)
    finished(serve_until_stopped(files, sites, host, port, show))


@desktop_app.command("config")
def desktop_config(
    to: Annotated[Path | None, typer.Option("--out", help="Write it here instead.")] = None,
    ccp_url: CcpUrl = "",
    login_url: LoginUrl = "",
    names: Names = "",
    region: Region = "",
    country: Countries = None,
    tab: Tab = None,
    settings: SettingsFile = None,
) -> None:
    """Print the pages' config.json, made of the settings and the pipelines."""
    loaded = _settings(settings, ccp_url, login_url, names)
    text = pretty(_configuration(loaded, region, country, tab).content)
    if to is None:
        show(text)
        return
    try:
        to.write_text(f"{text}\n", encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{to}: cannot be written ({error.strerror})") from None


@desktop_app.command("install")
def desktop_install(
    origin: Origin = "",
    dry_run: Annotated[bool, typer.Option("--dry-run", help="Write nothing.")] = False,
    ccp_url: CcpUrl = "",
    login_url: LoginUrl = "",
    names: Names = "",
    region: Region = "",
    country: Countries = None,
    tab: Tab = None,
    settings: SettingsFile = None,
) -> None:
    """Create or update the provider and the templates in Dynamics, and say what to click."""
    from worker.desktop.by_hand import steps
    from worker.settings import PREFIX
    from worker.telemetry.logs import configure

    loaded = _settings(settings, ccp_url, login_url, names)
    url = origin or loaded.desktop_url
    if not url:
        raise ConfigError(f"where will browsers find the pages? Set {PREFIX}DESKTOP_URL")
    made = _configuration(loaded, region, country, tab)
    configure("error")
    finished(_install(loaded, made, url, dry_run=dry_run))
    show("\nto do by hand:")
    for number, step in enumerate(steps(made.content, url), start=1):
        show(f"{number}. {step}")


async def _install(settings: Settings, made: Configuration, url: str, *, dry_run: bool) -> None:
    from worker import aws
    from worker.desktop.installation import Installer
    from worker.desktop.templates import rows
    from worker.dynamics.connection import open_dynamics

    wanted = rows(made.content, url)
    base = f"{settings.environment_url}/api/data/{settings.api_version}/"
    counts = {"create": 0, "update": 0, "relate": 0, "same": 0}
    async with open_dynamics(settings, aws.secrets) as client:
        installer = Installer(client, base, dry_run=dry_run)
        async for change in installer.install(wanted):
            counts[change.what] += 1
            if change.what != "same":
                show(_line(change))
    done = sum(counts.values()) - counts["same"]
    would = "would be written; nothing was" if dry_run else "written"
    show(f"{done} {would}, {counts['same']} as they should be")


def _line(change: Change) -> str:
    columns = ", ".join(f"{name} = {value!r}" for name, value in change.columns.items())
    return f"{change.what} {change.table} {change.name}" + (f": {columns}" if columns else "")


def _settings(path: Path | None, ccp_url: str, login_url: str, names: str) -> Settings:
    """The settings, with what the command line says instead."""
    from worker.settings import load_settings

    given = {"ccp_url": ccp_url, "login_url": login_url, "desktop_names": names}
    return load_settings(path).model_copy(update={k: v for k, v in given.items() if v})


def _configuration(
    settings: Settings, region: str, countries: list[str] | None, tab: bool | None
) -> Configuration:
    """What the pages are told; warnings go to the terminal."""
    from worker.definitions import find_all
    from worker.desktop.configuration import Choices, configuration

    pipelines = find_all(settings.pipelines)
    where = region or os.environ.get("AWS_REGION") or os.environ.get("AWS_DEFAULT_REGION") or ""
    made = configuration(settings, pipelines, Choices(where, tab, tuple(countries or ())))
    for warning in made.warnings:
        err(shown_lines(f"note {warning}"))
    return made
