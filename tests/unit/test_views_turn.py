"""What is shown of a turn, in all its forms."""



from __future__ import annotations

import json
import re
import subprocess
import sys
from base64 import b64encode
from decimal import Decimal
from importlib.resources import files
from typing import Any

import msgspec
import pytest
from unit import views_examples as examples

from dify_notebook import views
from dify_notebook.turn.state import (
    AgentLog,
    Audio,
    Citation,
    MessageFile,
    Node,
    NodeStatus,
    Thought,
    Timing,
    Turn,
    TurnError,
    Usage,
    Warning_,
    Workflow,
)
from dify_notebook.views import timeline, timeline_table
from dify_notebook.views.block import Block
from dify_notebook.views.blocks import SLOTS
from dify_notebook.views.facts import marked_answer, notices
from dify_notebook.views.html import serialize
from dify_notebook.views.parts import Memo
from dify_notebook.views.pictures import picture_type
from dify_notebook.views.style import STYLES, css
from dify_notebook.views.words import Words, host, price

EXAMPLES = {
    "chat": examples.chat(),
    "agent": examples.agent(),
    "chatflow": examples.chatflow(),
    "running chatflow": examples.chatflow(3.3),
    "workflow": examples.workflow(),
    "running workflow": examples.workflow(4.2),
    "completion": examples.completion(),
    "troubled": examples.troubled(),
    "nothing known": Turn(),
    "from history": Turn(answer="a", status="succeeded", source="history"),
}


def words_of(html: str) -> str:
    return re.sub(r"\s+", " ", re.sub(r"<[^>]+>", " ", html)).strip()


def slot(root: Block, name: str) -> Block:
    return next(child for child in root.children if child.key == name)


def shown(turn: Turn, name: str, now: float = 0.0) -> str:
    return words_of(serialize(slot(views.TurnView("en").blocks(turn, now), name)))


@pytest.mark.parametrize("turn", EXAMPLES.values(), ids=EXAMPLES)
@pytest.mark.parametrize("lang", ["en", "zh-Hans"])
def test_every_form_of_every_turn(turn: Turn, lang: Any) -> None:
    """No field that may be None breaks a view, and the slots stand fast."""
    root = views.TurnView(lang).blocks(turn, 1.0)
    assert [child.key for child in root.children] == list(SLOTS)
    bundle = views.bundle(turn, lang)
    assert list(bundle) == ["text/html", "text/markdown", "text/plain"]
    assert bundle["text/html"].startswith('<div class="mathjax_ignore"')
    assert "None" not in words_of(bundle["text/html"]) + bundle["text/markdown"] + bundle["text/plain"]
    assert views.TextStream(lang).end(turn)


def test_history_values_of_none_are_not_said() -> None:
    """A page of the history knows little: every value inside may be None."""
    turn = Turn(
        answer="a",
        status="succeeded",
        usage=Usage(),
        timing=Timing(),
        thoughts=(Thought(id="t"),),
        logs=(AgentLog(id="l"),),
        nodes=(Node(id="n"),),
        files=(MessageFile(),),
        citations=(Citation(),),
        audio=Audio(),
    )
    for text in views.bundle(turn, "en").values():
        assert "None" not in text


def test_blocks_depend_on_turn_time_and_language_alone() -> None:
    """A view that saw all that came before gives what a new one gives."""
    whole = examples.chatflow()
    frames: list[tuple[Turn, float]] = [(Turn(), 0.1), (Turn(), 2.4)]
    frames += [(examples.chatflow(n / 4), n / 4) for n in range(2, 26)]
    frames += [
        (msgspec.structs.replace(whole, answer=whole.answer[:n], status="running"), 6.0)
        for n in range(0, 60, 3)
    ]
    frames += [(whole, 7.0)]
    view = views.TurnView("en")
    for turn, now in frames:
        assert view.blocks(turn, now) == views.TurnView("en").blocks(turn, now)


