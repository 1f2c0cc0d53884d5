"""Splitting bytes into JSON values: what is broken costs only what cannot be told apart."""

from __future__ import annotations

import pytest

from pipelines.decode.split import HEAD_BYTES, MAX_BYTES, TOO_LONG, Piece, Splitter, split


A, B, C = b'{"a":{"x":"1"}}', b'{"b":["}{","]["]}', b'{"c":"\\"\\\\"}'

BROKEN = [
    pytest.param([A, b'{"b":"cut', C], id="in a string"),
    pytest.param([A, b'{"b":"cut\\', C], id="in an escape"),
    pytest.param([A, b'{"b":', C], id="after a colon"),
    pytest.param([A, b'{"b":[1,', C], id="in a list"),
    pytest.param([A, b'{"b":{"x":1}', C], id="after an object"),
    pytest.param([A, b'{"b":[{"x":1}', C, B], id="in a list of objects"),
    pytest.param([b'{"b":', A, C], id="on the first line"),
    pytest.param([A, b'{"b":'], id="on the last line"),
    pytest.param([A, b'{"b":[1}', C], id="with the wrong bracket"),
    pytest.param([A, b"no JSON at all", C], id="by something else"),
    pytest.param([A, b'"b":1}}', C], id="at its head"),
    pytest.param([b'{"x":[', b'{"y":[', b'{"z":[', A], id="several times"),
]


def in_chunks(body: bytes, size: int) -> list[bytes]:
    splitter = Splitter()
    found: list[Piece] = []
    for start in range(0, len(body), size):
        found += splitter.feed(body[start : start + size])
    return [piece.body for piece in [*found, *splitter.finish()]]


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize(
    "body",
    [
        b"\n".join([A, B, C]),
        b"\r\n".join([A, B, C]) + b"\r\n",
        b"\n\n \n".join([A, B, C]),
        b"".join([A, B, C]),
        b" ".join([A, B, C]),
        b"[" + b",".join([A, B, C]) + b"]",
        b"[\n" + b",\n".join([A, B, C]) + b"\n]\n",
        b"[" + A + b"][" + B + b"]\n[" + C + b"]",
        b"\xef\xbb\xbf" + b"\n".join([A, B, C]),
    ],
)
def test_values_are_found_however_they_stand(body: bytes, size: int) -> None:
    assert in_chunks(body, size) == [A, B, C]


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_values_may_go_over_several_lines(size: int) -> None:
    printed = b'{\n  "a": [\n{ "x": 1 },\n{ "y": "}" }\n],\n"b":\n{}\n}'
    assert in_chunks(b"\n".join([printed, A, printed]), size) == [printed, A, printed]


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("lines", BROKEN)
def test_a_line_cut_short_costs_that_line_only(lines: list[bytes], size: int) -> None:
    assert in_chunks(b"\n".join(lines), size) == lines


def test_after_a_broken_line_values_may_go_over_several_lines_again() -> None:
    printed = b'{\n"a": {\n}\n}'
    assert split(b'{"b":\n' + printed) == [b'{"b":', printed]


def test_a_broken_element_of_an_array_leaves_the_others_alone() -> None:
    assert split(b"[" + A + b',{"b":{"x":1},' + C + b"]") == [A, b'{"b":{"x":1},', C]
    assert split(b"[1," + A + b", null ]") == [b"1", A, b"null"]


def test_a_broken_value_side_by_side_with_others_leaves_them_alone() -> None:
    assert split(A + b'{"b":{"x":1}' + C) == [A, b'{"b":{"x":1}', C]
    assert split(b'"cut":1}' + A + C) == [b'"cut":1}', A, C]


@pytest.mark.parametrize("body", [b"", b" \n", b"[]", b"[ ]\n", b"\xef\xbb\xbf"])
def test_where_nothing_is_nothing_is_found(body: bytes) -> None:
    assert split(body) == []


@pytest.mark.parametrize("size", [100_000, 3 * MAX_BYTES])
@pytest.mark.parametrize("end", [b'"}', b'\\"}"}'])
def test_of_a_value_too_long_the_head_is_kept_and_the_rest_goes_on(size: int, end: bytes) -> None:
    long = b'{"x":"' + b"y" * MAX_BYTES + end
    body = b"\n".join([A, long, C])
    splitter = Splitter()
    found: list[Piece] = []
    for start in range(0, len(body), size):
        found += splitter.feed(body[start : start + size])
        assert len(splitter._buffer) <= MAX_BYTES + 2 * size
    found += splitter.finish()
    assert found == [Piece(A), Piece(long[:HEAD_BYTES], TOO_LONG), Piece(C)]


@pytest.mark.parametrize("long", [b"x" * (MAX_BYTES + 1), b'{"a":' + b" " * MAX_BYTES + b"{"])
def test_a_long_piece_may_be_the_last_one(long: bytes) -> None:
    splitter = Splitter()
    found = [*splitter.feed(long), *splitter.finish()]
    assert found == [Piece(long[:HEAD_BYTES], TOO_LONG)]


def test_if_the_stream_ends_too_early_what_is_left_is_one_damaged_piece() -> None:
    splitter = Splitter()
    assert list(splitter.feed(A + b'{"b"')) == [Piece(A)]
    assert list(splitter.finish("why")) == [Piece(b'{"b"', "why")]


