"""The environment's address: what people paste is understood, and its cloud follows from it."""

from __future__ import annotations

import pytest

from worker.environment import CLOUDS, authority_in, authority_of, cloud_of, environment_in
from worker.settings import load_settings


PUBLIC = "https://login.microsoftonline.com"
US = "https://login.microsoftonline.us"
CHINA = "https://login.partner.microsoftonline.cn"


@pytest.mark.parametrize(
    ("host", "cloud", "authority"),
    [
        ("org.crm.dynamics.com", "commercial", PUBLIC),
        ("org.crm4.dynamics.com", "commercial", PUBLIC),
        ("org.crm21.dynamics.com", "commercial", PUBLIC),
        ("org.crm9.dynamics.com", "GCC", PUBLIC),
        ("org.crm.microsoftdynamics.us", "GCC High", US),
        ("org.crm.appsplatform.us", "DoD", US),
        ("org.crm.dynamics.cn", "China, operated by 21Vianet", CHINA),
    ],
)
def test_cloud_and_authority_follow_from_the_environment_s_host(
    host: str, cloud: str, authority: str, monkeypatch: pytest.MonkeyPatch
) -> None:
    found = cloud_of(f"https://{host}")
    assert found is not None
    assert found.name == cloud
    monkeypatch.setenv("CONNECT_DYNAMICS_ENVIRONMENT_URL", f"https://{host}/api/data/v9.2/")
    settings = load_settings()
    assert settings.token_authority == authority == authority_of(settings.environment_url)
    assert settings.token_scope == f"https://{host}/.default"


@pytest.mark.parametrize(
    "host",
    [
        *("127.0.0.1:8443", "crm.contoso.com", "org.crm.dynamics.com.evil.test"),
        *("orgcrm.dynamics.com", "org.crm.dynamics.us", "org.crm.microsoftdynamics.us.test"),
    ],
)
def test_what_merely_looks_like_microsoft_s_host_is_in_none_of_its_clouds(host: str) -> None:
    assert cloud_of(f"https://{host}") is None
    assert authority_of(f"https://{host}") == PUBLIC


def test_authority_and_scope_can_be_overridden(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECT_DYNAMICS_ENVIRONMENT_URL", "https://org.crm.dynamics.cn")
    monkeypatch.setenv("CONNECT_DYNAMICS_AUTHORITY", "https://login.chinacloudapi.cn")
    monkeypatch.setenv("CONNECT_DYNAMICS_SCOPE", "https://other.crm.dynamics.cn/.default")
    settings = load_settings()
    assert settings.token_authority == "https://login.chinacloudapi.cn"
    assert settings.token_scope == "https://other.crm.dynamics.cn/.default"


@pytest.mark.parametrize("cloud", CLOUDS)
@pytest.mark.parametrize(
    "pasted",
    [
        "https://{host}",
        "https://{host}/",
        " https://{host}/api/data/v9.2/ ",
        "https://{host}/api/data/v9.2/$metadata",
        "https://org.api.{region}/api/data/v9.2/",
        "https://{host}/main.aspx?appid=2b1fbc0e-0000-0000-0000-000000000000&pagetype=dashboard",
        "https://{host}/main.aspx?appid=x#12345",
        "https://{host}/apps/customer-service",
        "https://{host}/XRMServices/2011/Organization.svc",
        "HTTPS://ORG.{REGION}/API/DATA/V9.2",
        "https://{host}:443/",
        "{host}",
        "{host}/api/data/v9.2",
        '"https://{host}/"',
        "<https://{host}>",
    ],
)
def test_an_environment_is_found_in_whatever_address_of_it_is_pasted(
    cloud: tuple[str, str, str], pasted: str
) -> None:
    region = cloud[1].replace(r"\d*", "").replace("\\", "")
    text = pasted.format(host=f"org.{region}", region=region, REGION=region.upper())
    assert environment_in(text) == f"https://org.{region}"


@pytest.mark.parametrize(
    ("pasted", "environment"),
    [
        ("https://127.0.0.1:8443/", "https://127.0.0.1:8443"),
        ("https://127.0.0.1:8443/api/data/v9.2/WhoAmI", "https://127.0.0.1:8443"),
        ("https://crm.contoso.com/Sales/api/data/v9.2", "https://crm.contoso.com/Sales"),
        ("https://crm.contoso.com/Sales/main.aspx?etn=contact", "https://crm.contoso.com/Sales"),
        ("https://[::1]:8443/", "https://[::1]:8443"),
    ],
)
def test_an_environment_of_one_s_own_keeps_its_port_and_the_path_before_the_web_api(
    pasted: str, environment: str
) -> None:
    assert environment_in(pasted) == environment


@pytest.mark.parametrize(
    ("pasted", "told"),
    [
        ("http://org.crm.dynamics.com", "must begin with https://"),
        ("org.example", "must begin with https://"),
        ("https://", "with a host"),
        ("https://ada:hunter2@org.crm.dynamics.com", "without a user"),
        ("https://org.crm.dynamics.com:hunter2", "with a host"),
        ("https://make.powerapps.com/environments/hunter2/home", "maker portal"),
        ("https://admin.powerplatform.microsoft.com/hunter2", "admin center"),
        ("https://org.operations.dynamics.com/hunter2", "finance and operations"),
        ("https://contoso.onmicrosoft.com/hunter2", "a tenant's name"),
        ("https://globaldisco.crm.dynamics.com/api/discovery/v2.0/hunter2", "discovery"),
        ("https://crm4.dynamics.com/hunter2", "lacks the environment's name"),
        ("https://contoso.my.connect.aws/hunter2", "Amazon Connect"),
    ],
)
def test_what_is_no_environment_is_refused_with_what_it_is_and_never_repeated(
    pasted: str, told: str
) -> None:
    with pytest.raises(ValueError, match=told) as raised:
        environment_in(pasted)
    assert "hunter2" not in str(raised.value)


@pytest.mark.parametrize(
    ("pasted", "authority"),
    [
        (f"{PUBLIC}/", PUBLIC),
        (f"{PUBLIC}/00000000-0000-4000-8000-000000000001/oauth2/v2.0/token", PUBLIC),
        ("https://LOGIN.MicrosoftOnline.us/common", US),
        ("login.partner.microsoftonline.cn", CHINA),
        ("https://127.0.0.1:8443/", "https://127.0.0.1:8443"),
        ("https://adfs.contoso.com/adfs/", "https://adfs.contoso.com/adfs"),
    ],
)
def test_an_authority_is_found_in_the_address_of_a_tenant_s_endpoint(
    pasted: str, authority: str
) -> None:
    assert authority_in(pasted) == authority


def test_ids_in_braces_are_ids(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("CONNECT_DYNAMICS_TENANT", " {00000000-0000-4000-8000-000000000001} ")
    assert load_settings().tenant == "00000000-0000-4000-8000-000000000001"
