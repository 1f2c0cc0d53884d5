"""What a hostile service does: one line each, data alone. ``middle`` carries it out.

A line says when (``At``), to which requests (``of``), what bytes are sent instead of an answer or
what becomes of the true one, how slowly, past TLS or not, and how the connection ends.
"""

# ruff: noqa: E501 - a line of the table is a line

from __future__ import annotations

import enum
import gzip
import re

from collections.abc import Callable, Mapping
from dataclasses import dataclass
from functools import cache
from typing import Final

from hostile.http import Message


class At(enum.Enum):
    """The moment of a connection at which it happens."""

    ACCEPTED = "before TLS"
    HELLO = "in TLS's handshake, after the client's hello"
    SHAKEN = "before the first request"
    HEAD = "after a request's head"
    ASKED = "after a request, which goes no further"
    AGAIN = "after a request on a connection that has served others, which goes no further"
    DONE = "after a request was carried out, instead of its answer"
    ANSWERED = "after an answer, unasked"


class End(enum.Enum):
    """What becomes of the connection."""

    CLOSED = "closed"
    RESET = "reset"
    SILENT = "open and silent, until mended"
    KEPT = "open, for further requests"


#: Before any request: no request can be chosen then.
EARLY: Final = frozenset({At.ACCEPTED, At.HELLO, At.SHAKEN})

#: These need a connection that has been there for a while.
LATE: Final = frozenset({At.AGAIN, At.ANSWERED})


@dataclass(frozen=True, slots=True)
class Behaviour:
    """One thing that a service does badly.

    Attributes:
        name: Its name in tests and reports.
        at: When.
        says: The bytes sent; with ``edit``: of what it makes.
        edit: Makes the bytes of the service's true answer; the request is carried out.
        of: Which requests (regular expression, see ``Message.about``).
        end: How the connection ends.
        past_tls: The bytes go past TLS.
        every_s: A byte each so many seconds; 0: all at once.
        after_s: A pause before.
        endless: Sent again and again after ``says``, until the client has enough.
    """

    name: str
    at: At
    says: bytes = b""
    edit: Callable[[Message], bytes] | None = None
    of: str = ""
    end: End = End.CLOSED
    past_tls: bool = False
    every_s: float = 0.0
    after_s: float = 0.0
    endless: bytes = b""

    def is_about(self, about: str) -> bool:
        """Whether it happens to this request."""
        return re.search(self.of, about) is not None


# --- bytes --------------------------------------------------------------------------------------

JSON: Final = b"application/json; odata.metadata=minimal"
PLAIN: Final = b"HTTP/1.1 400 Bad Request\r\nContent-Length: 0\r\n\r\n"
HTML: Final = b"<html><body><h1>We will be back soon</h1></body></html>"
ALERT: Final = b"\x15\x03\x03\x00\x02\x02\x50"  # fatal, internal_error (RFC 8446, 6)
GARBAGE: Final = bytes(range(256)) * 4
DIGITS: Final = b"9" * 5000
WAITING: Final = b'{"status": "maintenance"}'

#: How much is unpacked from so little; what a client may take is 16 MB.
BOMB_BYTES: Final = 192 * 1024 * 1024


def ok(
    body: bytes, *headers: bytes, kind: bytes = JSON, status: bytes = b"200 OK", size: bytes = b""
) -> bytes:
    """An answer as it should be, but for what is in it; ``size``: another length than it has."""
    lines = [
        b"HTTP/1.1 " + status,
        b"Content-Type: " + kind,
        b"Content-Length: " + (size or b"%d" % len(body)),
        *headers,
    ]
    return b"\r\n".join([*lines, b"", body])


@cache
def bomb(layers: int) -> bytes:
    """An answer of a few kilobytes that unpacks to ``BOMB_BYTES``."""
    packed = b"[" + b" " * BOMB_BYTES
    for _ in range(layers):
        packed = gzip.compress(packed, 6)
    coding = b"Content-Encoding: " + b", ".join([b"gzip"] * layers)
    return ok(packed, coding, b"OData-Version: 4.0")