@pytest.mark.parametrize("line", [b'{"a":\n', b'{\n"a":\n', b'[{"a":[\n', b'{"a":[\n'])
@pytest.mark.parametrize("start", [b"", b"["])
@pytest.mark.timeout(60)
def test_no_broken_value_is_read_again_and_again(line: bytes, start: bytes) -> None:
    assert split(start + line * 20_000)


def test_a_value_too_long_may_go_on_with_a_bracket() -> None:
    splitter = Splitter()
    long = b'{"x":"' + b"y" * MAX_BYTES + b'","z":'
    found = [*splitter.feed(long), *splitter.feed(b"{}}" + A), *splitter.finish()]
    assert found == [Piece(long[:HEAD_BYTES], TOO_LONG), Piece(A)]


PRINTED = b'{\n  "a": {\n    "x": "1"\n  },\n  "b": [\n    {\n      "y": 2\n    }\n  ]\n}'


def broken_at(line: int, instead: list[bytes]) -> bytes:
    """The printed value with one line put otherwise."""
    lines = PRINTED.split(b"\n")
    return b"\n".join([*lines[:line], *instead, *lines[line + 1 :]])


DAMAGED = [
    pytest.param(broken_at(2, [b'    "x": "1']), id="a string without its end"),
    pytest.param(broken_at(3, []), id="a bracket that is missing"),
    pytest.param(broken_at(4, []), id="a list that does not begin"),
    pytest.param(broken_at(8, [b"  }"]), id="a wrong bracket"),
    pytest.param(b"\n".join(PRINTED.split(b"\n")[:6]), id="an end that is missing, in an object"),
    pytest.param(b"\n".join(PRINTED.split(b"\n")[:3]), id="an end that is missing, after a value"),
]


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("damaged", DAMAGED)
def test_a_damaged_value_on_many_lines_is_one_piece_among_whole_ones(
    damaged: bytes, size: int
) -> None:
    for around in ([PRINTED], [A], [A, C]):
        values = [*around, damaged, *around]
        assert in_chunks(b"\n".join(values), size) == values
    assert in_chunks(damaged, size) == [damaged]


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("damaged", DAMAGED)
def test_a_damaged_element_printed_in_an_array_is_one_piece(damaged: bytes, size: int) -> None:
    values = [value.replace(b"\n", b"\n  ") for value in (PRINTED, damaged, PRINTED)]
    found = in_chunks(b"[\n  " + b",\n  ".join(values) + b"\n]", size)
    assert (len(found), found[0], found[-1]) == (3, values[0], values[2])


@pytest.mark.parametrize("size", [1, 7, 10_000])
@pytest.mark.parametrize("damaged", DAMAGED[:4])  # with the bracket before which others go on
def test_a_damaged_element_beside_others_on_its_lines_is_one_piece(
    damaged: bytes, size: int
) -> None:
    found = in_chunks(b"[ " + b", ".join([PRINTED, damaged, PRINTED]) + b" ]", size)
    assert (len(found), found[0], found[-1]) == (3, PRINTED, PRINTED)


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_what_is_left_of_a_value_without_its_first_lines_is_one_piece(size: int) -> None:
    rest = b"\n".join(PRINTED.split(b"\n")[1:4]).strip()
    assert in_chunks(rest + b"\n}\n" + PRINTED + b"\n" + A, size) == [rest + b"\n}", PRINTED, A]


LOGGED = [
    b'2026-03-02T09:00:00.500Z {"a":"}{","b":"]["}',
    b"2026-03-02T09:00:00.600Z START RequestId: 1 {version} }{ a",
    b'2026-03-02T09:00:00.700Z\t1\tINFO\t{"a":"}{"}',
    b'2026-03-02T09:00:00.700Z {\n  "a": 1\n}',
    b'2026-03-02T09:00:00.800+00:00 {"a":"cut',
    b"2026-03-02T09:00:00.900Z Traceback:\n  File",
    b"2026-03-02T09:01:00Z [1,2]",
]


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_each_message_of_a_log_is_a_piece_whatever_stands_in_it(size: int) -> None:
    assert in_chunks(b"\n".join(LOGGED) + b"\n", size) == LOGGED
    assert in_chunks(b"\n".join([A, *LOGGED, C]), size) == [A, *LOGGED, C]


@pytest.mark.parametrize("size", [1, 7, 10_000])
def test_lines_that_are_no_values_are_one_piece_up_to_the_next_value(size: int) -> None:
    rows = b'Contact ID,Channel\n1,VOICE\n"2",CHAT'
    assert in_chunks(rows, size) == [rows]
    assert in_chunks(rows + b"\n" + A, size) == [rows, A]


@pytest.mark.parametrize("damaged", [b'{\n"a": "cut\n', b'[\n  {\n    "a": "cut\n', b"x\n"])
@pytest.mark.timeout(60)
def test_what_is_left_of_a_broken_value_is_read_once(damaged: bytes) -> None:
    splitter = Splitter()
    body = damaged + b'    "b": {\n      "c": 1\n    },\n' * 20_000
    found = [piece for at in range(0, len(body), 64) for piece in splitter.feed(body[at : at + 64])]
    assert len([*found, *splitter.finish()]) == 1