def keys(block: Block) -> list[str]:
    found = [child.key for child in block.children]
    assert len(found) == len(set(found)), found
    for child in block.children:
        keys(child)
    return found


@pytest.mark.parametrize("turn", EXAMPLES.values(), ids=EXAMPLES)
def test_keys_are_unique(turn: Turn) -> None:
    """Patches find their place by keys."""
    keys(views.TurnView("en").blocks(turn, 1.0))


def test_still_rows_of_the_timeline_are_the_same_objects() -> None:
    """Nodes that ended rest while others run: a second later only what runs is another object."""
    view = views.TurnView("en")
    before = slot(view.blocks(examples.chatflow(3.3), 3.3), "timeline")
    after = slot(view.blocks(examples.chatflow(3.3), 4.4), "timeline")

    def rows(block: Block) -> list[Block]:
        return [block] if block.tag == "tr" else [row for child in block.children for row in rows(child)]

    assert len(before.children) == 1
    changed = [b.key for a, b in zip(rows(before), rows(after), strict=True) if b is not a and b.key != "row"]
    assert changed == ["3", "5"]


def test_two_timelines_on_one_scale() -> None:
    """On the longer one's scale a second is as wide in both, and a node without an end stops where its turn did."""
    whole = examples.chatflow()
    seconds = 2 * timeline.scale(whole)
    cut = msgspec.structs.replace(
        whole, nodes=tuple(msgspec.structs.replace(node, finished_at=None, status="running") for node in whole.nodes or ())
    )
    for turn in (whole, cut):
        own, shared = (
            serialize(timeline_table.blocks(turn, Words("en"), 0.0, Memo(), scale=scale)[0]) for scale in (None, seconds)
        )
        wide = re.compile(r'class="dn-bar(?: [^"]*)?" style="margin-left:[\d.]+%;width:([\d.]+)%"')
        halves = [(float(a) / 2, float(b)) for a, b in zip(wide.findall(own), wide.findall(shared), strict=True)]
        assert halves
        assert [half for half, found in halves] == pytest.approx([found for _, found in halves], abs=0.75)  # the last bar is moved in


def test_header_and_waiting() -> None:
    assert shown(Turn(app="Sea guide", server="https://u:p@h.example:8443/v1?key=x"), "header", 3.9) == (
        "New conversation · Sea guide · h.example:8443 · ● Waiting… 3 s"
    )
    assert (
        shown(examples.chat(), "header")
        == "Turn 4 of “Planning a sailing trip” · Sea guide · api.example.org"
    )


def test_footer() -> None:
    assert shown(examples.chat(), "footer").endswith(
        "✓ Done · 1,355 tokens (1,033 in, 322 out) · $0.002143 · first token 0.83 s · total 4.24 s · api.example.org"
        " · conversation 45701982"
    )
    assert shown(examples.chatflow(3.3), "footer", 65).startswith("● Running · 1 min 05 s")


NOT_COUNTED = Usage(prompt_tokens=0, completion_tokens=0, total_tokens=0, total_price=Decimal("0E-7"), currency="USD")


@pytest.mark.parametrize(
    ("turn", "tokens"),
    [
        (Turn(usage=NOT_COUNTED, status="succeeded"), ["0 tokens (0 in, 0 out)"]),  # as of an annotation
        (Turn(usage=NOT_COUNTED, status="failed", source="history"), []),
        (Turn(usage=Usage(total_tokens=0, total_price=Decimal("0.01")), status="succeeded", source="history"), []),
        (Turn(usage=Usage(total_tokens=7), status="succeeded", source="history"), ["7 tokens"]),
        (Turn(usage=NOT_COUNTED, workflow=Workflow("r", total_tokens=12), status="failed"), ["12 tokens"]),
        (Turn(usage=NOT_COUNTED, workflow=Workflow("r", total_tokens=0), status="failed"), ["0 tokens (0 in, 0 out)"]),
        (Turn(workflow=Workflow("r", total_tokens=0), status="failed"), ["0 tokens"]),
        (Turn(workflow=Workflow("r"), status="failed"), []),
        (Turn(status="failed"), []),
    ],
)
def test_tokens_that_were_not_counted_are_not_told_as_none(turn: Turn, tokens: list[str]) -> None:
    footer = shown(turn, "footer").split(" \u00b7 ")
    assert [part for part in footer if "token" in part] == tokens


