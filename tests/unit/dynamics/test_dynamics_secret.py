"""Where secrets come from, how tokens fail, and which addresses and certificates are taken."""

from __future__ import annotations

import ssl

from collections.abc import AsyncIterator, Callable
from contextlib import AbstractAsyncContextManager, asynccontextmanager
from pathlib import Path
from typing import Any

import aiohttp
import pytest
import trustme

from botocore.exceptions import ClientError, EndpointConnectionError, HTTPClientError
from botocore.parsers import ResponseParserError

from worker.dynamics.aadsts import ADVICE, PASSING_CODES, read_refusal
from worker.dynamics.errors import DynamicsError, Unauthorized, Unavailable
from worker.dynamics.http import make_http, tls_context
from worker.dynamics.secret import parse_credential, read_secret
from worker.errors import ConfigError


ARN = "arn:aws:secretsmanager:eu-west-1:123456789012:secret:dynamics-AbCdEf"
PEM = "-----BEGIN PRIVATE KEY-----\nx\n-----END PRIVATE KEY-----"


class Vault:
    """A Secrets Manager client with one answer, that remembers what it was asked."""

    def __init__(self, answer: dict[str, Any] | Exception) -> None:
        self.answer = answer
        self.asked: list[tuple[str, str]] = []

    def __call__(self, *, region: str) -> AbstractAsyncContextManager[Any]:
        return self._opened(region)

    @asynccontextmanager
    async def _opened(self, region: str) -> AsyncIterator[Vault]:
        self.region = region
        yield self

    async def get_secret_value(self, **arguments: str) -> dict[str, Any]:
        self.asked.append((self.region, arguments["SecretId"]))
        if isinstance(self.answer, Exception):
            raise self.answer
        return self.answer


def refusal(code: str) -> ClientError:
    return ClientError({"Error": {"Code": code, "Message": "test"}}, "GetSecretValue")


