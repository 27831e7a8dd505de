"""The line of `%%dify`: what is understood, and that each mistake names itself and its mending."""

from __future__ import annotations

from contextlib import suppress

import pytest
from hypothesis import given
from hypothesis import strategies as st
from support.linear import MOST, growth

from dify_notebook.errors import DifyError
from dify_notebook.magic.parse import BY_NAME, OPTIONS, Arguments, Assignment, LineError, parse_line
from dify_notebook.magic.split import split
from dify_notebook.redact import has_key, redact

GOOD = [
    ("empty", "", Arguments()),
    ("blank", "   ", Arguments()),
    ("profile", "guide", Arguments(profile="guide")),
    ("profile_with_dashes", "support-eu.v2 -o x", Arguments(profile="support-eu.v2", out="x")),
    ("profile_in_chinese", "--new 客服", Arguments(profile="客服", new=True)),
    ("profile_with_digits", "2nd_line", Arguments(profile="2nd_line")),
    ("profile_last", "--new guide", Arguments(profile="guide", new=True)),
    ("text", "-i city=Paris", Arguments(inputs=(Assignment("city", "Paris"),))),
    ("text_empty", "-i city=", Arguments(inputs=(Assignment("city", ""),))),
    ("text_with_equals", "-i q=a=b", Arguments(inputs=(Assignment("q", "a=b"),))),
    ("text_quoted", "-i 'city=New York'", Arguments(inputs=(Assignment("city", "New York"),))),
    ("text_quoted_inside", '-i city="New York"', Arguments(inputs=(Assignment("city", "New York"),))),
    ("text_template", "-i city={{ town }}", None),
    ("text_template_quoted", "-i 'city={{ town }}'", Arguments(inputs=(Assignment("city", "{{ town }}"),))),
    ("expression", "-i n:=1+2", Arguments(inputs=(Assignment("n", "1+2", True),))),
    ("expression_quoted", "-i 'n:= len(rows)'", Arguments(inputs=(Assignment("n", "len(rows)", True),))),
    ("joined_short", "-icity=Paris -oout", Arguments(inputs=(Assignment("city", "Paris"),), out="out")),
    ("joined_long", "--out=out --timeout=2.5", Arguments(out="out", timeout=2.5)),
    ("inputs", "--inputs config.inputs", Arguments(inputs_from="config.inputs")),
    ("inputs_json", """--inputs '{"a:": "1=2", "b": [null]}'""", Arguments(inputs_from={"a:": "1=2", "b": [None]})),
    ("files", "-f a.png --file 'b c.png'", Arguments(files=("a.png", "b c.png"))),
    ("windows_path", r"-f C:\data\x.csv", Arguments(files=(r"C:\data\x.csv",))),
    ("windows_path_quoted", r'-f "C:\my data\x.csv"', Arguments(files=(r"C:\my data\x.csv",))),
    ("escaped_space", r"-f my\ file.txt", Arguments(files=("my file.txt",))),
    ("server", r"-f \\nas\photos\x.png", Arguments(files=(r"\\nas\photos\x.png",))),
    ("server_joined", r"--file=\\nas\x.png -f=\\nas\y.png", Arguments(files=(r"\\nas\x.png", r"\\nas\y.png"))),
    ("server_quoted", r'-f "\\nas\my photos\x.png"', Arguments(files=(r"\\nas\my photos\x.png",))),
    ("server_doubled", r"-f \\\\nas\\x.png", Arguments(files=(r"\\nas\x.png",))),
    ("windows_doubled", r"-f C:\\data\\x.csv", Arguments(files=(r"C:\data\x.csv",))),
    ("long_path", r"-f \\?\C:\x.png", Arguments(files=(r"\\?\C:\x.png",))),
    ("directory", "-i at=C:\\data\\ -o x", Arguments(inputs=(Assignment("at", "C:\\data\\"),), out="x")),
    ("directory_at_the_end", "-i at=..\\data\\", Arguments(inputs=(Assignment("at", "..\\data\\"),))),
    ("directory_quoted", '-i "at=C:\\my data\\" --new', Arguments(inputs=(Assignment("at", "C:\\my data\\"),), new=True)),
    ("directory_quoted_inside", '-i at="\\\\nas\\my data\\"', Arguments(inputs=(Assignment("at", "\\\\nas\\my data\\"),))),
    ("windows_escaped_space", r"-f C:\my\ data\x.csv", Arguments(files=(r"C:\my data\x.csv",))),
    ("escaped_backslash", r"-i a=\\d+", Arguments(inputs=(Assignment("a", r"\d+"),))),
    ("conversation", "-c 1a2b --once", Arguments(conversation="1a2b", once=True)),
    ("switches", "--again --no-vars --quiet", Arguments(again=True, no_vars=True, quiet=True)),
    ("dry_run", "--dry-run", Arguments(dry_run=True)),
    ("user", "--user anna@example.org", Arguments(user="anna@example.org")),
    ("value_that_begins_with_dash", "--user -x", Arguments(user="-x")),
    ("dollars_and_hashes", "-i a=$HOME#1", Arguments(inputs=(Assignment("a", "$HOME#1"),))),
    ("quotes_of_texts", "-i q=“yes” -i 'r=“New York”' -i s=l’eau", Arguments(
        inputs=(Assignment("q", "“yes”"), Assignment("r", "“New York”"), Assignment("s", "l’eau"))
    )),
    ("dashes_of_texts", "-i q=—a–b", Arguments(inputs=(Assignment("q", "—a–b"),))),
    ("out_in_wide_letters", "-o ｏｕｔ", Arguments(out="out")),
    ("wide_signs_in_a_text", "-i q=a＝b：＝c", Arguments(inputs=(Assignment("q", "a＝b：＝c"),))),
    ("wide_blanks", "-o　x　--new", Arguments(out="x", new=True)),
    ("version", "support@8a1b-2c", Arguments(profile="support", workflow_id="8a1b-2c")),
    ("version_by_option", "support --workflow-id 8a1b", Arguments(profile="support", workflow_id="8a1b")),
    ("two_apps", "support draft -o s", Arguments(apps=("support", "draft"), out="s")),
    ("apps_around_options", "support --quiet draft", Arguments(apps=("support", "draft"), quiet=True)),
    ("two_versions", "support@1 support@2 support", Arguments(apps=("support@1", "support@2", "support"))),
    ("repeat", "--repeat 3", Arguments(repeats=3)),
    ("repeat_once", "guide --repeat=1", Arguments(apps=("guide",), repeats=1)),
    ("repeat_of_a_version", "guide@1 --repeat 20", Arguments(apps=("guide@1",), repeats=20)),
    ("repeat_of_the_chosen", "--repeat 2 --workflow-id 1", Arguments(repeats=2, workflow_id="1")),
    ("over", "--over 'data[\"a\"]' guide", Arguments(apps=("guide",), over='data["a"]')),
    ("budget", "a b --budget 2USD", Arguments(apps=("a", "b"), budget="2USD")),
    ("budget_in_words", "--budget '500 tokens'", Arguments(budget="500 tokens")),
    ("chinese", "-i 城市=巴黎", Arguments(inputs=(Assignment("城市", "巴黎"),))),
]


