"""What is harmless: which signs are replaced, which stay, and that text may be printed piece by piece."""

from __future__ import annotations

import logging
import random
import re
import sys
import traceback
from collections.abc import Iterator
from pathlib import Path

import pytest
from support.linear import MOST, growth
from support.rude_app import PROBE, obeyed

import dify_notebook
from dify_notebook.errors import APIError
from dify_notebook.logs import logger
from dify_notebook.printable import LINE, MESSAGE, TEXT, glyphs, is_plain, one_line, visible

KEPT = [
    "plain, 中文, ไทย, العربية, עברית, हिन्दी",
    "\U0001f469\u200d\U0001f4bb \u0645\u06cc\u200c\u062e\u0648\u0627\u0647\u0645",  # joiners, in an emoji and in Persian
    "\U0001f3f4\U000e0067\U000e0062\U000e0073\U000e0063\U000e0074\U000e007f",  # Scotland's flag, made of tags
    "soft\u00adhyphen, no\u00a0break, \ufeffmark",
    "tab\tand\nlines",
]
REPLACED = [
    ("\x1b[31m", "␛[31m"),
    ("\x1b]0;title\x07", "␛]0;title␇"),
    ("a\x08\x7f\x00", "a␈␡␀"),
    ("\x9b31m \x85", "\ufffd31m \ufffd"),
    ("a\r\nb\rc", "a\nb\nc"),
    ("\u202egnp\u202c \u2066x\u2069 \u200f\u200e\u061c", "⟨U+202E⟩gnp⟨U+202C⟩ ⟨U+2066⟩x⟨U+2069⟩ \u200f\u200e\u061c"),
    ("half \ud83d", "half \ufffd"),
]


@pytest.mark.parametrize("text", KEPT)
def test_what_writing_needs_stays(text: str) -> None:
    assert visible(text) == text
    assert one_line(text) == " ".join(text.split())


@pytest.mark.parametrize(("text", "shown"), REPLACED)
def test_what_a_terminal_obeys_is_shown(text: str, shown: str) -> None:
    assert visible(text) == shown
    assert one_line(text) == " ".join(shown.split())


def test_nothing_that_a_terminal_obeys_is_left_of_any_character() -> None:
    everything = "".join(map(chr, range(sys.maxunicode + 1)))
    assert obeyed(everything), "the test knows what it looks for"
    assert obeyed(visible(everything)) == []
    assert obeyed(one_line(everything, len(everything) * 9)) == []
    assert "".join(sign for sign in everything if len(one_line(sign).splitlines()) > 1) == ""
    assert visible(everything).encode()


def test_once_is_enough() -> None:
    assert visible(visible(PROBE)) == visible(PROBE)
    assert one_line(one_line(PROBE)) == one_line(PROBE)


def test_a_text_may_be_printed_as_it_comes() -> None:
    """At every place where it may be cut, but within a line end."""
    for cut in range(len(PROBE) + 1):
        begin, end = PROBE[:cut], PROBE[cut:]
        assert glyphs(begin) + glyphs(end) == glyphs(PROBE)
        if not begin.endswith("\r"):
            assert visible(begin) + visible(end) == visible(PROBE)


@pytest.mark.parametrize("limit", [LINE, MESSAGE, TEXT])
def test_a_limit_counts_what_is_shown(limit: int) -> None:
    for text in ("x" * limit * 20, "\u202e" * limit * 20, "\r\n" * limit * 20, " " * limit * 20, PROBE * limit):
        for shown in (visible(text, limit), one_line(text, limit)):
            assert len(shown) <= limit
            assert shown.endswith("…"), "it tells that it was cut"
    assert visible("x" * limit, limit) == "x" * limit
    assert one_line("x" * limit, limit) == "x" * limit


def test_words_between_much_white_space_are_not_lost_within_reason() -> None:
    assert one_line("a" + " " * 1_000 + "b") == "a b"


def test_the_cost_grows_with_the_text() -> None:
    def shown(text: str) -> None:
        visible(text)
        one_line(text, len(text) * 9)

    assert growth(lambda count: PROBE * count, shown, 1_000) <= MOST


