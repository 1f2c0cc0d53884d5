"""Foreign text on terminals: whatever would move, turn or hide something is written out."""

from __future__ import annotations

import json
import unicodedata

import pytest

from worker.terminal import shown, shown_lines


@pytest.mark.parametrize(
    ("text", "seen"),
    [
        ("\x1b]0;title\x07", "\\u001b]0;title\\u0007"),
        ("\x1b[2J", "\\u001b[2J"),
        ("\x9b31m", "\\u009b31m"),
        ("a\r\nb\tc", "a\\u000d\\u000ab\\u0009c"),
        ("\u202egnp.exe", "\\u202egnp.exe"),
        ("\u2066x\u2069\u200f", "\\u2066x\\u2069\\u200f"),
        ("zero\u200bwidth\u200d\ufeff", "zero\\u200bwidth\\u200d\\ufeff"),
        ("line\u2028\u2029", "line\\u2028\\u2029"),
        ("\udcff", "\\udcff"),
        ("tag\U000e0041", "tag\\udb40\\udc41"),
        ("Müller 山田 Ωé 😀 [red]\\", "Müller 山田 Ωé 😀 [red]\\"),
        ("1\u202f000\u00a0€", "1\u202f000\u00a0€"),
        ("", ""),
    ],
)
def test_what_does_things_to_a_terminal_is_written_out_and_the_rest_stays(
    text: str, seen: str
) -> None:
    assert shown(text) == seen


def test_no_character_of_unicode_that_is_shown_controls_anything() -> None:
    controlling = {"Cc", "Cf", "Cs", "Co", "Zl", "Zp"}
    seen = set(shown("".join(map(chr, range(0x110000)))))
    assert not controlling & set(map(unicodedata.category, seen))


def test_json_that_is_shown_is_the_same_json() -> None:
    value = {"a\u009b": "\u202e\x1b\U000e0041ü"}
    printed = json.dumps(value, indent=2, ensure_ascii=False)
    assert json.loads(shown_lines(printed)) == value
    assert shown_lines(printed).count("\n") == printed.count("\n")
