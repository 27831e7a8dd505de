"""Data in an answer's text is the picture that it is, or a word about it; its letters are never shown."""

from __future__ import annotations

import json
import re
from base64 import b64encode, urlsafe_b64encode
from urllib.parse import quote

import msgspec
import pytest
from support.linear import MOST, growth
from unit.views_examples import PNG

from dify_notebook import data_uri, transcript, views
from dify_notebook.data_uri import bounded
from dify_notebook.panel.saved import Transcript
from dify_notebook.panel.state import Item, PanelState
from dify_notebook.turn.state import AgentLog, Citation, Form, Node, Thought, Turn, TurnError
from dify_notebook.views import limits
from dify_notebook.views.canonical import canonical
from dify_notebook.views.html import serialize
from dify_notebook.views.markdown import MarkdownRenderer
from dify_notebook.views.terminal import terminal_text

LARGE = PNG + bytes(range(256)) * 240
"""Some 60 kB, as a chart has."""
URI = f"data:image/png;base64,{b64encode(LARGE).decode()}"
SIZE = f"{len(LARGE) / 1_000:.0f} kB"
ESCAPED = URI.replace("/", "\\/")
"""As JSON may write it."""
GIF = f"data:image/gif;base64,{b64encode(b'GIF89a' + bytes(900)).decode()}"
SVG = f"data:image/svg+xml;base64,{b64encode(b'<svg onload=alert(1)>' + b' ' * 900).decode()}"


def in_lines(letters: str, size: int = 76, end: str = "\n") -> str:
    """Base64 as many programs write it."""
    return end.join(letters[at : at + size] for at in range(0, len(letters), size))


WRAPPED = f"data:image/png;base64,{in_lines(URI[22:])}"
LETTERS = re.compile(r"[A-Za-z0-9+/%=]{200}")


def whole(text: str, *, ended: bool = True) -> str:
    return "".join(serialize(block) for block in MarkdownRenderer().update(text, ended=ended))


def seen(html: str) -> str:
    """What is to be seen and to be hovered over, without the sources of pictures."""
    return re.sub(r'(<img[^>]*) src="[^"]*"', r"\1", html)


def sources(html: str) -> list[str]:
    return re.findall(r'<img[^>]* src="([^"]*)"', html)


@pytest.mark.parametrize(
    ("text", "source", "alt"),
    [
        (f"Here: ![sales]({URI}) as asked.", URI, "sales"),
        (f'![sales](<{URI}> "by month")', URI, "sales"),
        (f"![]({URI})", URI, "image/png"),
        (f"![a][b]\n\n[b]: {GIF} 'title'", GIF, "a"),
        (f"[![a]({GIF})](https://x.example)", GIF, "a"),
        (f"| a |\n|---|\n| ![b]({URI}) |", URI, "b"),
        (f"- x ![b]({URI})", URI, "b"),
        (f"## ![b]({URI})", URI, "b"),
        (f"![b]({URI.upper()[:22] + URI[22:]})", URI, "b"),
        (f"![b](data:image/png;name=a.png;base64,{URI[22:]})", URI, "b"),
        (f"![b](data:image/png;base64,{quote(URI[22:], safe='')})", URI, "b"),
        (f"![b](data:image/png;base64,{urlsafe_b64encode(LARGE).decode().rstrip('=')})", URI, "b"),
        (f"![b]({ESCAPED})", URI, "b"),
        (f"![b](data:image/png;base64, {URI[22:]})", URI, "b"),
        (f"![b]({WRAPPED})", URI, "b"),
        (f"- ![b](data:image/png;base64,{in_lines(URI[22:], 64, chr(13) + chr(10) + '  ')})", URI, "b"),
        (f"![b](data:image/png;base64,{quote(in_lines(URI[22:]))})", URI, "b"),
        (f"![b](data:image/jpeg;base64,{URI[22:]})", URI, "b"),  # it is what it is, whatever it says
        ('![<b> "q"](' + GIF + ")", GIF, "&lt;b&gt; &quot;q&quot;"),
    ],
)
def test_a_picture_is_shown(text: str, source: str, alt: str) -> None:
    html = whole(text)
    assert sources(html) == [source]
    assert f'alt="{alt}"' in html
    assert not LETTERS.search(seen(html))


