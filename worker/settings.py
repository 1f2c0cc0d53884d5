"""Every setting, once, with its unit and default.

A setting is read from the environment as ``CONNECT_DYNAMICS_<NAME>`` or from a TOML file named by
``--settings`` or ``CONNECT_DYNAMICS_SETTINGS``; the environment wins. Lists of names are
comma-separated; the list of application users is JSON in the environment, and TOML in the file.
"""

from __future__ import annotations

import os
import re

from datetime import date, datetime
from difflib import get_close_matches
from pathlib import Path
from typing import Annotated, Any, Literal

import orjson

from pydantic import (
    BaseModel,
    ConfigDict,
    Field,
    ValidationError,
    ValidationInfo,
    field_validator,
)
from pydantic_core import ErrorDetails
from pydantic_settings import (
    BaseSettings,
    InitSettingsSource,
    NoDecode,
    PydanticBaseSettingsSource,
    SettingsConfigDict,
)

from pipelines.odata import GUID
from pipelines.toml_text import read_toml
from worker.environment import authority_in, authority_of, environment_in
from worker.errors import ConfigError


PREFIX = "CONNECT_DYNAMICS_"

Names = Annotated[tuple[str, ...], NoDecode]

_BUCKET = re.compile(r"[A-Za-z0-9][A-Za-z0-9._-]{1,253}[A-Za-z0-9]")
_STREAM = re.compile(r"(arn:[a-z-]+:kinesis:[a-z0-9-]*:\d*:stream/)?[A-Za-z0-9_.-]{1,128}")

_QUEUE = re.compile(r"https?://[^/\s]+/[^/\s]+/[^/\s]+/?")
_QUOTES = "\"'"

#: What a setting with a pattern looks like.
_EXAMPLES = {"api_version": "v9.2", "metrics": "0.0.0.0:9464"}

#: What pydantic says, as the beginning of an error's type, and what a person is told instead.
_TOLD = (
    ("date", "must be a day like 2027-06-30"),
    ("float_parsing", "must be a number like 0.5, without a unit"),
    ("int_", "must be a whole number, without a unit"),
    ("bool_", "must be true or false"),
    ("tuple_type", "must be a list, in brackets"),
    ("string_type", "must be text, in quotes"),
    ("missing", "is missing"),
)

#: How a record is made: POST with the key in the body, or PATCH that must not find one.
CreateBy = Literal["post", "patch"]


#: The greatest port there is.
MOST_PORT = 65_535

#: How many application users there are at most: contacts are spread over no more.
MOST_USERS = 12


class ApplicationUser(BaseModel):
    """An application user that requests are sent as: its Entra application and the secret's place.

    Attributes:
        client_id: See ``Settings``.
        secret: See ``Settings``.
        secret_expires: See ``Settings``.
    """

    model_config = ConfigDict(extra="forbid", frozen=True, hide_input_in_errors=True)

    client_id: str = Field(min_length=1)
    secret: str = Field(min_length=1)
    secret_expires: date | None = None

    @field_validator("client_id")
    @classmethod
    def _id(cls, value: str) -> str:
        return value.strip().strip("{}")