@pytest.mark.parametrize(("line", "expected"), [pytest.param(c[1], c[2], id=c[0]) for c in GOOD])
def test_line_is_understood(line: str, expected: Arguments | None) -> None:
    if expected is None:  # blanks inside braces split the word, as a shell would
        with pytest.raises(LineError, match="city={{ ends within its braces"):
            parse_line(line)
    else:
        assert parse_line(line) == expected


BAD = [
    ("unknown_option", "--tiemout 3", ["--tiemout", "Did you mean --timeout?"]),
    ("unknown_short", "-x", ["no option -x", "--conversation"]),
    ("single_dash_long", "-new", ["Did you mean --new?"]),
    ("missing_at_end", "guide -o", ["-o needs a value", "NAME"]),
    ("missing_before_option", "-o --new", ["-o needs a value"]),
    ("empty_value", "--out=", ["--out needs a value"]),
    ("switch_with_value", "--new=1", ["--new is a switch"]),
    ("out_no_name", "-o 1st", ["1st", "answer"]),
    ("out_keyword", "-o class", ["class"]),
    ("timeout_text", "--timeout soon", ["seconds", "soon"]),
    ("timeout_zero", "--timeout 0", ["above 0"]),
    ("timeout_nan", "--timeout nan", ["nan"]),
    ("timeout_infinite", "--timeout inf", ["inf"]),
    ("input_without_sign", "-i city", ["NAME=TEXT", "city"]),
    ("input_bad_name", "-i 1=2", ["NAME=TEXT"]),
    ("expression_empty", "-i n:=", ["n", "not a Python expression"]),
    ("wide_equals", "-i city＝Paris", ["＝", "full-width", "-i city=…"]),
    ("wide_colon", "-i n：=1", ["：", "-i n:=…"]),
    ("em_dash", "—new", ["—", "no hyphen", "write --new"]),
    ("en_dash", "guide –o x", ["–", "write -o"]),
    ("minus_and_value", "−−timeout=3", ["−", "write --timeout=3"]),
    ("wide_hyphen", "－c 1", ["－", "write -c"]),
    ("quotes_of_a_text", "-i city=“New York”", ["“ in column 9", "write \" or '"]),
    ("quotes_of_a_text_around", "-i ‘city=New York’", ["‘ in column 4"]),
    ("closing_quotes_only", "-i city=”New York”", ["” in column 9"]),
    ("french_quotes", "-i q=«oui et non»", ["« in column 6"]),
    ("corner_quotes", "-i q=「a b」", ["「 in column 6"]),
    ("json_in_quotes_of_a_text", "--inputs ‘{1: 2}’", ["‘ in column 10"]),
    ("input_twice", "-i a=1 -i a=2", ["a is given twice"]),
    ("inputs_no_json", "--inputs '{\"a\": }'", ["--inputs", "single quotes"]),
    ("inputs_json_without_quotes", '--inputs {"a":1}', ["single quotes"]),
    ("inputs_json_no_number", "--inputs '{\"a\": NaN}'", ["NaN"]),
    ("inputs_json_twice", "--inputs '{}' --inputs a", ["given twice"]),
    ("expression_broken", "-i n:=1+", ["n", "1+", "not a Python expression"]),
    ("expression_statement", "-i 'n:=import os'", ["not a Python expression"]),
    ("out_twice", "-o a -o b", ["given twice"]),
    ("app_twice", "guide toolbox guide", ["guide stands twice", "guide@ID", "--repeat 3"]),
    ("version_again", "a@1 b a@1", ["a@1 stands twice"]),
    ("no_version", "support@", ["support@ is not", "support@ID"]),
    ("version_only", "@8a1b", ["@8a1b is not"]),
    ("version_with_blanks", "'support@a b'", ["support@a b is not"]),
    ("two_versions_of_one", "support@1 --workflow-id 2", ["support@1", "--workflow-id 2"]),
    ("version_of_several", "a b --workflow-id 2", ["a@2"]),
    ("version_beside_repeats", "a --repeat 2 --workflow-id 2", ["a@2"]),
    ("repeat_nothing", "--repeat", ["--repeat needs a value", "N"]),
    ("repeat_zero", "--repeat 0", ["1 to 20", "not 0"]),
    ("repeat_negative", "--repeat -1", ["not -1"]),
    ("repeat_many", "--repeat 21", ["1 to 20", "Sweep"]),
    ("repeat_text", "--repeat three", ["not three"]),
    ("repeat_fraction", "--repeat 2.0", ["not 2.0"]),
    ("repeat_wide", "--repeat ３", ["not ３"]),
    ("repeat_twice", "--repeat 3 --repeat 2", ["given twice"]),
    ("over_nothing", "--over=", ["--over needs a value"]),
    ("budget_nothing", "a b --budget", ["--budget needs a value", "AMOUNT"]),
    ("beside_and_conversation", "a b -c 1", ["--conversation", "conversation of its own"]),
    ("beside_and_new", "a b --new", ["--new", "conversation of its own"]),
    ("repeat_and_again", "--repeat 2 --again", ["--again", "conversation of its own"]),
    ("beside_and_append", "a b --append", ["--append", "conversation of its own"]),
    ("over_and_once", "--over df --once", ["--once", "conversation of its own"]),
    ("question_on_the_line", "what's up?", ["The '"]),
    ("profile_no_name", "what?", ["what?", "below"]),
    ("open_quote", "-i 'city=Paris", ["column 4", "not closed"]),
    ("continued", "-i a=b \\", ["backslash"]),
    ("new_with_conversation", "--new -c 1", ["--new", "-c"]),
    ("new_with_again", "--new --again", ["--again", "--new"]),
    ("again_with_conversation", "--again -c 1", ["--again", "-c"]),
    ("dry_run_with_quiet", "--dry-run --quiet", ["--dry-run", "--quiet"]),
]


