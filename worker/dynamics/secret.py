"""Where the application's secret or certificate is kept, and how it is read."""

from __future__ import annotations

import asyncio
import os

from contextlib import AbstractAsyncContextManager
from pathlib import Path
from typing import Any, Protocol

import orjson

from worker.dynamics.errors import Unavailable
from worker.errors import ConfigError, WorkerError


#: What MSAL takes as ``client_credential``: a secret, or a certificate's parts by name.
Credential = str | dict[str, Any]

#: Errors of Secrets Manager that stay until an operator acts.
LASTING_ERRORS = frozenset(
    {
        "AccessDeniedException",
        "DecryptionFailure",
        "InvalidParameterException",
        "InvalidRequestException",
        "ResourceNotFoundException",
    }
)


class SecretsClientFactory(Protocol):
    """Opens a Secrets Manager client: such as ``worker.aws.secrets``."""

    def __call__(self, *, region: str) -> AbstractAsyncContextManager[Any]:
        """A client for that Region, to be used once with ``async with``."""
        ...


async def read_secret(spec: str, secrets_client: SecretsClientFactory | None = None) -> Credential:
    """Read the credential that ``spec`` names; nothing is cached.

    Args:
        spec: ``env:NAME``, ``file:/path``, ``file:/path#NAME`` or a Secrets Manager ARN. A process
            never sees changes of its own environment, but it sees those of a file (``#NAME``).
        secrets_client: Opens the client for an ARN.

    Raises:
        ConfigError: there is no such secret, or no permission to read it.
        Unavailable: Secrets Manager cannot be reached at the moment.
    """
    return parse_credential(await read_text(spec, secrets_client))


async def read_text(spec: str, secrets_client: SecretsClientFactory | None = None) -> str:
    """The text of the secret that ``spec`` names, whatever it is for; see ``read_secret``."""
    kind, _, name = spec.partition(":")
    if kind == "env":
        return _from_environment(name)
    if kind == "file":
        path, _, variable = name.partition("#")
        text = await asyncio.to_thread(_from_file, path)
        return _variable(text, variable, path) if variable else text
    if kind == "arn" and secrets_client is not None:
        return await _from_secrets_manager(spec, secrets_client)
    # The text is not repeated: someone may have put the secret itself here.
    hint = "; write file: before a path" if spec.startswith(("/", "./")) else ""
    raise ConfigError(
        f"a secret is named env:NAME, file:/path[#NAME] or by the ARN of its secret{hint}"
    )


def parse_credential(text: str) -> Credential:
    """A secret as it is, a PEM file with key and certificate, or either in a JSON object.

    JSON is ``{"client_secret": "…"}`` or MSAL's ``{"private_key": …, "thumbprint": …}``; from a PEM
    file MSAL computes the thumbprint (its ``ConfidentialClientApplication``, since 1.35).
    """
    text = text.strip()
    if not text:
        raise ConfigError("the secret is empty")
    if "PRIVATE KEY-----" in text and not text.startswith("{"):
        return {"private_key": text, "public_certificate": text}
    if not text.startswith("{"):
        return text
    try:
        parsed: dict[str, Any] = orjson.loads(text)
    except orjson.JSONDecodeError:
        return text  # a secret may begin with a brace
    secret = parsed.get("client_secret", parsed)
    return secret if isinstance(secret, str) else parsed


def _from_environment(name: str) -> str:
    try:
        return os.environ[name]
    except KeyError:
        plain = "" if name.isidentifier() else "; name one variable, without $, commas or quotes"
        raise ConfigError(f"the environment has no {name}{plain}") from None


def _from_file(path: str) -> str:
    try:
        return Path(path).read_text(encoding="utf-8")
    except OSError as error:
        raise ConfigError(f"{path}: cannot be read ({error.strerror}); is it right?") from None
    except ValueError:  # no text, or no path at all
        raise ConfigError(f"{path}: is no text in UTF-8; name the secret's file") from None


def _variable(text: str, name: str, path: str) -> str:
    """The last value of a variable in an environment file, as systemd and docker read it."""
    values = [
        value.strip().strip("\"'")
        for key, separator, value in (line.partition("=") for line in text.splitlines())
        if separator and key.strip().removeprefix("export ").strip() == name
    ]
    if not values:
        raise ConfigError(f"{path} has no {name}")
    return values[-1]


async def _from_secrets_manager(arn: str, secrets_client: SecretsClientFactory) -> str:
    # The flow Lambda's zip leaves botocore to Lambda's runtime, and other secrets do without.
    from botocore.exceptions import ClientError  # noqa: PLC0415 - see above

    match arn.split(":"):
        case ["arn", _, "secretsmanager", region, _, "secret", *_]:
            pass
        case _:
            raise ConfigError("the ARN names no secret of Secrets Manager")
    try:
        async with secrets_client(region=region) as client:
            answer = await client.get_secret_value(SecretId=arn)
    except ClientError as error:
        code = error.response.get("Error", {}).get("Code", "")
        if code in LASTING_ERRORS:
            raise ConfigError(f"Secrets Manager answered {code} for the secret") from None
        raise Unavailable(f"Secrets Manager answered {code}") from None
    except WorkerError:
        raise
    except Exception as error:  # noqa: BLE001 - botocore does not wrap all that aiohttp and ssl raise
        raise Unavailable(f"Secrets Manager: {type(error).__name__}") from None
    return _text_of(answer)


def _text_of(answer: Any) -> str:
    """The secret in Secrets Manager's answer, stored as text or as bytes."""
    stored = answer.get("SecretString") or answer.get("SecretBinary") or ""
    try:
        return stored if isinstance(stored, str) else stored.decode()
    except (AttributeError, UnicodeDecodeError):
        raise ConfigError("the secret in Secrets Manager is no text") from None
