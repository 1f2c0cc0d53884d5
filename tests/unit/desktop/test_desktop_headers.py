"""Each page is sent with the headers it needs, and with none that lets others in."""

from __future__ import annotations

import pytest

from worker.desktop.headers import PATHS, Kind, Sites, headers, kind_of
from worker.errors import ConfigError


SITES = Sites("https://acme.my.connect.aws", "https://org.crm4.dynamics.com")
PAGES: tuple[Kind, ...] = ("agent", "cif", "companion")


def policy(kind: Kind) -> dict[str, str]:
    directives = headers(kind, SITES)["Content-Security-Policy"].split("; ")
    return {name: rest for name, _, rest in (one.partition(" ") for one in directives)}


@pytest.mark.parametrize(
    ("path", "kind"),
    [
        ("/agent.html", "agent"),
        ("/cif.html", "cif"),
        ("/companion.html", "companion"),
        ("/config.json", "config"),
        ("/assets/0123/agent.js", "assets"),
        ("/", "agent"),
        ("/assets", "agent"),
        ("/cif.html/", "agent"),
        ("/x/assets/y", "agent"),
    ],
)
def test_a_path_gets_the_headers_of_its_kind_and_any_other_those_of_the_agents_page(
    path: str, kind: Kind
) -> None:
    assert kind_of(path) == kind


@pytest.mark.parametrize("kind", PATHS.values())
def test_connect_learns_who_frames_it_and_nobody_guesses_types(kind: Kind) -> None:
    sent = headers(kind, SITES)
    assert sent["Referrer-Policy"] == "strict-origin-when-cross-origin"
    assert sent["X-Content-Type-Options"] == "nosniff"


def test_only_the_organization_frames_the_panel_and_nobody_the_other_pages() -> None:
    assert policy("cif")["frame-ancestors"] == "https://org.crm4.dynamics.com"
    assert policy("agent")["frame-ancestors"] == policy("companion")["frame-ancestors"] == "'none'"


def test_only_the_panel_runs_a_script_of_the_organization() -> None:
    assert policy("cif")["script-src"] == "'self' https://org.crm4.dynamics.com"
    assert policy("agent")["script-src"] == policy("companion")["script-src"] == "'self'"


def test_only_the_agents_page_frames_dynamics() -> None:
    both = "https://acme.my.connect.aws https://org.crm4.dynamics.com"
    assert policy("agent")["frame-src"] == both
    assert policy("cif")["frame-src"] == "https://acme.my.connect.aws"
    assert policy("companion")["frame-src"] == "https://acme.my.connect.aws"


@pytest.mark.parametrize("kind", PAGES)
def test_a_page_runs_nothing_that_stands_in_it(kind: Kind) -> None:
    found = policy(kind)
    assert "unsafe" not in str(found)
    assert found["default-src"] == found["object-src"] == found["base-uri"] == "'none'"
    assert (found["style-src"], found["connect-src"]) == ("'self'", "'self'")


@pytest.mark.parametrize("kind", PAGES)
def test_the_microphone_is_the_softphones_alone(kind: Kind) -> None:
    sent = headers(kind, SITES)["Permissions-Policy"]
    assert sent == 'microphone=(self "https://acme.my.connect.aws")'


@pytest.mark.parametrize("kind", PAGES)
def test_a_page_keeps_the_windows_that_it_opened(kind: Kind) -> None:
    assert headers(kind, SITES)["Cross-Origin-Opener-Policy"] == "unsafe-none"


def test_only_assets_are_kept_by_browsers() -> None:
    kept = {kind: headers(kind, SITES)["Cache-Control"] for kind in PATHS.values()}
    assert kept.pop("assets") == "public, max-age=31536000, immutable"
    assert set(kept.values()) == {"no-store"}


def test_the_sites_are_those_of_the_configuration() -> None:
    config = {
        "connect": {"ccpUrl": "https://acme.my.connect.aws/ccp-v2/"},
        "dynamics": {"url": "https://org.crm4.dynamics.com"},
    }
    assert Sites.of(config) == SITES
    with pytest.raises(ConfigError, match="softphone"):
        Sites.of({**config, "connect": {"ccpUrl": "https://a.example; script-src *"}})