class Settings(BaseSettings):
    """What an installation sets; the first group is ConnectPath's first step."""

    model_config = SettingsConfigDict(
        env_prefix=PREFIX,
        env_ignore_empty=True,  # NAME= in a compose file means: not set
        extra="forbid",
        frozen=True,
        hide_input_in_errors=True,
    )

    # Dynamics 365
    environment_url: str = Field(
        default="", description="Environment, https://org.crm.dynamics.com; or its Web API address"
    )
    api_version: str = Field(default="v9.2", pattern=r"^v\d+\.\d+$", description="Web API version")
    app_id: str = Field(default="", description="Dynamics app opened for agents, {{AppId}}")
    tenant: str = Field(default="", description="Entra tenant id")
    client_id: str = Field(default="", description="Entra application (client) id")
    secret: str = Field(
        default="",
        description="Where the client secret is: env:NAME, file:/path[#NAME] or a secret's ARN",
    )
    secret_expires: date | None = Field(default=None, description="Warns from 30 days before")
    application_users: Annotated[tuple[ApplicationUser, ...], NoDecode] = Field(
        default=(),
        description='Further users that share the work: [{"client_id": "…", "secret": "…"}, …]',
    )
    scope: str = Field(default="", description="Token scope; default: environment_url/.default")
    authority: str = Field(
        default="", description="Token authority; default: that of the environment's cloud"
    )
    ca_file: Path | None = Field(
        default=None, description="PEM of a private authority, trusted as well"
    )
    recording_buckets: Names = Field(
        default=(), description="Buckets whose objects count; empty: all"
    )
    owner: str = Field(
        default="", description="Who owns activities without an agent: teams(ID) or systemusers(ID)"
    )
    files: Literal["auto", "original", "redacted"] = Field(
        default="auto", description="Which recordings, transcripts and analyses count"
    )
    create_by: CreateBy = Field(
        default="post", description="POST with the key, or PATCH If-None-Match"
    )
    lookup_wildcard: bool = Field(
        default=False,
        description="Numbers found in no spelling are looked for by their end; may be throttled",
    )
    probe_writes: bool = Field(
        default=True,
        description="Send the last change again, to find out whether writes are answered",
    )

    # Amazon Connect (AWS credentials, region and endpoints as botocore finds them)
    contact_events: str = Field(
        default="", description="Kinesis stream of contact events, name or ARN"
    )
    contact_records: str = Field(default="", description="Kinesis stream of contact records")
    recordings: str = Field(default="", description="URL of the SQS queue of S3 notifications")
    contact_events_start: str = Field(default="now", description="now, earliest or an ISO time")
    contact_records_start: str = Field(default="now", description="now, earliest or an ISO time")
    contact_events_leases: str = Field(
        default="", description="DynamoDB lease table: several workers share the stream's shards"
    )
    contact_records_leases: str = Field(default="", description="The same for contact records")
    worker_id: str = Field(default="", description="Name in the lease tables; default: made up")
    failover_s: float = Field(
        default=10.0, ge=1, description="A lease not renewed so long is taken; same for all"
    )
    take_s: float = Field(
        default=5.0, ge=1, description="Pause between looks for leases to take; KCL's is 20"
    )
    poll_s: float = Field(
        default=0.3, gt=0, le=60, description="Pause between reads of an idle shard"
    )
    visibility_s: int = Field(
        default=120, ge=3, le=43200, description="SQS hides a message this long"
    )
    connect_share: float = Field(
        default=0.5, ge=0, le=1, description="Part of Connect's API quotas all workers use together"
    )
    connect_patience_s: float = Field(
        default=3.0, gt=0, le=30, description="How long a contact waits for Connect's answers"
    )
    open_by: Literal["log", "attributes"] = Field(
        default="attributes",
        description="How agents' desktops learn what to open: attributes, or only a log",
    )
    open_url_attribute: str = Field(
        default="DynamicsUrl", description="Attribute that holds the page"
    )
    open_tab_attribute: str = Field(
        default="DynamicsTab", description="Attribute: true for a new tab"
    )

    # The agent's desktop
    ccp_url: str = Field(
        default="", description="The softphone's address, https://NAME.my.connect.aws/ccp-v2/"
    )
    login_url: str = Field(
        default="", description="Where agents sign in to Connect by SAML; empty: on Connect's page"
    )
    desktop_url: str = Field(
        default="", description="Where browsers find the agent's pages, https://desktop.example.com"
    )
    desktop_names: str = Field(
        default="connect", description="Names of templates: connect, cornerstonecx or a JSON file"
    )

    # The worker
    pipelines: Names = Field(
        default=("phonecall",), description="Shipped names or paths of TOML files"
    )
    state: str = Field(
        default="sqlite:connect-dynamics.sqlite",
        description="memory, sqlite:PATH or dynamodb:TABLE",
    )
    index_key: str = Field(
        default="",
        description="Where the key is that hashes whom contacts are with; empty: nobody is indexed",
    )
    metrics: str = Field(
        default="0.0.0.0:9464",
        pattern=r"^.+:\d{1,5}$",
        description="Where /metrics, /healthz and /readyz are served; port 0: a free one",
    )
    drain_s: float = Field(default=25.0, gt=0, description="Longest time from SIGTERM to exit")
    log_level: Literal["debug", "info", "warning", "error"] = Field(default="info")

    @field_validator("recording_buckets", "pipelines", mode="before")
    @classmethod
    def _split(cls, value: Any) -> Any:
        if isinstance(value, str):
            if re.search(r"[][;\"']", value):
                raise ValueError("separate names by commas, without brackets, quotes or semicolons")
            return tuple(part.strip() for part in value.split(",") if part.strip())
        return value

    @field_validator("application_users", mode="before")
    @classmethod
    def _list(cls, value: Any) -> Any:
        if not isinstance(value, str):
            return value
        try:
            return orjson.loads(value)
        except orjson.JSONDecodeError:
            raise ValueError(
                'must be JSON: [{"client_id": "…", "secret": "env:NAME"}, …]'
            ) from None

    @field_validator("*", mode="before")
    @classmethod
    def _bare(cls, value: Any) -> Any:
        """Without blanks and quotes around: a file of variables may have kept its quotes."""
        if not isinstance(value, str):
            return value
        text = value.strip()
        quoted = len(text) > 1 and text[0] == text[-1] and text[0] in _QUOTES
        return text[1:-1].strip() if quoted else text

    @field_validator("application_users")
    @classmethod
    def _differ(
        cls, value: tuple[ApplicationUser, ...], known: ValidationInfo
    ) -> tuple[ApplicationUser, ...]:
        single = known.data.get("client_id")
        ids = [one.lower() for one in (single, *(user.client_id for user in value)) if one]
        if len(set(ids)) < len(ids):
            raise ValueError("a client id is there twice, or is the setting client_id too")
        if len(ids) > MOST_USERS:
            raise ValueError(f"with the setting client_id there can be {MOST_USERS} users")
        return value

    @field_validator("recording_buckets")
    @classmethod
    def _buckets(cls, value: tuple[str, ...]) -> tuple[str, ...]:
        if not all(map(_BUCKET.fullmatch, value)):
            raise ValueError(
                "name each bucket alone, without s3://, a path or an ARN; several with commas"
            )
        return value

    @field_validator("contact_events", "contact_records")
    @classmethod
    def _stream(cls, value: str) -> str:
        if value and not _STREAM.fullmatch(value):
            raise ValueError("must be the name or the ARN of a Kinesis data stream")
        return value

    @field_validator("recordings")
    @classmethod
    def _queue(cls, value: str) -> str:
        if value and not _QUEUE.fullmatch(value):
            raise ValueError(
                "must be the queue's URL, https://sqs.REGION.amazonaws.com/ACCOUNT/NAME; not its "
                "name or ARN"
            )
        return value

    @field_validator("environment_url")
    @classmethod
    def _environment(cls, value: str) -> str:
        return environment_in(value) if value else value

    @field_validator("authority")
    @classmethod
    def _authority(cls, value: str) -> str:
        return authority_in(value) if value else value

    @field_validator("tenant", "client_id", "app_id")
    @classmethod
    def _id(cls, value: str) -> str:
        return value.strip().strip("{}")

    @field_validator("metrics")
    @classmethod
    def _port(cls, value: str) -> str:
        if int(value.rpartition(":")[2]) > MOST_PORT:
            raise ValueError(f"must end in a port, which is {MOST_PORT} at most")
        return value

    @field_validator("owner")
    @classmethod
    def _owner(cls, value: str) -> str:
        table, _, key = value.strip().lower().partition("(")
        if value and not (table in ("teams", "systemusers") and GUID.fullmatch(key[:-1])):
            raise ValueError("must be teams(ID) or systemusers(ID)")
        return value.strip().lower()

    @field_validator("contact_events_start", "contact_records_start")
    @classmethod
    def _begin(cls, value: str) -> str:
        try:
            if value not in ("now", "earliest"):
                datetime.fromisoformat(value)
        except ValueError:
            raise ValueError("must be now, earliest or an ISO time") from None
        return value

    @classmethod
    def settings_customise_sources(
        cls,
        settings_cls: type[BaseSettings],
        init_settings: PydanticBaseSettingsSource,
        env_settings: PydanticBaseSettingsSource,
        dotenv_settings: PydanticBaseSettingsSource,
        file_secret_settings: PydanticBaseSettingsSource,
    ) -> tuple[PydanticBaseSettingsSource, ...]:
        """The environment goes before the file, whose values come as arguments."""
        del settings_cls, dotenv_settings, file_secret_settings
        assert isinstance(init_settings, InitSettingsSource)  # noqa: S101 - pydantic's contract
        return env_settings, init_settings

    @property
    def users(self) -> tuple[ApplicationUser, ...]:
        """All application users; the first of them does what is no part of the shared work.

        A client id and secret of their own come first.
        """
        if not (self.client_id and self.secret):
            return self.application_users
        first = ApplicationUser(
            client_id=self.client_id, secret=self.secret, secret_expires=self.secret_expires
        )
        return (first, *self.application_users)

    @property
    def token_scope(self) -> str:
        """The scope to ask a token for."""
        return self.scope or f"{self.environment_url}/.default"

    @property
    def token_authority(self) -> str:
        """Where to ask for one."""
        return self.authority or authority_of(self.environment_url)

    @property
    def constants(self) -> dict[str, str]:
        """The settings that templates can name."""
        named = {
            "AppId": self.app_id,
            "EnvironmentUri": self.environment_url,
            "Owner": self.owner,
        }
        return {name: value for name, value in named.items() if value}

    @property
    def live_files(self) -> Literal["auto", "original", "redacted"]:
        """``files`` of a worker: no contact record tells one that reads none."""
        reads_records = bool(self.contact_records)
        return "original" if self.files == "auto" and not reads_records else self.files

    def missing(self, *names: str) -> list[str]:
        """The environment names of those settings that are empty.

        With a list of users, client id and secret are left out together or not at all.
        """
        listed = self.application_users and not (self.client_id or self.secret)
        needed = [name for name in names if not (listed and name in ("client_id", "secret"))]
        return [PREFIX + name.upper() for name in needed if not getattr(self, name)]