async def test_a_secret_is_read_from_the_environment(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setenv("DYNAMICS_SECRET", "s3cret ")
    assert await read_secret("env:DYNAMICS_SECRET") == "s3cret"
    monkeypatch.delenv("DYNAMICS_SECRET")
    with pytest.raises(ConfigError, match="DYNAMICS_SECRET"):
        await read_secret("env:DYNAMICS_SECRET")


async def test_a_secret_is_read_from_a_file_as_it_is_now(tmp_path: Path) -> None:
    path = tmp_path / "secret"
    with pytest.raises(ConfigError, match="No such file or directory"):
        await read_secret(f"file:{path}")
    for secret in ("first", "second"):
        path.write_text(f"{secret}\n")
        assert await read_secret(f"file:{path}") == secret
    path.write_bytes(b"\xff")
    with pytest.raises(ConfigError):
        await read_secret(f"file:{path}")
    with pytest.raises(ConfigError):
        await read_secret("file:no\0path")


async def test_a_secret_is_read_from_an_environment_file_as_it_is_now(tmp_path: Path) -> None:
    path = tmp_path / "worker.env"
    spec = f"file:{path}#DYNAMICS_SECRET"
    path.write_text("# ours\nOTHER=1\nDYNAMICS_SECRET=a=b~\n")
    assert await read_secret(spec) == "a=b~"
    path.write_text("DYNAMICS_SECRET=old\nexport DYNAMICS_SECRET='new'\n")
    assert await read_secret(spec) == "new"
    path.write_text("DYNAMICS_SECRET_2=x\n")
    with pytest.raises(ConfigError, match="has no DYNAMICS_SECRET"):
        await read_secret(spec)


@pytest.mark.parametrize(
    "answer", [{"SecretString": "s3cret"}, {"SecretBinary": b'{"client_secret":"s3cret"}'}]
)
async def test_from_secrets_manager_in_the_region_of_the_arn(answer: dict[str, Any]) -> None:
    vault = Vault(answer)
    assert await read_secret(ARN, vault) == "s3cret"
    assert vault.asked == [("eu-west-1", ARN)]


@pytest.mark.parametrize(
    ("answer", "kind"),
    [
        (refusal("AccessDeniedException"), ConfigError),
        (refusal("ResourceNotFoundException"), ConfigError),
        (refusal("ThrottlingException"), Unavailable),
        (EndpointConnectionError(endpoint_url="https://x"), Unavailable),
        (HTTPClientError(error="reset"), Unavailable),
        (ResponseParserError("<html>"), Unavailable),
        (aiohttp.ClientPayloadError("cut"), Unavailable),
        (ssl.SSLError("alert"), Unavailable),
        (TimeoutError(), Unavailable),
        (KeyError("Error"), Unavailable),
    ],
)
async def test_what_an_operator_must_mend_differs_from_what_passes(
    answer: Exception, kind: type[Exception]
) -> None:
    with pytest.raises(kind):
        await read_secret(ARN, Vault(answer))


@pytest.mark.parametrize(
    "answer", [{}, {"SecretString": ""}, {"SecretBinary": b"\xff"}, {"SecretString": 7}]
)
async def test_a_secret_that_is_no_text_is_for_an_operator(answer: dict[str, Any]) -> None:
    with pytest.raises(ConfigError):
        await read_secret(ARN, Vault(answer))


@pytest.mark.parametrize("spec", ["s3cret", "", ARN, "vault:s3cret"])
async def test_an_unknown_place_is_refused_without_repeating_it(spec: str) -> None:
    with pytest.raises(ConfigError) as caught:
        await read_secret(spec)
    assert not spec or spec not in str(caught.value)


async def test_an_arn_of_something_else_is_refused() -> None:
    with pytest.raises(ConfigError):
        await read_secret("arn:aws:ssm:eu-west-1:123456789012:parameter/x", Vault({}))


@pytest.mark.parametrize(
    ("text", "credential"),
    [
        ("s3cret\n", "s3cret"),
        ('{"client_secret": "s3cret"}', "s3cret"),
        ("{not json", "{not json"),
        ('{"private_key": "k", "thumbprint": "t"}', {"private_key": "k", "thumbprint": "t"}),
        (PEM, {"private_key": PEM, "public_certificate": PEM}),
    ],
)
def test_secrets_certificates_and_json_are_told_apart(text: str, credential: object) -> None:
    assert parse_credential(text) == credential


def test_nothing_is_no_secret() -> None:
    with pytest.raises(ConfigError):
        parse_credential(" \n")


@pytest.mark.parametrize(
    ("number", "kind", "advice"),
    [
        (7000222, Unauthorized, "expired"),
        (7000215, Unauthorized, "wrong"),
        (700016, Unauthorized, "tenant"),
        (90002, Unauthorized, "tenant"),
        (7000229, Unauthorized, "service principal"),
        (500011, Unauthorized, "scope"),
        (700027, Unauthorized, "certificate"),
        (99999, Unauthorized, "list"),
        (90033, Unavailable, "busy"),
    ],
)
def test_a_refusal_names_entra_s_code_and_what_to_do(
    number: int, kind: type[DynamicsError], advice: str
) -> None:
    description = f"AADSTS{number}: The secret for app 'x' … Trace ID: 1"
    error = read_refusal({"error": "invalid_client", "error_description": description})
    assert type(error) is kind
    assert error.code == f"AADSTS{number}"
    assert error.code in str(error)
    assert advice in str(error)
    assert "Trace" not in str(error)


@pytest.mark.parametrize("number", ADVICE)
def test_every_code_of_entra_s_that_people_meet_has_a_sentence_of_what_to_do(number: int) -> None:
    description = f"AADSTS{number}: Something 'x' … Trace ID: 1"
    error = read_refusal({"error": "invalid_request", "error_description": description})
    assert type(error) is Unauthorized
    assert str(error).endswith(f"AADSTS{number}: {ADVICE[number]}")
    assert number not in PASSING_CODES


def test_a_refusal_without_a_code_is_classified_by_its_name() -> None:
    assert type(read_refusal({"error": "temporarily_unavailable"})) is Unavailable
    assert type(read_refusal({"error": "invalid_client"})) is Unauthorized
    assert type(read_refusal({})) is Unauthorized


def test_a_private_authority_is_trusted_beside_the_public_ones(tmp_path: Path) -> None:
    ca_file = tmp_path / "ca.pem"
    trustme.CA().cert_pem.write_to_path(str(ca_file))
    context = tls_context(ca_file)
    assert context.verify_mode is ssl.CERT_REQUIRED
    assert context.check_hostname
    assert len(context.get_ca_certs()) == len(tls_context(None).get_ca_certs()) + 1


@pytest.mark.parametrize("break_it", [lambda _path: None, lambda path: path.write_text("x")])
def test_a_file_without_certificates_is_a_fault_of_the_settings(
    tmp_path: Path, break_it: Callable[[Path], object]
) -> None:
    ca_file = tmp_path / "ca.pem"
    break_it(ca_file)
    with pytest.raises(ConfigError):
        make_http(ca_file)