def _again(message: Message, *headers: bytes, body: bytes | None = None) -> bytes:
    """The true answer in other words."""
    content = message.content if body is None else body
    head = message.without(b"transfer-encoding", b"content-length")
    return head.having(*headers).head + content


def cut(message: Message) -> bytes:
    """Half of the body, of which all was promised."""
    content = message.content
    half = content[: len(content) // 2]
    return _again(message, b"Content-Length: %d" % max(len(content), 1), body=half)


def unframed(message: Message) -> bytes:
    """The body without its length, ended by the end of the connection."""
    return _again(message, b"Connection: close")


def longer(message: Message) -> bytes:
    """A greater length than there is body."""
    return _again(message, b"Content-Length: %d" % (len(message.content) + 100))


def two_lengths(message: Message) -> bytes:
    """Two lengths, of which one is true."""
    size = len(message.content)
    return _again(message, b"Content-Length: %d" % size, b"Content-Length: %d" % (size + 7))


def bad_chunk(message: Message) -> bytes:
    """A chunk whose size is no number."""
    return _again(message, b"Transfer-Encoding: chunked", body=b"5\r\nhello\r\nzz\r\noops\r\n")


def old_close(message: Message) -> bytes:
    """HTTP/1.0, as an old proxy speaks: as good as any."""
    return unframed(message).replace(b"HTTP/1.1", b"HTTP/1.0", 1)


def with_headers(*headers: bytes) -> Callable[[Message], bytes]:
    """The true answer with headers more."""
    return lambda message: message.having(*headers).whole


def with_body(body: bytes) -> Callable[[Message], bytes]:
    """The true answer's head with another body."""
    return lambda message: _again(message, b"Content-Length: %d" % len(body), body=body)


# --- what any server can do over TLS ------------------------------------------------------------

TLS: Final = (
    Behaviour("closed_at_once", At.ACCEPTED),
    Behaviour("reset_at_once", At.ACCEPTED, end=End.RESET),
    Behaviour("plain_text_on_tls", At.HELLO, PLAIN, past_tls=True),
    Behaviour("garbage_in_handshake", At.HELLO, GARBAGE, past_tls=True),
    Behaviour("tls_alert_in_handshake", At.HELLO, ALERT, past_tls=True),
    Behaviour("reset_in_handshake", At.HELLO, end=End.RESET),
    Behaviour("silent_in_handshake", At.HELLO, end=End.SILENT),
    Behaviour("closed_after_handshake", At.SHAKEN),
    Behaviour("plain_text_on_established", At.AGAIN, PLAIN, past_tls=True),
    Behaviour("tls_alert_on_established", At.AGAIN, ALERT, past_tls=True),
    Behaviour("garbage_on_established", At.AGAIN, GARBAGE, past_tls=True),
    Behaviour("plain_text_while_idle", At.ANSWERED, PLAIN, past_tls=True),
    Behaviour("tls_alert_while_idle", At.ANSWERED, ALERT, past_tls=True, end=End.SILENT),
    Behaviour("tls_alert_after_commit", At.DONE, ALERT, past_tls=True),
)

# --- what any HTTP server can do ----------------------------------------------------------------

HTTP: Final = (
    Behaviour("closed_before_answer", At.HEAD),
    Behaviour("reset_before_answer", At.ASKED, end=End.RESET),
    Behaviour("reset_after_commit", At.DONE, end=End.RESET),
    Behaviour("closed_after_commit", At.DONE),
    Behaviour("closed_while_idle", At.ANSWERED),
    Behaviour("reset_while_idle", At.ANSWERED, end=End.RESET),
    Behaviour("answer_nobody_asked_for", At.ANSWERED, ok(b"{}"), end=End.KEPT),
    Behaviour("answer_nobody_asked_for_while_idle", At.ANSWERED, ok(b"{}"), end=End.KEPT, after_s=0.1),
    Behaviour("silence", At.ASKED, end=End.SILENT),
    Behaviour("silence_after_commit", At.DONE, end=End.SILENT),
    Behaviour("half_status_line", At.DONE, b"HTTP/1.1 20"),
    Behaviour("no_status", At.ASKED, b"HTTP/1.1 \r\n\r\n"),
    Behaviour("status_of_letters", At.ASKED, b"HTTP/1.1 abc OK\r\nContent-Length: 0\r\n\r\n"),
    Behaviour("status_999", At.ASKED, ok(b"{}", status=b"999 Beyond")),
    Behaviour("garbage_bytes", At.ASKED, GARBAGE),
    Behaviour("half_headers", At.ASKED, b"HTTP/1.1 200 OK\r\nContent-Le"),
    Behaviour("endless_headers", At.ASKED, b"HTTP/1.1 200 OK\r\n", endless=b"X-A: b\r\n" * 512),
    Behaviour("huge_header", At.ASKED, ok(b"{}", b"X-Huge: " + b"x" * 1_000_000)),
    Behaviour("drip", At.ASKED, ok(b"{}" + b" " * 400), every_s=0.5),
    Behaviour("two_content_lengths", At.DONE, edit=two_lengths),
    Behaviour("bad_chunk", At.DONE, edit=bad_chunk),
    Behaviour("wrong_content_length", At.DONE, edit=longer),
    Behaviour("length_of_letters", At.ASKED, ok(b"{}", size=b"two")),
    Behaviour("negative_length", At.ASKED, ok(b"{}", size=b"-5")),
    Behaviour("bad_gzip", At.ASKED, ok(b"not gzip", b"Content-Encoding: gzip")),
    Behaviour("unknown_coding", At.ASKED, ok(GARBAGE, b"Content-Encoding: zstd, br")),
    Behaviour("redirect_302", At.ASKED, ok(HTML, b"Location: https://127.0.0.1:1/", status=b"302 Found")),
    Behaviour("redirect_nowhere", At.ASKED, ok(b"", status=b"307 Temporary Redirect")),
    Behaviour("switching_protocols", At.ASKED, b"HTTP/1.1 101 Switching Protocols\r\nUpgrade: h2c\r\nConnection: Upgrade\r\n\r\n"),
    Behaviour("early_hints_storm", At.ASKED, endless=b"HTTP/1.1 103 Early Hints\r\n\r\n" * 256),
    Behaviour("html_200", At.ASKED, ok(HTML, kind=b"text/html")),
    Behaviour("html_503", At.ASKED, ok(HTML, kind=b"text/html", status=b"503 Service Unavailable")),
    Behaviour("empty_200", At.ASKED, ok(b"")),
    Behaviour("json_array_200", At.ASKED, ok(b"[1, [2]]")),
    Behaviour("json_null_200", At.ASKED, ok(b"null")),
    Behaviour("empty_object_200", At.ASKED, ok(b"{}")),
    Behaviour("deep_json_200", At.ASKED, ok(b"[" * 100_000 + b"]" * 100_000)),
    Behaviour("maintenance_200", At.ASKED, ok(WAITING)),
    Behaviour("nothing_204", At.ASKED, b"HTTP/1.1 204 No Content\r\n\r\n", end=End.KEPT),
    Behaviour("utf_16_200", At.ASKED, ok('{"value": []}'.encode("utf-16"))),
)  # fmt: skip

#: As good as any answer, though odd: nothing need be tried again.
HARMLESS: Final = (
    Behaviour("http_1_0", At.DONE, edit=old_close),
    Behaviour("no_content_length", At.DONE, edit=unframed),
)

# --- what one service can do --------------------------------------------------------------------

_READ: Final = r"^GET /api/data/v9\.2/[$a-z]"
_WRITE: Final = r"^(POST|PATCH) /api/data/"
_TOKEN: Final = r"^POST .*/oauth2/v2\.0/token"
_DISCOVERY: Final = r"openid-configuration"


def _thrown(*headers: bytes, status: bytes = b"429 Too Many Requests") -> bytes:
    return ok(b"{}", *headers, status=status)


def _token(rest: bytes) -> bytes:
    return ok(b'{"token_type": "Bearer", "access_token": "invented"' + rest + b"}")


DYNAMICS: Final = (
    Behaviour("written_with_200_and_an_object", At.ASKED, ok(b"{}"), of=_WRITE),
    Behaviour("written_with_200_and_nothing", At.ASKED, ok(b""), of=_WRITE),
    Behaviour("written_with_201_of_a_proxy", At.ASKED, ok(WAITING, status=b"201 Created"), of=_WRITE),
    Behaviour("written_with_204_without_marks", At.ASKED, b"HTTP/1.1 204 No Content\r\n\r\n", of=_WRITE, end=End.KEPT),
    Behaviour("found_no_value", At.ASKED, ok(b"{}", b"OData-Version: 4.0"), of=_READ),
    Behaviour("found_nothing_204", At.ASKED, b"HTTP/1.1 204 No Content\r\nOData-Version: 4.0\r\n\r\n", of=_READ, end=End.KEPT),
    Behaviour("found_rows_without_key", At.ASKED, ok(b'{"value": [{}, {"x": 1}]}', b"OData-Version: 4.0"), of=_READ),
    Behaviour("found_rows_of_text", At.ASKED, ok(b'{"value": ["a", null]}', b"OData-Version: 4.0"), of=_READ),
    Behaviour("found_an_object_for_rows", At.ASKED, ok(b'{"value": {"a": 1}}', b"OData-Version: 4.0"), of=_READ),
    Behaviour("gzip_twice", At.ASKED, of=_READ),
    Behaviour("gzip_bomb", At.ASKED, of=_READ),
    Behaviour("dop_hint_5000_digits", At.DONE, edit=with_headers(b"x-ms-dop-hint: " + DIGITS)),
    Behaviour("dop_hint_nonsense", At.DONE, edit=with_headers(b"x-ms-dop-hint: -1e9")),
    Behaviour("ratelimit_nan", At.DONE, edit=with_headers(b"x-ms-ratelimit-burst-remaining-xrm-requests: nan", b"x-ms-ratelimit-time-remaining-xrm-requests: inf")),
    Behaviour("retry_after_5000_digits", At.ASKED, _thrown(b"Retry-After: -" + DIGITS), end=End.KEPT),
    Behaviour("retry_after_huge_zone", At.ASKED, _thrown(b"Date: Thu, 01 Jan 2026 00:00:00 GMT", b"Retry-After: Thu, 01 Jan 2026 00:00:01 +99999999999999999999"), end=End.KEPT),
    Behaviour("retry_after_odd_date", At.ASKED, _thrown(b"Retry-After: Fri, 99 Nov 99999 99:99:99 GMT"), end=End.KEPT),
    Behaviour("error_of_another_shape", At.ASKED, ok(b'{"error": {"code": {"a": 1}, "message": [2]}}', status=b"500 Oops")),
    Behaviour("error_of_numbers", At.ASKED, ok(b'{"error": 5}', status=b"503 Oops")),
)  # fmt: skip

ENTRA: Final = (
    Behaviour("discovery_null", At.ASKED, ok(b"null"), of=_DISCOVERY),
    Behaviour("discovery_list", At.ASKED, ok(b"[]"), of=_DISCOVERY),
    Behaviour("discovery_302", At.ASKED, ok(b"", b"Location: /", status=b"302 Found"), of=_DISCOVERY),
    Behaviour("discovery_numbers", At.ASKED, ok(b'{"authorization_endpoint": 1, "token_endpoint": 2, "issuer": 3}'), of=_DISCOVERY),
    Behaviour("token_without_expires_in", At.ASKED, _token(b""), of=_TOKEN),
    Behaviour("token_1e999", At.ASKED, _token(b', "expires_in": 1e999'), of=_TOKEN),
    Behaviour("token_for_a_word", At.ASKED, _token(b', "expires_in": "soon"'), of=_TOKEN),
    Behaviour("token_for_5000_digits", At.ASKED, _token(b', "expires_in": ' + DIGITS), of=_TOKEN),
    Behaviour("token_for_less_than_nothing", At.ASKED, _token(b', "expires_in": -3600'), of=_TOKEN),
    Behaviour("token_of_numbers", At.ASKED, ok(b'{"token_type": "Bearer", "access_token": 5, "expires_in": 3600}'), of=_TOKEN),
    Behaviour("token_of_line_feeds", At.ASKED, ok(b'{"token_type": "Bearer", "access_token": "a\\r\\nX: y", "expires_in": 3600}'), of=_TOKEN),
    Behaviour("token_null", At.ASKED, ok(b"null"), of=_TOKEN),
    Behaviour("token_list", At.ASKED, ok(b"[]"), of=_TOKEN),
    Behaviour("token_error_of_numbers", At.ASKED, ok(b'{"error": 1, "error_description": 2}', status=b"400 Bad"), of=_TOKEN),
    Behaviour("token_drips", At.ASKED, _token(b', "expires_in": 3600' + b" " * 400), of=_TOKEN, every_s=0.5),
    Behaviour("token_bomb", At.ASKED, of=_TOKEN),
)  # fmt: skip

_GET_RECORDS: Final = "GetRecords"
_OF_AWS: Final = b"application/x-amz-json-1.1"


def _aws(body: bytes) -> bytes:
    return ok(body, kind=_OF_AWS)


KINESIS: Final = (
    Behaviour("records_missing", At.ASKED, _aws(b"{}"), of=_GET_RECORDS),
    Behaviour("records_null", At.ASKED, _aws(b'{"Records": null, "NextShardIterator": null}'), of=_GET_RECORDS),
    Behaviour("records_of_text", At.ASKED, _aws(b'{"Records": "none", "NextShardIterator": 5}'), of=_GET_RECORDS),
    Behaviour("record_without_fields", At.ASKED, _aws(b'{"Records": [{}], "NextShardIterator": "x", "MillisBehindLatest": 0}'), of=_GET_RECORDS),
    Behaviour("record_not_base64", At.ASKED, _aws(b'{"Records": [{"Data": "?", "SequenceNumber": "1", "PartitionKey": "p", "ApproximateArrivalTimestamp": 1}], "NextShardIterator": "x"}'), of=_GET_RECORDS),
    Behaviour("sequence_of_letters", At.ASKED, _aws(b'{"Records": [{"Data": "e30=", "SequenceNumber": "abc", "PartitionKey": "p", "ApproximateArrivalTimestamp": 1}], "NextShardIterator": "x"}'), of=_GET_RECORDS),
    Behaviour("behind_by_a_word", At.ASKED, _aws(b'{"Records": [], "NextShardIterator": "x", "MillisBehindLatest": "long"}'), of=_GET_RECORDS),
    Behaviour("error_without_a_name", At.ASKED, ok(b"{}", kind=_OF_AWS, status=b"400 Bad Request"), of=_GET_RECORDS),
    Behaviour("error_of_html", At.ASKED, ok(HTML, kind=b"text/html", status=b"500 Oops"), of=_GET_RECORDS),
)  # fmt: skip

SQS: Final = (
    Behaviour("messages_of_text", At.ASKED, ok(b'{"Messages": "none"}'), of="ReceiveMessage"),
    Behaviour("message_without_fields", At.ASKED, ok(b'{"Messages": [{}]}'), of="ReceiveMessage"),
    Behaviour("message_counted_in_words", At.ASKED, ok(b'{"Messages": [{"MessageId": "m", "ReceiptHandle": "r", "Body": "{}", "Attributes": {"ApproximateReceiveCount": "many"}}]}'), of="ReceiveMessage"),
    Behaviour("delete_says_nothing", At.DONE, ok(b"{}"), of="DeleteMessage"),
    Behaviour("delete_failed_without_code", At.ASKED, ok(b'{"Failed": [{}]}'), of="DeleteMessage"),
    Behaviour("delete_failed_for_another", At.ASKED, ok(b'{"Failed": [{"Id": "77", "Code": "x", "SenderFault": false}]}'), of="DeleteMessage"),
)  # fmt: skip

S3: Final = (
    Behaviour("body_cut", At.DONE, edit=cut, of="^GET"),
    Behaviour("body_reset", At.DONE, edit=cut, of="^GET", end=End.RESET),
    Behaviour("body_without_length", At.DONE, edit=unframed, of="^GET"),
    Behaviour("body_of_html", At.DONE, ok(HTML, kind=b"text/html"), of="^GET"),
    Behaviour("body_of_garbage", At.DONE, edit=with_body(GARBAGE), of="^GET"),
    Behaviour("body_of_other_json", At.DONE, edit=with_body(b'{"Transcript": 5, "Participants": {"a": []}, "ConversationCharacteristics": []}'), of="^GET"),
    Behaviour("body_deep", At.DONE, edit=with_body(b"[" * 100_000), of="^GET"),
    Behaviour("error_not_xml", At.ASKED, ok(b"no", kind=b"text/plain", status=b"403 Forbidden"), of="^GET"),
)  # fmt: skip

CONNECT: Final = (
    Behaviour("contact_of_text", At.ASKED, ok(b'{"Contact": "x"}'), of="^GET /contacts/"),
    Behaviour("contact_of_numbers", At.ASKED, ok(b'{"Contact": {"CustomerEndpoint": 5, "InitiationTimestamp": "x"}}'), of="^GET /contacts/"),
    Behaviour("attributes_of_text", At.ASKED, ok(b'{"Attributes": "x"}'), of="^GET /contact/attributes"),
    Behaviour("attributes_of_objects", At.ASKED, ok(b'{"Attributes": {"a": {"b": 1}, "n": null}}'), of="^GET /contact/attributes"),
    Behaviour("write_back_cut", At.DONE, b"HTTP/1.1 200 OK\r\nContent-Length: 50\r\n\r\n{", of="^POST"),
)  # fmt: skip

DYNAMODB: Final = (
    Behaviour("error_without_a_name", At.ASKED, ok(b"{}", kind=_OF_AWS, status=b"400 Bad Request")),
    Behaviour("error_of_html", At.ASKED, ok(HTML, kind=b"text/html", status=b"500 Oops")),
    Behaviour("items_of_text", At.ASKED, _aws(b'{"Items": "x", "Responses": "x", "Item": "x"}'), of="Query|GetItem"),
    Behaviour("items_of_other_kinds", At.ASKED, _aws(b'{"Items": [{}], "Count": "x", "Responses": {"t": [{}]}, "UnprocessedKeys": []}'), of="Query|GetItem"),
    Behaviour("write_reset_after_commit", At.DONE, of="TransactWrite|PutItem|UpdateItem", end=End.RESET),
    Behaviour("write_says_nothing", At.DONE, _aws(b""), of="TransactWrite|PutItem|UpdateItem"),
)  # fmt: skip

#: What any service can do, and what each can of its own.
COMMON: Final = (*TLS, *HTTP, *HARMLESS)
OWN: Final[Mapping[str, tuple[Behaviour, ...]]] = {
    "dynamics": DYNAMICS,
    "entra": ENTRA,
    "connect": CONNECT,
    "s3": S3,
    "sqs": SQS,
    "kinesis": KINESIS,
    "dynamodb": DYNAMODB,
}

#: Too large to be made before somebody wants them: how often they are packed.
BOMBS: Final = {"gzip_twice": 2, "gzip_bomb": 1, "token_bomb": 2}

#: Dynamics' own word, though it is too much: an operator sees it, and has it tried again.
PARKING: Final = frozenset(("gzip_bomb",))