@pytest.mark.parametrize("text", ["a\nb", "a\rb", "a\tb", "a\u2028b", "a\x1bb", "a\u202eb", "x" * (LINE + 1)])
def test_what_may_not_be_offered(text: str) -> None:
    assert not is_plain(text)


@pytest.mark.parametrize("text", ["a  b", " a", "中文", "x" * LINE, ""])
def test_what_may_be_offered(text: str) -> None:
    assert is_plain(text)


# -- logs ------------------------------------------------------------------------------------


@pytest.fixture
def lines(tmp_path: Path) -> Iterator[Path]:
    """A file that gets what the package logs, as anybody's handler would write it."""
    handler = logging.FileHandler(tmp_path / "log.txt", encoding="utf-8")
    handler.setFormatter(logging.Formatter("%(levelname)s %(message)s"))
    root = logging.getLogger()
    root.addHandler(handler)
    yield tmp_path / "log.txt"
    root.removeHandler(handler)
    handler.close()


@pytest.mark.parametrize("name", ["dify_notebook", "dify_notebook.local"])
def test_a_line_of_the_log_is_one_harmless_line(lines: Path, name: str) -> None:
    log = logger(name)
    log.error("%s: %s", PROBE, APIError(PROBE, code=PROBE))
    log.error("x" * 10_000_000)
    log.error("%(a)s", {"a": 1})
    written = lines.read_text(encoding="utf-8")
    assert obeyed(written) == []
    assert [line[:6] for line in written.splitlines()] == ["ERROR "] * 3
    assert written.endswith("ERROR 1\n")
    assert len(written) < 3 * MESSAGE


def test_a_traceback_in_the_log_is_harmless(lines: Path) -> None:
    log = logger()
    try:
        try:
            raise ValueError(PROBE)
        except ValueError as problem:
            raise KeyError("x" * 1_000_000) from problem
    except KeyError:
        log.exception("a listener failed")
    written = lines.read_text(encoding="utf-8")
    assert "Traceback (most recent call last)" in written
    assert "gnp.exe" in written
    assert obeyed(written) == []
    assert len(written) < TEXT + MESSAGE


def test_every_logger_of_the_package_is_made_so() -> None:
    package = Path(dify_notebook.__file__).parent
    found = [
        path.name for path in package.rglob("*.py") if re.search(r"getLogger\(", path.read_text(encoding="utf-8"))
    ]
    assert found == ["logs.py"]


def test_asking_twice_filters_once() -> None:
    before = list(logger().filters)
    assert before
    assert logger().filters == before


# -- errors ----------------------------------------------------------------------------------


def test_an_error_keeps_its_words_and_shows_them_harmless() -> None:
    error = APIError(PROBE, code=PROBE, request_id=PROBE, hint=PROBE, attempted=PROBE, status=400)
    assert (error.message, error.code, error.request_id, error.hint) == (PROBE,) * 4
    assert error.args == (PROBE,)
    for shown in (str(error), repr(error), "".join(traceback.format_exception(error)), f"{error}"):
        assert obeyed(shown) == []
        assert "gnp.exe" in shown
    # No line of the message passes for one that is ours.
    forged = APIError("no\nrequest id: forged\nRun this: …", hint="Ask again.")
    assert str(forged).splitlines() == ["no", "    request id: forged", "    Run this: …", "Ask again."]


def test_an_error_is_bounded() -> None:
    long = "x" * 3_000_000
    error = APIError(long, code=long, request_id=long, hint=long, attempted=long)
    assert len(str(error)) < 3 * MESSAGE
    assert len(repr(error)) <= MESSAGE
    assert error.message == long


def test_random_texts_are_harmless() -> None:
    pick = random.Random(7)
    signs = [*PROBE, *"ab 中\u200d\ud83d\ude00"]
    for _ in range(300):
        text = "".join(pick.choices(signs, k=pick.randint(0, 400)))
        assert obeyed(visible(text) + one_line(text)) == []
        assert "\n" not in one_line(text)