@pytest.mark.parametrize("lang", ["en", "zh-Hans"])
@pytest.mark.parametrize("code", ["connection", "followed", "gap", "nodes", "server", "unexpected", "unknown_event", "unmoderated"])
def test_each_warning_has_a_heading(code: str, lang: Any) -> None:
    turn = Turn(status="succeeded", warnings=(Warning_(code=code, message="what happened"),))
    lines = views.text(turn, lang).splitlines()
    heading = lines[lines.index("    what happened") - 1]
    assert heading.startswith("\u26a0 ")
    assert heading != f"\u26a0 {code}"


@pytest.mark.parametrize(
    ("turn", "told"),
    [
        (Turn(status="stopped", end="stopped", stop_confirmed=True), "Stopped. The server confirmed it."),
        (Turn(status="stopped", end="stopped", stop_confirmed=False), "The server did not confirm it"),
        (Turn(status="stopped"), "The server stopped this run."),
        (Turn(status="incomplete", end="eof"), "without saying that the answer is complete"),
        (Turn(status="incomplete", end="disconnected"), "The connection broke"),
        (Turn(status="incomplete", end="timed_out", stop_confirmed=True), "time limit was reached"),
        (Turn(status="paused", end="paused"), "waits for a person"),
        (
            Turn(status="failed", error=TurnError("invalid_param", "Run failed: x", 400)),
            "Error: invalid_param (400) Run failed: x",
        ),
        (Turn(status="succeeded", replaced=True), "Moderation replaced the answer."),
        (Turn(status="succeeded", annotation={"id": "x"}), "Answered from an annotation"),
    ],
)
def test_what_went_another_way_is_told(turn: Turn, told: str) -> None:
    assert told in shown(turn, "notice")
    assert told.partition(" (400)")[0] in views.text(turn, "en")


def test_an_error_without_a_code_has_a_heading_without_a_colon() -> None:
    failed = Turn(status="failed", error=TurnError(code="", message="boom"), source="history")
    assert "✕ Error\n    boom" in views.text(failed)
    assert "> **Error**\n>\n> ```\n> boom" in views.markdown(failed, "en")
    assert "> **错误**" in views.markdown(failed, "zh-Hans")
    assert "✕ Error: (502)\n" in views.text(Turn(status="failed", error=TurnError(code="", message="", status=502)))


def test_chinese_has_its_own_colon() -> None:
    turn = Turn(
        status="failed",
        error=TurnError("invalid_param", "x", 400),
        thoughts=(Thought("1", tool="t", tool_input="{}"),),
        nodes=(Node("n", status="failed", error="no"),),
    )
    text = "".join(views.bundle(turn, "zh-Hans").values())
    assert "错误：invalid_param" in text
    assert "输入：" in text
    assert "：no" in text
    assert not re.search("[\u4e00-\u9fff]: ", text)


def test_timeline_nests_and_measures() -> None:
    text = views.text(examples.chatflow(), "en")
    assert "  ✓ Each harbour · Iteration · 3 of 3 rounds · 3.58 s · 1,630 tokens" in text
    assert "    ✓ Describe · LLM · round 2 · 1 retry · 1.28 s · 560 tokens" in text
    html = views.html(examples.chatflow(), "en")
    assert "margin-left:5.81%;width:0.17%" in html  # 0.35 s to 0.36 s of 6.02 s
    assert html.index("Each harbour") < html.index("round 2") < html.index("Harbour weather")