@pytest.mark.parametrize(("line", "says"), [pytest.param(c[1], c[2], id=c[0]) for c in BAD])
def test_mistake_is_named(line: str, says: list[str]) -> None:
    with pytest.raises(LineError) as caught:
        parse_line(line)
    assert isinstance(caught.value, DifyError)
    assert caught.value.hint
    for words in says:
        assert words in str(caught.value)


def test_key_on_the_line_is_not_repeated() -> None:
    """A key typed where a profile belongs must not reach the saved error output."""
    key = "app-" + "Zx9" * 8
    with pytest.raises(LineError) as caught:
        parse_line(f"{key}-")
    assert key not in str(caught.value)
    assert has_key(f"see {key}.")
    assert redact(f"see {key}.") == "see app-***."
    assert not has_key("an app-store and whatsapp-abcdefghijklmnopqrstuv")


@given(st.text())
def test_line_is_read_or_refused(line: str) -> None:
    """Whatever stands on the line: arguments or a LineError, never another exception."""
    with suppress(LineError):
        parse_line(line)


@pytest.mark.parametrize("piece", ["“a ", "a” ", "-i ‘a=b ", "{{a ", "{{a}} ", "—a", "C:\\ ", "\\\\a\\b\\ ", "'", "\\"])
def test_a_long_line_costs_what_it_is_long(piece: str) -> None:
    def read(line: str) -> None:
        with suppress(LineError):
            parse_line(line)

    assert growth(lambda size: piece * size, read, 4_000) <= MOST


WORDS = st.text(alphabet=st.characters(blacklist_characters="'", blacklist_categories=["Cs"]), min_size=1)


@given(st.lists(WORDS))
def test_quoted_words_come_back(words: list[str]) -> None:
    assert [word.text for word in split(" ".join(f"'{word}'" for word in words))] == words


def test_every_option_has_its_field() -> None:
    assert {option.field for option in OPTIONS} | {"profile", "apps"} == set(Arguments.__struct_fields__)
    assert len(BY_NAME) == sum(len(option.names) for option in OPTIONS)