@pytest.mark.parametrize(
    ("text", "told"),
    [
        (f"![a]({SVG})", "\u25a7 a \u00b7 image/svg+xml \u00b7 921 B"),
        (f"![a](data:image/png;base64,{'QUJD' * 500})", "\u25a7 a \u00b7 image/png \u00b7 2 kB"),  # no picture in it
        (f"![a](data:image/png;base64,{URI[22:2000]}\u26a0{URI[2000:]})", f"\u25a7 a \u00b7 image/png \u00b7 {SIZE}"),
        (f"![a](data:text/html;base64,{'QUJD' * 500})", "\u25a7 a \u00b7 text/html \u00b7 2 kB"),
        (f"![a](data:image/svg+xml,{'%3Csvg%3E' * 100})", "\u25a7 a \u00b7 image/svg+xml \u00b7 900 B"),
        (f"![a](data:;base64,{'QUJD' * 500})", "\u25a7 a \u00b7 data \u00b7 2 kB"),
        (f"[a]({URI})", f"a (data:image/png;base64,\u2026 ({SIZE}))"),
        (f"[a][b]\n\n[b]: {URI}", f"a (data:image/png;base64,\u2026 ({SIZE}))"),
        (f"it is {URI}. So", f"it is data:image/png;base64,\u2026 ({SIZE}). So"),
        (f"`{URI}`", f"data:image/png;base64,\u2026 ({SIZE})"),
        (f"```\nx = '{URI}'\n```", f"x = 'data:image/png;base64,\u2026 ({SIZE})'"),
        (f"```py\nx = '{URI}'", f"x = 'data:image/png;base64,\u2026 ({SIZE})'"),
        (f"```\n{WRAPPED}\n```", f"data:image/png;base64,\u2026 ({SIZE})"),
        (f"it is {WRAPPED}\n\nSo", f"it is data:image/png;base64,\u2026 ({SIZE})So"),
        (f"it is data:image/png;base64,{'QUJD' * 19}\nWhere, x", "it is data:image/png;base64,QUJD"),
        (f"it is data:image/png;base64,{in_lines('QUJD' * 95)}\nWhere", "it is data:image/png;base64,\u2026 (285 B)\nWhere"),
        (f"    {URI}", f"data:image/png;base64,\u2026 ({SIZE})"),
        (f'<img src="{URI}" alt="x">', f'<img src="data:image/png;base64,\u2026 ({SIZE})" alt="x">'),
        (f"$${URI}$$", f"data:image/png;base64,\u2026 ({SIZE})"),
        (f'[a](https://x.example "{URI}")', "a"),
        (f"https://x.example/?u={URI}", f"https://x.example/?u=data:image/png;base64,\u2026 ({SIZE})"),
        (f"<https://x.example/?u={URI}>", f"<https://x.example/?u=data:image/png;base64,\u2026 ({SIZE})>"),
    ],
)  # fmt: skip
def test_all_else_is_a_word(text: str, told: str) -> None:
    html = whole(text)
    assert sources(html) == []
    assert not LETTERS.search(html)
    shown = re.sub(r"<[^>]*>", "", html).replace("&lt;", "<").replace("&gt;", ">").replace("&quot;", '"').replace("&#39;", "'")
    assert told in shown


@pytest.mark.parametrize("text", ["data:text/plain,hello", "metadata:image/png;base64,AAAA", "data: 1, 2", "data:1,2", "data:image/png", "data:"])
def test_short_data_and_words_stay_as_they_are(text: str) -> None:
    for place in (text, f"`{text}`", f"{text} and more"):
        assert re.sub(r"<[^>]*>", "", whole(place)) == place.replace("`", "")
        assert terminal_text(place) == place
    assert bounded(text) == text


def test_a_mark_that_an_answer_writes_is_no_picture() -> None:
    html = whole(f"![a]({URI}) \ufdd0\ue001 ![b](\ufdd0\ue001)")
    assert len(sources(html)) == 1


