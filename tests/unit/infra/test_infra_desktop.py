"""desktop.yaml, compose.yaml and the image serve the agent's pages as the program does."""

from __future__ import annotations

import tomllib

from collections.abc import Callable
from pathlib import Path
from typing import Any

import pytest
import yaml

from worker.desktop.headers import PATHS, Sites, headers
from worker.settings import PREFIX, Settings


Template = Callable[[str], dict[str, Any]]

ROOT = Path(__file__).parents[3]

#: What the template's parameters are in this test, and so what headers must say.
VALUES = {
    "SoftphoneOrigin": "https://acme.my.connect.aws",
    "OrganizationOrigin": "https://org.crm4.dynamics.com",
}
SITES = Sites(VALUES["SoftphoneOrigin"], VALUES["OrganizationOrigin"])


@pytest.fixture
def resources(template: Template) -> dict[str, Any]:
    found: dict[str, Any] = template("desktop")["Resources"]
    return found


def text(value: Any) -> str:
    """A value with its parameters filled in."""
    filled = str(value["Fn::Sub"]) if isinstance(value, dict) else str(value)
    for name, origin in VALUES.items():
        filled = filled.replace(f"${{{name}}}", origin)
    return filled


def sent(policy: dict[str, Any]) -> dict[str, str]:
    """The headers that a policy adds, whatever the bucket says."""
    config = policy["Properties"]["ResponseHeadersPolicyConfig"]
    security, custom = config["SecurityHeadersConfig"], config["CustomHeadersConfig"]["Items"]
    assert all(one["Override"] for one in (*security.values(), *custom))
    transport = security["StrictTransportSecurity"]
    assert set(transport) == {"Override", "AccessControlMaxAgeSec"}
    assert security["ContentTypeOptions"] == {"Override": True}
    return {
        "Content-Security-Policy": text(security["ContentSecurityPolicy"]["ContentSecurityPolicy"]),
        "X-Content-Type-Options": "nosniff",
        "Referrer-Policy": security["ReferrerPolicy"]["ReferrerPolicy"],
        "Strict-Transport-Security": f"max-age={transport['AccessControlMaxAgeSec']}",
        **{one["Header"]: text(one["Value"]) for one in custom},
    }


@pytest.mark.parametrize("path", [*PATHS, "/"])
def test_cloudfront_sends_the_headers_that_our_server_sends(
    path: str, resources: dict[str, Any]
) -> None:
    config = resources["Distribution"]["Properties"]["DistributionConfig"]
    named = {one["PathPattern"]: one for one in config["CacheBehaviors"]}
    behaviour = named.get(path, config["DefaultCacheBehavior"])
    policy = resources[behaviour["ResponseHeadersPolicyId"]["Ref"]]
    assert sent(policy) == headers(PATHS.get(path, "agent"), SITES)


def test_cloudfront_knows_no_path_that_our_server_does_not(resources: dict[str, Any]) -> None:
    config = resources["Distribution"]["Properties"]["DistributionConfig"]
    assert {one["PathPattern"] for one in config["CacheBehaviors"]} == set(PATHS) - {"/agent.html"}
    assert config["DefaultRootObject"] == "agent.html"


def test_only_cloudfront_reads_the_bucket(resources: dict[str, Any]) -> None:
    bucket = resources["Bucket"]["Properties"]
    assert all(bucket["PublicAccessBlockConfiguration"].values())
    statements = resources["BucketPolicy"]["Properties"]["PolicyDocument"]["Statement"]
    allowed = [one for one in statements if one["Effect"] == "Allow"]
    assert [one["Principal"] for one in allowed] == [{"Service": "cloudfront.amazonaws.com"}]
    condition = allowed[0]["Condition"]["StringEquals"]["AWS:SourceArn"]["Fn::Sub"]
    assert condition.endswith("distribution/${Distribution}")


def test_connect_lets_both_origins_frame_it_if_the_stack_knows_the_instance(
    resources: dict[str, Any],
) -> None:
    approved = [r for r in resources.values() if r["Type"] == "AWS::Connect::ApprovedOrigin"]
    assert [one["Condition"] for one in approved] == ["HasInstance", "HasInstance"]
    assert {"Ref": "OrganizationOrigin"} in [one["Properties"]["Origin"] for one in approved]


# --- the image ---


def test_the_wheel_has_the_pages_that_git_ignores() -> None:
    with (ROOT / "pyproject.toml").open("rb") as file:
        wheel = tomllib.load(file)["tool"]["hatch"]["build"]["targets"]["wheel"]
    assert wheel["artifacts"] == ["worker/desktop/dist/**"]


def test_the_image_is_built_after_the_pages() -> None:
    makefile = (ROOT / "Makefile").read_text("utf-8")
    assert "\nimage: desktop " in makefile
    assert "\ndesktop:" in makefile


def test_compose_serves_the_pages_to_the_host() -> None:
    read = yaml.safe_load((ROOT / "infra/docker/compose.yaml").read_text("utf-8"))
    service = read["services"]["desktop"]
    assert service["command"][:2] == ["desktop", "serve"]
    known = {PREFIX + name.upper() for name in Settings.model_fields}
    assert {n for n in service["environment"] if n.startswith(PREFIX)} <= known
    assert service["ports"] == ["127.0.0.1:8444:8444"]
