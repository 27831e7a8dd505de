"""What Tab offers on a `%%dify` or `%dify` line; never anything on a line that is not ours."""

from __future__ import annotations

from pathlib import Path
from types import SimpleNamespace
from typing import Any

import pytest
from hypothesis import given, settings
from hypothesis import strategies as st

from dify_notebook import Dify
from dify_notebook.app.template import expand
from dify_notebook.magic.complete import Candidates, Matcher, candidates_from, complete
from dify_notebook.magic.parse import parse_line
from dify_notebook.turn.state import Turn

KNOWN = Candidates(
    clients=("support",),
    names=("city", "cities", "answer", "support"),
    dicts=("config",),
    turns=("answer",),
    histories=("logs",),
    conversations=("1a2b", "9f"),
    inputs=(("topic", ()), ("tone", ("formal", "casual"))),
    tables=(("df", ("question", "my tone", "query")),),
)

OFFERED = [
    ("profiles", "%%dify ", "", ["guide", "toolbox", "pipeline", "tally", "local", "support"]),
    ("profile_begun", "%%dify gu", "gu", ["guide"]),
    ("client_variable", "%%dify su", "su", ["support"]),
    ("another_app_beside", "%%dify guide ", "", ["toolbox", "pipeline", "tally", "local", "support"]),
    ("another_app_begun", "%%dify guide --repeat 3 to", "to", ["toolbox"]),
    ("repeats", "%%dify --repeat ", "", ["2", "3", "5", "10"]),
    ("tables", "%%dify --over ", "", ["df"]),
    ("tables_equals", "%%dify --over=d", "d", ["df"]),
    ("budget_has_nothing", "%%dify --budget ", None, None),
    ("budget_units", "%%dify --budget 2.5", "2.5", ["2.5USD", "2.5CNY", "2.5tokens", "2.5calls"]),
    ("budget_unit_begun", "%%dify --budget 2U", "2U", ["2USD"]),
    ("row", "%%dify --over df\n{{ ro", "ro", ["row"]),
    ("row_without_a_table", "%%dify\n{{ ro", "ro", []),
    ("columns", "%%dify --over df\nSay {{ row.qu", "qu", ["question", "query"]),
    ("columns_on_the_line", "%%dify --over=df -i 'a={{ row.", "", ["question", "query"]),
    ("columns_of_another", "%%dify --over other\n{{ row.", "", []),
    ("columns_without_a_table", "%%dify\n{{ row.qu", None, None),
    ("profile_after_option", "%%dify --new to", "to", ["toolbox"]),
    ("options", "%%dify --", "--", None),
    ("option_begun", "%%dify --ti", "--ti", ["--timeout"]),
    ("option_after_values", "%%dify guide -i a=1 -o x --ag", "--ag", ["--again"]),
    ("used_once", "%%dify --new --ne", "--ne", []),
    ("many_times", "%%dify -i a=1 --inp", "--inp", ["--input", "--inputs"]),
    ("input_names", "%%dify -i ", "", ["topic=", "tone="]),
    ("input_name_begun", "%%dify -i to", "to", ["topic=", "tone="]),
    ("input_long", "%%dify --input to", "to", ["topic=", "tone="]),
    ("input_options", "%%dify -i tone=f", "f", ["formal"]),
    ("dicts", "%%dify --inputs ", "", ["config"]),
    ("conversations", "%%dify -c ", "", ["answer", "1a2b", "9f"]),
    ("conversations_equals", "%%dify --conversation=1", "1", ["1a2b"]),
    ("out", "%%dify -o an", "an", ["answer", "answer"]),
    ("timeout_has_nothing", "%%dify --timeout ", None, None),
    ("variable_on_the_line", "%%dify -i 'a={{ ci", "ci", ["city", "cities"]),
    ("variable_in_the_text", "%%dify -o x\nWeather in {{ cit", "cit", ["city", "cities"]),
    ("variable_after_braces", "%%dify\n{{", "", ["city", "cities", "answer", "support"]),
    ("text_without_braces", "%%dify\nWeather in cit", None, None),
    ("closed_braces", "%%dify\n{{ city }} ci", None, None),
    ("literal_braces", "%%dify\n\\{{ ci", None, None),
    ("line", "%dify ", "", ["apps", "connect", "conversations", "doctor", "forget", "help", "history", "mode", "new", "resume", "runs", "use"]),
    ("line_resume", "%dify resume ", "", ["answer"]),
    ("line_history", "%dify history ", "", ["logs", "--details", "--since", "--until", "--users"]),
    ("line_history_named", "%dify history logs --", "--", ["--details", "--since", "--until", "--users"]),
    ("line_history_rest", "%dify history --since 2026-01-01 --u", "--u", ["--until", "--users"]),
    ("line_history_flag", "%dify history --details --u", "--u", ["--until", "--users"]),
    ("line_history_everyone", "%dify history --users ", "", ["all"]),
    ("line_history_date", "%dify history --since 20", None, None),
    ("line_in_a_cell", "x = 1\n%dify mo", "mo", ["mode"]),
    ("line_mode", "%dify mode f", "f", ["fresh"]),
    ("line_modes", "%dify mode ", "", ["continue", "fresh", "replay", "append"]),
    ("line_use", "%dify use ", "", ["guide", "toolbox", "pipeline", "tally", "local", "support"]),
    ("line_too_far", "%dify mode fresh ", None, None),
    ("other_magic", "%%time --", None, None),
    ("name_itself", "%%dif", None, None),
    ("longer_name", "%%difyx --", None, None),
    ("not_first", "x\n%%dify --", None, None),
]


