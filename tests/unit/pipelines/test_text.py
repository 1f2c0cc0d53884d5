"""Text as Dataverse holds it: characters, lengths and cuts."""

from __future__ import annotations

import json
import re

from xml.etree import ElementTree as ET

import pytest

from hypothesis import example, given
from hypothesis import strategies as st

from pipelines.template import Query, Template
from pipelines.text import cut, sound, units
from pipelines.value import plain
from pipelines.view import Names


#: What people see as one character each, and Unicode and UTF-16 do not.
ONES = [
    "😀",  # two UTF-16 units
    "e\u0301",  # a letter and its accent
    "e\u0302\u0323",  # and two
    "👩\u200d👩\u200d👧\u200d👦",  # four people joined
    "❤\ufe0f",  # a heart in colour
    "❤\ufe0f\u200d🔥",
    "👍🏽",  # a skin tone
    "👩🏽\u200d🚒",
    "🇩🇪",  # a flag of two letters
    "🏴\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # and one of six
    "1\ufe0f\u20e3",  # a keycap
    "각",
    "\u1100\u1161\u11a8",  # the same syllable in three parts
    "क\u094dषि",  # two consonants joined, and their vowel
    "न\u0940",
    "ก\u0e33",
    "\r\n",
    "\u0600\u0661",  # the Arabic number sign goes with its number
]

ones = st.sampled_from(ONES)
people_write = st.lists(ones | st.text(alphabet="ab ,.äß日", max_size=3), max_size=12)


@pytest.mark.parametrize(
    ("given_", "held"),
    [
        ("first\x0bsecond", "firstsecond"),
        ("Refund\0", "Refund"),
        ("\x1b[1mbold\x1b[0m", "[1mbold[0m"),
        ("odd \ufffe end\uffff", "odd  end"),
        ("tab\tand\r\nnew line", "tab\tand\r\nnew line"),
        ("a\ud83db", "a\ufffdb"),
        ("\udc00", "\ufffd"),
        ("\ud83d\ude00", "😀"),
        ("\x7f\x85\ufdd0\U0001ffff", "\x7f\x85\ufdd0\U0001ffff"),  # odd, but XML has them
        ("grün 😀", "grün 😀"),
    ],
)
def test_what_xml_cannot_hold_is_taken_out_and_half_a_pair_replaced(given_: str, held: str) -> None:
    assert sound(given_) == held


@given(st.text(alphabet=st.characters(exclude_categories=()), max_size=40))
@example("".join(map(chr, range(0x20))))
def test_sound_text_is_in_an_xml_document_and_stays_as_it_is(text: str) -> None:
    held = sound(text)
    assert sound(held) == held
    escaped = held.replace("&", "&amp;").replace("<", "&lt;")
    read = ET.fromstring(f"<a>{escaped}</a>").text or ""
    assert read == re.sub("\r\n?", "\n", held)


@pytest.mark.parametrize(
    "source", ["{{X}}", "a{{X}}", "{{ X | upcase }}", "{% if X %}{{X}}{% endif %}"]
)
def test_no_template_gives_a_character_that_xml_cannot_hold(source: str) -> None:
    value = Template(source).render(Names({"X": "A\x0b\0B"}))
    assert value.removeprefix("a") == "AB"


def test_no_structure_or_query_has_a_character_that_xml_cannot_hold() -> None:
    assert plain({"a\0": ["b\x01", {"c": "\ufffed"}]}) == {"a": ["b", {"c": "d"}]}
    query = Query("?$filter=name eq '{{X}}'").render(Names({"X": "A\x0bB"}))
    assert query == "?$filter=name%20eq%20'AB'"


@given(st.text(max_size=60))
def test_a_length_is_that_of_a_net_string(text: str) -> None:
    assert units(text) == len(text.encode("utf-16-le")) // 2


def test_an_emoji_counts_two() -> None:
    assert units("a😀") == 3
    assert cut("a😀", 3, "…") == "a😀"
    assert cut("a😀b", 3, "…") == "a…"


@given(people_write, st.integers(0, 40), st.sampled_from(["", "…"]))
def test_a_cut_text_fits_and_no_more_is_taken_off_than_needs_be(
    parts: list[str], most: int, ending: str
) -> None:
    text = "".join(parts)
    short = cut(text, most, ending)
    assert units(short) <= most
    if short != text:
        assert units(text) > most
        assert text.startswith(short.removesuffix(ending))


@pytest.mark.parametrize("one", ONES)
def test_a_cut_never_falls_inside_what_people_see_as_one_character(one: str) -> None:
    text = f"x{one}{one}x"
    whole = {"", "x", f"x{one}", f"x{one}{one}", text}
    assert {cut(text, most) for most in range(units(text) + 1)} == whole


@given(st.lists(ones, min_size=1, max_size=5), st.integers(0, 60))
def test_a_row_of_such_characters_is_cut_between_two_of_them(some: list[str], most: int) -> None:
    # A flag's halves pair up from the left, and a number sign goes with whatever follows.
    text = " ".join(some)
    ends = {text[:at] for at, c in enumerate(text) if c == " "}
    ends |= {end + " " for end in ends} | {"", text}
    assert cut(text, most) in ends


def test_flags_in_a_row_are_cut_between_flags() -> None:
    flags = "🇩🇪🇫🇷🇬🇧"
    assert [cut(flags, most) for most in (3, 4, 7, 8, 11)] == ["", "🇩🇪", "🇩🇪", "🇩🇪🇫🇷", "🇩🇪🇫🇷"]


def test_what_is_one_character_and_too_long_leaves_the_ending_alone() -> None:
    assert cut("e" + 50 * "\u0301", 20, "…") == "…"
    assert cut("e" + 50 * "\u0301", 0, "…") == ""


@given(people_write, st.integers(0, 40))
def test_fit_counts_as_dataverse_does_and_parts_nothing(parts: list[str], most: int) -> None:
    text = "".join(parts)
    fitted = Template("{{ X | fit }}", most).render(Names({"X": text}))
    assert units(fitted) <= most
    assert fitted == cut(text, most, "…")


def test_the_cut_text_of_a_call_can_be_sent_as_json() -> None:
    text = Template("{{ X | fit: 6 }}").render(Names({"X": "Anna👩‍👩‍👧‍👦"}))
    assert json.dumps(text).isascii()
    assert text == "Anna…"
