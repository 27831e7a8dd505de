"""What one text has that another has not, word by word: both texts can be read out of it, whatever they hold."""

from __future__ import annotations

import re

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.linear import MOST, growth
from unit.views_hostile import HOSTILE

from dify_notebook.views import limits
from dify_notebook.views.worddiff import Kind, Piece, WordDiff, compare, shortened

TEXTS = st.text(st.sampled_from("ab \n\tA.今天去é\u0301\u200b"), max_size=60) | st.text(max_size=40)


def sides(found: WordDiff) -> tuple[str, str]:
    """The two texts, as the pieces tell them."""
    a = "".join(text for kind, text in found.pieces if kind != "new")
    b = "".join(text for kind, text in found.pieces if kind != "gone")
    return a, b


def marks(found: WordDiff) -> str:
    signs: dict[Kind, str] = {"same": "{}", "gone": "[-{}-]", "new": "{{+{}+}}"}
    return "".join(signs[kind].format(text) for kind, text in found.pieces)


@given(TEXTS, TEXTS)
def test_both_texts_can_be_read_out_of_it(a: str, b: str) -> None:
    found = compare(a, b)
    assert sides(found) == (a, b)
    assert all(text for _, text in found.pieces)
    assert found.same is (a == b)
    kinds = [kind for kind, _ in found.pieces]
    assert all(one != other for one, other in zip(kinds, kinds[1:], strict=False)), "neighbours of a kind are one"


@given(TEXTS, TEXTS)
def test_two_changes_have_something_between_them(a: str, b: str) -> None:
    kinds = [kind for kind, _ in compare(a, b).pieces]
    assert ("new", "gone") not in set(zip(kinds, kinds[1:], strict=False))


@pytest.mark.parametrize(
    ("a", "b", "expected"),
    [
        ("a red door", "a green door", "a [-red-]{+green+} door"),
        ("The door", "the door", "[-The-]{+the+} door"),
        ("two  blanks", "two blanks", "two[- -] blanks"),
        ("one\ntwo", "one two", "one[-\n-]{+ +}two"),
        ("don't stop", "don't stop!", "don't stop{+!+}"),
        ("我们今天去北京。", "我们明天去上海。", "我们[-今-]{+明+}天去[-北京-]{+上海+}。"),
        ("用Dify很好", "用dify很好", "用[-Dify-]{+dify+}很好"),
        ("1,204", "1,205", "1,[-204-]{+205+}"),
        ("", "new", "{+new+}"),
        ("gone", "", "[-gone-]"),
        (" x", "x", "[- -]x"),
        ("x", "x\n", "x{+\n+}"),
        (
            "Some quite long words to be said here",
            "Other rather short ones to make another point",
            "[-Some quite long words to be said here-]{+Other rather short ones to make another point+}",
        ),
    ],
    ids=[
        "a word", "upper and lower case", "blanks", "a line end", "a sign", "chinese by characters", "chinese and latin",
        "a number", "nothing before", "nothing after", "a blank at the beginning", "a line end at the end",
        "a short word between long changes is no island",
    ],
)  # fmt: skip
def test_what_differs(a: str, b: str, expected: str) -> None:
    assert marks(compare(a, b)) == expected


def test_white_space_that_changed_is_seen() -> None:
    pieces = shortened(compare("a b\tc\n", "a  b c").pieces)
    assert pieces == [
        Piece("same", "a"), Piece("new", "\u2423"), Piece("same", " b"), Piece("gone", "\u2192"),
        Piece("new", "\u2423"), Piece("same", "c"), Piece("gone", "\u21b5\n"),
    ]  # fmt: skip


def test_of_what_is_the_same_the_neighbourhood_is_shown() -> None:
    text = " ".join(f"w{at}" for at in range(600))
    pieces = shortened(compare(f"{text} red {text}", f"{text} green {text}").pieces)
    assert [piece.kind for piece in pieces] == ["same", "gone", "new", "same"]
    assert all(len(piece.text) < 150 for piece in pieces)
    assert pieces[0].text.endswith("w599 ")
    assert pieces[3].text.startswith(" w0 w1")
    for word in re.findall(r"\w+", pieces[0].text + pieces[3].text):
        assert word in text.split(), "no word is cut"


@pytest.mark.parametrize("length", [1, 40, 74, 119, 120, 121, 130, 139])
def test_what_is_the_same_is_left_out_only_where_it_is_long(length: int) -> None:
    """As many characters as stand beside a change anyway are all of them there, on either side of it."""
    text = ("word " * 40)[: length - 1] + "."
    assert "".join(piece.text for piece in shortened(compare(text, text + "\n\nMore.").pieces)) == text + "\n\nMore."
    assert "".join(piece.text for piece in shortened(compare(text, "Before.\n\n" + text).pieces)) == "Before.\n\n" + text


def test_a_long_text_is_compared_by_line() -> None:
    lines = [f"line {at} of a long text" for at in range(limits.DIFF_WORDS // 2)]
    other = [*lines[:10], "another line", *lines[11:]]
    found = compare("\n".join(lines), "\n".join(other))
    assert found.by == "lines"
    assert [text for kind, text in found.pieces if kind != "same"] == ["\nline 10 of a long text", "\nanother line"]
    assert sides(found) == ("\n".join(lines), "\n".join(other))


@pytest.mark.parametrize(
    ("a", "b"),
    [("x " * 2_000, "y " * 2_000), ("x\n" * 2_000, "x\n" * 1_999 + "y"), ("x" * 70_000, "y" * 70_000)],
    ids=["one long line", "too many lines", "one long word"],
)
def test_of_texts_that_are_too_long_nothing_is_compared(a: str, b: str) -> None:
    found = compare(a, b)
    assert found.by == "nothing"
    assert sides(found) == (a, b)


@pytest.mark.parametrize("text", HOSTILE, ids=range(len(HOSTILE)))
def test_hostile_texts_are_texts(text: str) -> None:
    found = compare(text, f"{text} and {text[::-1]}")
    assert sides(found) == (text, f"{text} and {text[::-1]}")


def test_the_cost_grows_with_the_texts() -> None:
    def make(size: int) -> tuple[str, str]:
        words = [f"w{at % 97}" for at in range(size)]
        return " ".join(words), " ".join(reversed(words))

    assert growth(make, lambda pair: compare(*pair), 20_000) <= MOST


@pytest.mark.parametrize(
    ("a", "b", "unlike"),
    [
        ("red " * 60, "green " * 60, True),
        ("Use the file and a path. " * 10, "I find nothing here that a tool could do. " * 6, True),
        ("You find the pool on the roof. " * 6, "You find the sauna in the cellar. " * 6, False),
        ("Nothing of it.", "All else is here.", False),
        ("The answer. " * 20, "The answer. " * 20 + "More of it. " * 80, False),
        ("\u4eca\u5929" * 80, "\u660e\u65e5" * 80, True),
    ],
    ids=["other_words", "other_sentences", "alike", "short", "one_holds_the_other", "chinese"],
)
def test_texts_that_have_nothing_in_common_are_told_apart(a: str, b: str, unlike: bool) -> None:
    assert compare(a, b).unlike == unlike
    assert compare(b, a).unlike == unlike