def test_bars_grow_while_a_node_runs() -> None:
    def bars(now: float) -> list[str]:
        return re.findall(
            r"margin-left:[0-9.]+%;width:([0-9.]+)%", serialize(views.TurnView("en").blocks(turn, now))
        )

    turn = Turn(nodes=(Node(id="a", title="A", started_at=1.0),))
    assert bars(2.0) == ["50"]  # of two seconds
    assert bars(2.5) == ["50"]  # of three
    assert bars(3.0) == ["66.67"]
    assert bars(3.1) == bars(3.2)  # not sent more often than it can be seen


def test_nodes_in_a_circle_and_many_children_are_all_counted() -> None:
    nodes: tuple[Node, ...] = (
        Node(id="a", parent="b"),
        Node(id="b", parent="a"),
        Node(id="it", kind="iteration", title="It"),
    )
    strange: dict[int, NodeStatus] = {70: "failed", 80: "exception", 99: "running"}
    nodes += tuple(
        Node(id=f"c{n}", parent="it", title=f"child {n}", status=strange.get(n, "succeeded")) for n in range(100)
    )
    text = views.text(Turn(status="succeeded", nodes=nodes), "en")
    assert "103 steps" in text
    seen = [int(n) for n in re.findall(r"child (\d+)", text)]
    assert seen == [*range(24), 70, 80, 99], "the first, and those that one looks for"
    assert "73 more steps" in text


def test_thoughts() -> None:
    turn = examples.agent()
    html = shown(turn, "thoughts")
    assert html.startswith("1. Summary of a table (csv_summary)")
    assert "3." not in html  # the closing thought repeats the answer
    running = msgspec.structs.replace(
        turn, status="running", answer="", thoughts=(Thought(id="t", tool="current_time", tool_input="{}"),)
    )
    assert "working…" in shown(running, "thoughts")
    chinese = words_of(serialize(slot(views.TurnView("zh-Hans").blocks(turn), "thoughts")))
    assert chinese.startswith("1. 表格摘要 (csv_summary)")


def test_long_values_are_cut_and_it_is_told() -> None:
    turn = Turn(status="succeeded", thoughts=(Thought(id="t", tool="x", observation="o" * 50_000),))
    html = views.html(turn, "en")
    assert "the first 4,000 of 50,000 characters" in html
    assert len(html) < 9_000


def test_only_pictures_are_shown_as_pictures() -> None:
    for data, kind in [
        (examples.PNG, "image/png"),
        (b"\xff\xd8\xff\xe0", "image/jpeg"),
        (b"GIF89a", "image/gif"),
        (b"RIFF\0\0\0\0WEBP", "image/webp"),
        (b"<svg/>", ""),
        (b"<html>", ""),
        (b"", ""),
        (None, ""),
    ]:
        assert picture_type(data) == kind
        turn = Turn(
            status="succeeded",
            files=(
                MessageFile(name="a.svg", mime_type="image/svg+xml", data=data, url="https://s.example/x"),
            ),
        )
        html = views.html(turn, "en")
        assert ("<img" in html) == bool(kind)
        assert "s.example" not in html
        if kind and data:
            assert f"data:{kind};base64,{b64encode(data).decode()}" in html


@pytest.mark.parametrize(
    ("answer", "raw", "offset", "marked"),
    [
        ("one two", "one two", 3, "one⚠ two"),
        ("one\n\ntwo", "one\n\ntwo", 5, "one ⚠\n\ntwo"),
        ("```\nx\n```\ny", "```\nx\n```\ny", 10, "```\nx\n```\n⚠\ny"),
        ("| a |\n|---|\n| b |", "| a |\n|---|\n| b |", 12, "| a |\n|---|\n⚠\n| b |"),
        ("answer", "<think>x</think>answer", 19, "ans⚠wer"),
        ("answer", "answer", 0, "⚠\nanswer"),
        ("answer", "answer", 99, "answer⚠"),
        ("A: B", "A: <think>x</think>B", 20, "A: B⚠"),
    ],
)
def test_damage_is_marked_at_its_place(answer: str, raw: str, offset: int, marked: str) -> None:
    turn = Turn(
        answer=answer, answer_raw=raw, warnings=(Warning_(code="damaged", message="m", offset=offset),)
    )
    assert marked_answer(turn) == marked