def test_so_many_bytes_are_shown_and_no_more(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr(limits, "PICTURE_BYTES", 70_000)
    monkeypatch.setattr(limits, "PICTURES_BYTES", 130_000)
    html = whole(f"![a]({URI}) " * 3 + f"![b]({GIF})")
    assert sources(html) == [URI, URI, GIF]
    monkeypatch.setattr(limits, "PICTURE_BYTES", 1_000)
    assert sources(whole(f"![a]({URI}) ![b]({GIF})")) == [GIF]


def everywhere(text: str) -> dict[str, str]:
    """All forms of a turn that has the text wherever a server could put it."""
    turn = Turn(
        query=text, answer=text, reasoning=text, status="failed", end="error",
        error=TurnError(code=text, message=text, status=400),
        thoughts=(Thought(id="t", thought=f"{text}!", tool="draw", tool_input=text, observation=text),
                  Thought(id="u", tool="draw", observation=json.dumps({"image": text}))),
        logs=(AgentLog(id="l", label=text, status="success", data={"image": text}),),
        nodes=(Node(id="n", node_id="n", title=text, status="succeeded", inputs={"a": text}, outputs={"a": [text]}, error=text),),
        citations=(Citation(position=1, document_name=text, content=text),),
        forms=(Form(id="f", content=text, data={"node_title": text, "actions": [{"id": text}]}),),
        suggested=(text,), conversation_name=text,
    )  # fmt: skip
    stream, pieces = views.TextStream("en"), ""
    for end in range(0, len(text), 997):
        pieces += stream.feed(msgspec.structs.replace(turn, answer=text[:end], status="running"), 2.0)
    state = PanelState(items=(Item(key="k", query=text, turn=turn),), name=text, conversation_id="c")
    book = json.loads(transcript.as_notebook([turn], text))
    return {
        **views.bundle(turn, "en"),
        "repr": repr(turn),
        "terminal": pieces + stream.end(turn),
        **{f"talk {kind}": said for kind, said in views.transcript.bundle([turn], text, text).items()},
        **{f"panel {kind}": said for kind, said in Transcript().bundle(state, "en").items()},
        "notebook": "".join("".join(cell["source"]) for cell in book["cells"] if cell["cell_type"] == "markdown"),
    }


@pytest.mark.parametrize(
    "text",
    [f"Here: ![sales]({URI}) as asked.", f"Here: ![sales]({WRAPPED}) as asked.", f"{URI}", f"```\n{URI}\n```", f'<img src="{URI}">', f"![a][b]\n\n[b]: {URI}", f"[a]({SVG})"],
    ids=["image", "image in lines", "bare", "code", "html", "reference", "link"],
)
def test_no_form_shows_letters_by_the_thousand(text: str) -> None:
    for form, said in everywhere(text).items():
        found = LETTERS.search(seen(said))
        assert found is None, f"{form}: {said[max(0, found.start() - 80) : found.start() + 80]}"
        assert not any(URI[at : at + 60] in seen(said) for at in range(98, 2_000, 76)), form  # a line of WRAPPED
        assert SIZE in said or SVG in text or "image/png" in said


def test_the_answer_itself_is_kept() -> None:
    turn = Turn(answer=f"![a]({URI})", status="succeeded")
    html = views.html(turn)
    assert turn.answer == f"![a]({URI})"
    assert len(html) < 1.02 * len(URI) + 2_000  # once, and in one form of three
    assert len(views.markdown(turn)) < 400
    assert len(views.text(turn)) < 400


def test_every_beginning_is_as_the_whole() -> None:
    text = f"Hi ![a]({GIF[:300]}) and [b]({GIF[:300]}) d `{GIF[:300]}`\r![c][d] ![e][f]\n\n[d]: {GIF[:300]}\n\ndat\n\n[f]: {GIF[:300]}"
    text += f" ![g](data:image/gif;base64,{in_lines(GIF[22:300], end=chr(13) + chr(10))})\n{GIF[:98]}\nno {GIF[:98]}\nQUJD\n"
    renderer = MarkdownRenderer()
    for end in range(1, len(text) + 1):
        assert renderer.update(text[:end]) == MarkdownRenderer().update(text[:end]), text[:end]
        grown = MarkdownRenderer()
        grown.update(text[:end])
        assert grown.update(text[:end], ended=True) == MarkdownRenderer().update(text[:end], ended=True)
    assert renderer.update(text, ended=True) == MarkdownRenderer().update(text, ended=True)
    assert renderer.update(text + " more") == MarkdownRenderer().update(text + " more")


def test_one_that_comes_stands_in_its_place() -> None:
    shown = '<p class="dn-p">Here: <span class="dn-img">\u25a7 sales \u00b7 image/png \u00b7 {}</span></p>'
    for end, size in ((221, "149 B"), (4_022, "3 kB"), (len(URI), SIZE)):
        assert whole(f"Here: ![sales]({URI[:end]}", ended=False) == shown.format(size)


def coming(size: int) -> list[str]:
    text = f"![a]({'data:image/png;base64,' + 'QUJD' * (size // 4)}"
    return [text[:end] for end in range(1, len(text), 60)]


def test_one_that_comes_costs_what_comes(monkeypatch: pytest.MonkeyPatch) -> None:
    """Counted: the characters that are looked at, however long the picture is already."""
    from dify_notebook.views import pictures

    counts = []
    run, seen = data_uri.run, 0

    def counting(head: re.Match[str], text: str, at: int, *, begin: bool = True) -> int:
        nonlocal seen
        seen += len(text)
        return run(head, text, at, begin=begin)

    monkeypatch.setattr(pictures, "run", counting)
    for size in (20_000, 40_000):
        seen = 0
        renderer = MarkdownRenderer()
        for text in coming(size):
            renderer.update(text)
        counts.append(seen)
    assert counts[1] <= MOST * counts[0]


@pytest.mark.parametrize("piece", [f"![a]({GIF[:200]}) ", "data:", "data:image/png;base64,", "data:a/b,c", "da", "data:a/b;", "data:image/png;base64,\u26a0", WRAPPED[:99], "QUJD" * 19 + "\n"])
def test_the_cost_grows_as_the_text(piece: str) -> None:
    def work(text: str) -> None:
        bounded(text)
        terminal_text(text)
        whole(text)
        canonical(text)

    assert growth(lambda count: piece * count, work, 8_000 // len(piece)) <= MOST