@pytest.mark.parametrize(("before", "fragment", "texts"), [pytest.param(*c[1:], id=c[0]) for c in OFFERED])
def test_offered(before: str, fragment: str | None, texts: list[str] | None) -> None:
    found = complete(before, KNOWN)
    if fragment is None:
        assert found is None or not found.texts
    else:
        assert found is not None
        assert found.fragment == fragment
        if texts is None:
            assert {"--new", "--timeout", "--dry-run"} <= set(found.texts)
        else:
            assert sorted(set(found.texts)) == sorted(set(texts))


#: What a server may call its inputs, their options and its conversations.
TOLD = st.one_of(
    st.text(max_size=12),
    st.text(st.sampled_from("ab:=-f \\'\"{}\u00a0~"), max_size=12),
    st.sampled_from(["v:", "v=", "x -f ~/a", "a' -f b '", "{{ city }}", "--new", "-f", "__import__('os')", "a\\"]),
)


@settings(max_examples=300)
@given(st.lists(TOLD, max_size=4), st.sampled_from(["", "'", '"']))
def test_what_a_server_tells_is_offered_as_one_text_of_one_option(told: list[str], quote: str) -> None:
    known = Candidates(inputs=tuple((name, tuple(told)) for name in ("tone", *told)), conversations=tuple(told))
    for before in (f"%%dify -i {quote}", f"%%dify -i {quote}tone=", f"%%dify -c {quote}"):
        found = complete(before, known)
        for text in found.texts if found is not None else ():
            assert found is not None
            line = before.removeprefix("%%dify ") + text.removeprefix(found.fragment) + quote
            arguments = parse_line(line + (" --quiet" if "-c" in line or "=" in line else ""))
            assert (arguments.files, arguments.new, arguments.inputs_from) == ((), False, None)
            if arguments.conversation is not None:
                assert arguments.conversation in told
                continue
            (one,) = arguments.inputs
            assert not one.expression
            assert expand(one.text, {"city": "Paris"}) == one.text
            assert one.text in (told if "tone=" in before else [""])


def test_an_expression_is_never_offered() -> None:
    known = Candidates(inputs=(("tone", ("__import__",)), ("tone:", ("x",))))
    for before in ("%%dify -i tone:=", "%%dify -i tone:=__"):
        found = complete(before, known)
        assert found is None or not found.texts
    named = complete("%%dify -i to", known)
    assert named is not None
    assert named.texts == ("tone=",)


def test_paths(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.chdir(tmp_path)
    (tmp_path / "data").mkdir()
    (tmp_path / "data" / "a b.csv").touch()
    (tmp_path / "data" / "ab.csv").touch()
    (tmp_path / "[x].txt").touch()
    found = complete("%%dify -f da", KNOWN)
    assert found is not None
    assert found.texts == ("data/",)
    found = complete("%%dify -f data/a", KNOWN)
    assert found is not None
    assert (found.fragment, found.texts) == ("a", ("a\\ b.csv", "ab.csv"))
    quoted = complete('%%dify -f "data/a', KNOWN)
    assert quoted is not None
    assert quoted.texts == ("a b.csv", "ab.csv")
    found = complete("%%dify -f [", KNOWN)
    assert found is not None
    assert found.texts == ("[x].txt",)


def test_known_comes_from_variables() -> None:
    client = Dify(api_key="app-" + "x" * 24, base_url="http://127.0.0.1:1")
    names = {"c": client, "d": {"a": 1}, "t": Turn(), "_hidden": 1, "In": [], "n": 2, "rows": [{"q": 1, "a b": 2}]}
    known = candidates_from(names, ["id"], [{"variable": "v", "options": ["o"]}, {"variable": "f", "type": "file"}])
    assert known == Candidates(
        clients=("c",), names=("c", "d", "t", "n", "rows"), dicts=("d",), turns=("t",), conversations=("id",),
        inputs=(("v", ("o",)), ("f", ())), texts=("v",),
        tables=(("rows", ("q", "a b")),),
    )  # fmt: skip


def test_matcher_asks_for_names_only_on_our_lines() -> None:
    asked: list[int] = []

    def known() -> Candidates:
        asked.append(1)
        return KNOWN

    matcher = Matcher(known)

    def ask(text: str) -> dict[str, Any]:
        lines = text.split("\n")
        return matcher(
            SimpleNamespace(full_text=text, cursor_line=len(lines) - 1, cursor_position=len(lines[-1]))
        )

    assert ask("import os")["completions"] == []
    assert not asked
    found = ask("%%dify --ti")
    assert [one.text for one in found["completions"]] == ["--timeout"]
    assert found["matched_fragment"] == "--ti"