WARNINGS = ("unknown_event", "unexpected", "server", "connection", "not_resumed", "followed", "gap", "nodes", "unmoderated")


@pytest.mark.parametrize("lang", ["en", "zh-Hans"])
@pytest.mark.parametrize("code", WARNINGS)
def test_what_a_warning_is_about_is_said_in_words(code: str, lang: Any) -> None:
    [notice] = notices(Turn(answer="a", status="succeeded", warnings=(Warning_(code=code, message="m"),)), Words(lang))
    assert notice.text == Words(lang)(f"warning.{code}")


def test_prices_hosts_and_times() -> None:
    assert price(Decimal("0.0021430"), "USD") == "$0.002143"
    assert price(Decimal("1.5"), "USD") == "$1.50"
    assert price(Decimal("1E-7"), "RMB") == "¥0.0000001"
    assert price(Decimal("2"), "CHF") == "2 CHF"
    assert host("https://user:secret@h.example/v1") == "h.example"
    assert host("http://[::1]:5001/v1") == "[::1]:5001"
    words = Words("en")
    assert [words.seconds(n) for n in (0.004, 9.99, 9.996, 59.94, 59.96, 3600)] == [
        "0.00 s", "9.99 s", "10.0 s", "59.9 s", "1 min 00 s", "60 min 00 s",
    ]  # fmt: skip


def test_stream_prints_everything_once_and_the_answer_verbatim() -> None:
    whole = examples.chatflow()
    stream = views.TextStream("en")
    out = ""
    for n in range(1, 25):
        out += stream.feed(examples.chatflow(n / 4), n / 4)
    assert out.startswith("Turn 2 of “Harbours” · Harbour pipeline · api.example.org\n")
    assert "● Each harbour" in out
    for end in range(0, len(whole.answer), 7):
        out += stream.feed(msgspec.structs.replace(whole, status="running", answer=whole.answer[:end]), 6.0)
    out += stream.end(whole)
    assert out.count("✓ Harbour handbook") == 1
    assert out.count("✓ Put together") == 1
    assert whole.answer in out
    assert out.endswith("conversation aa701982\n")
    assert "Turn 2" not in out[10:]


def test_stream_tells_of_a_replaced_answer_and_shows_it_anew() -> None:
    stream = views.TextStream("en")
    out = stream.feed(Turn(answer="Something bad"), 1.0)
    out += stream.end(Turn(answer="Something else.", status="succeeded", replaced=True))
    assert "Something bad\n\n⚠ Moderation replaced the answer.\n\nSomething else.\n" in out


def test_stream_joins_line_ends_that_were_cut() -> None:
    stream = views.TextStream("en")
    text = "a\r\nb\rc\r"
    out = "".join(stream.feed(Turn(answer=text[:n]), 1.0) for n in range(1, len(text) + 1))
    out += stream.end(Turn(answer=text, status="succeeded"))
    assert "\na\nb\nc\n" in out
    assert "\r" not in out


def test_formulas_are_outside_of_what_mathjax_ignores() -> None:
    html = views.html(examples.chat(), "en")
    assert '<span class="mathjax_process"' in html
    assert "about $5 to $10" in html


def test_the_saved_form_keeps_no_class_of_ours_and_no_variable_alone() -> None:
    """A page that keeps no style sheet and drops `var()` has to find a literal before it."""
    for turn in EXAMPLES.values():
        html = views.html(turn, "en")
        assert 'class="dn' not in html.replace('class="dn-kept-', "")  # by which the place of a form is found
    for name, declared in STYLES.items():
        seen = set()
        for one in declared.split(";"):
            prop, _, value = one.partition(":")
            if "var(" in value:
                assert prop in seen, f"{name}: {one}"
            seen.add(prop)