#: What a connection to Dynamics cannot do without.
DYNAMICS = ("environment_url", "tenant", "client_id", "secret")

#: Where messages come from: the Kinesis streams, and with them the queue.
STREAMS = ("contact_events", "contact_records")
SOURCES = (*STREAMS, "recordings")


def nothing_to_read(settings: Settings) -> str:
    """What to set if no source is set; "" if one is."""
    names = settings.missing(*SOURCES)
    if len(names) < len(SOURCES):
        return ""
    return f"there is nothing to read: set at least one of {', '.join(names)}"


def load_settings(path: Path | None = None) -> Settings:
    """The settings of the environment and, if named, a TOML file.

    Raises:
        ConfigError: One line per setting that must be corrected.
    """
    path = path or (Path(named) if (named := os.environ.get(f"{PREFIX}SETTINGS")) else None)
    try:
        return Settings(**_read(path))
    except ValidationError as error:
        raise ConfigError("\n".join(map(_line, error.errors()))) from None


def _read(path: Path | None) -> dict[str, Any]:
    if path is None:
        return {}
    try:
        # A last line without an end would have no place to tell.
        values, mistakes = read_toml(f"{path.read_text(encoding='utf-8')}\n")
    except OSError as error:
        raise ConfigError(
            f"{path}: cannot be read ({error.strerror}); is the path right?"
        ) from None
    except UnicodeDecodeError:
        raise ConfigError(f"{path}: is no text in UTF-8; save it in UTF-8") from None
    except RecursionError:
        raise ConfigError(f"{path}: not TOML: nested too deeply") from None
    if mistakes or values is None:
        places = [f"{path}:{one.line}:{one.column}: {one.message}" for one in mistakes]
        raise ConfigError("\n".join(places))
    return values


def _line(error: ErrorDetails) -> str:
    """What a setting must be; its value is not repeated, which may be the secret itself."""
    name = ".".join(str(part) for part in error["loc"])
    if error["type"] == "extra_forbidden":
        return _unknown(name, error)
    message = error["msg"].removeprefix("Value error, ")
    message = message.replace("Input should be", "must be")
    if error["type"] == "string_pattern_mismatch":
        message = f"must be like {_EXAMPLES[name]}"
    for kind, told in _TOLD:
        if error["type"].startswith(kind):
            message = told
    return f"{PREFIX}{str(error['loc'][0]).upper()} ({name}): {message}"


def _unknown(name: str, error: ErrorDetails) -> str:
    """What to write instead of a name that only a file can have."""
    of_user = len(error["loc"]) > 1
    fields = ApplicationUser.model_fields if of_user else Settings.model_fields
    last = str(error["loc"][-1]).lower().removeprefix(PREFIX.lower())
    near = get_close_matches(last, fields, 1)
    if not of_user and isinstance(error["input"], dict):
        more = "; settings stand at the top of the file, without a [section]"
    else:
        more = f"; did you mean {near[0]}?" if near else ""
    return f"{name}: there is no such setting{more}"