def test_every_class_that_is_used_is_in_the_table() -> None:
    used = set()
    for turn in EXAMPLES.values():
        used |= set(
            re.findall(
                r"\bdn[a-z0-9-]*",
                " ".join(re.findall(r'class="([^"]*)"', serialize(views.TurnView("en").blocks(turn)))),
            )
        )
    assert {name for name in used - set(STYLES) if not name.startswith("dn-kept-")} <= {"dn-live", "dn-slot"}
    assert len(css()) < 14_000


def luminance(colour: tuple[float, float, float]) -> float:
    parts = [c / 12.92 if c <= 0.03928 else ((c + 0.055) / 1.055) ** 2.4 for c in (v / 255 for v in colour)]
    return 0.2126 * parts[0] + 0.7152 * parts[1] + 0.0722 * parts[2]


def contrast(a: tuple[float, float, float], b: tuple[float, float, float]) -> float:
    one, two = sorted((luminance(a), luminance(b)), reverse=True)
    return (one + 0.05) / (two + 0.05)


def rgb(colour: str) -> tuple[float, float, float]:
    colour = colour if len(colour) == 6 else "".join(c * 2 for c in colour)
    return int(colour[:2], 16), int(colour[2:4], 16), int(colour[4:], 16)


def mixed(
    a: tuple[float, float, float], b: tuple[float, float, float], share: float
) -> tuple[float, float, float]:
    red, green, blue = (x * share + y * (1 - share) for x, y in zip(a, b, strict=True))
    return red, green, blue


@pytest.mark.parametrize(
    "name",
    [
        "dn-pre",
        *(name for name in STYLES if name.startswith("dn-h") and len(name) == 5 and name[4] in "kfbsnc"),
    ],
)
def test_code_has_contrast_in_every_theme(name: str) -> None:
    """4.5:1 with literals only, in a light theme, and in a dark one."""
    literal = re.match(r"(?:.*;)?color:#([0-9a-f]{3,6});", STYLES[name])
    paper = re.search(r"background:#([0-9a-f]{6});", STYLES["dn-pre"])
    assert literal
    assert paper
    ink = rgb(literal.group(1))
    assert contrast(ink, rgb(paper.group(1))) >= 4.5
    share = re.search(r"color-mix\(in srgb,#[0-9a-f]{6} (\d+)%", STYLES[name])
    for page, text in ((255.0, 0.0), (17.0, 255.0)):
        surface = mixed((page,) * 3, (text,) * 3, 0.94)
        shown_ink = (
            mixed(ink, (text,) * 3, int(share.group(1)) / 100) if share and name != "dn-pre" else (text,) * 3
        )
        assert contrast(shown_ink, surface) >= 4.5, page


@pytest.mark.parametrize(
    "name", ["dn-ok", "dn-run", "dn-bad", "dn-warm", "dn-gok", "dn-grun", "dn-gbad", "dn-gwarm"]
)
def test_marks_can_be_seen_on_light_and_dark(name: str) -> None:
    """3:1, as for all that is not text; the word stands beside each."""
    found = re.search(r"#([0-9a-f]{6})", STYLES[name])
    assert found
    assert contrast(rgb(found.group(1)), rgb("ffffff")) >= 3
    assert contrast(rgb(found.group(1)), rgb("111111")) >= 3


def test_sentences_have_the_same_keys_and_places() -> None:
    tables = [
        json.loads((files("dify_notebook.i18n") / f"views.{lang}.json").read_text("utf-8"))
        for lang in ("en", "zh-Hans")
    ]
    assert tables[0].keys() == tables[1].keys()
    for key, english in tables[0].items():
        assert set(re.findall(r"{(\w+)}", english)) == set(re.findall(r"{(\w+)}", tables[1][key])), key
        assert key.startswith("views.")


def test_importing_views_brings_no_parser_and_no_highlighter() -> None:
    code = "import sys, dify_notebook.views; print([m for m in ('markdown_it', 'pygments', 'IPython', 'httpx') if m in sys.modules])"
    done = subprocess.run([sys.executable, "-c", code], capture_output=True, text=True, check=True)
    assert done.stdout.strip() == "[]"
