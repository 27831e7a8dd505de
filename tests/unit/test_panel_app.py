"""What the panel says of an app: from the parameters of real servers, of older ones, and of odd ones."""

from __future__ import annotations

from typing import Any

import msgspec
import pytest
from contract.exchanges import load_exchanges
from support.panels import show, wired
from support.raw_server import Connection, Request, serving

from dify_notebook import ChatPanel, Dify, local
from dify_notebook.i18n import Language
from dify_notebook.panel import app as panel_app
from dify_notebook.panel import messages as m
from dify_notebook.panel.handlers import language_of
from dify_notebook.wire.models import Parameters
from dify_notebook.wire.models import read as read_model

PNG = bytes.fromhex(
    "89504e470d0a1a0a0000000d4948445200000001000000010806000000"
    "1f15c4890000000d49444154789c6360000002000001e221bc330000000049454e44ae426082"
)
SVG = b'<svg xmlns="http://www.w3.org/2000/svg"><script>alert(1)</script></svg>'


def parameters(**fields: Any) -> Parameters:
    return read_model(Parameters, fields)


def recorded() -> list[str]:
    exchanges = load_exchanges()
    return sorted(
        case for case, one in exchanges.items() if one.request.path.startswith("/v1/parameters") and one.status == 200
    )


@pytest.mark.parametrize("case", recorded())
def test_the_parameters_of_real_servers_can_be_shown(case: str) -> None:
    stated = read_model(Parameters, msgspec.json.decode(load_exchanges()[case].body))
    languages: tuple[Language, ...] = ("en", "zh-Hans")
    for lang in languages:
        fields = [panel_app.field_of(control, stated, lang) for control in stated.controls]
        rules = panel_app.file_rules(stated, lang)
        assert msgspec.json.decode(msgspec.json.encode(fields), type=list[m.Field]) == fields
        assert rules is None or (rules.extensions and rules.rules)


FILES = [
    ("off", {"enabled": False}, None),
    ("nothing told", {}, None),
    ("off, with an image that is on", {"enabled": False, "image": {"enabled": True}}, None),
    ("images of an older server", {"image": {"enabled": True, "number_limits": 2}}, (2, ["image"], ".png")),
    ("remote ones alone", {"enabled": True, "allowed_file_upload_methods": ["remote_url"]}, None),
    (
        "documents narrowed",
        {
            "enabled": True,
            "allowed_file_types": ["document"],
            "allowed_file_extensions": [".CSV", ".tsv"],
            "number_limits": 1,
        },
        (1, ["document"], ".csv"),
    ),
    (
        "Dify's list for all types narrows nothing",
        {"enabled": True, "allowed_file_types": ["document"], "allowed_file_extensions": [".JPG", ".MP4"]},
        (3, ["document"], ".pdf"),
    ),
    (
        "custom endings",
        {"enabled": True, "allowed_file_types": ["image", "custom"], "allowed_file_extensions": ["step"]},
        (3, ["image", "custom"], ".step"),
    ),
]


@pytest.mark.parametrize(("told", "expected"), [row[1:] for row in FILES], ids=[row[0] for row in FILES])
def test_rules_for_files(told: dict[str, Any], expected: tuple[int, list[str], str] | None) -> None:
    rules = panel_app.file_rules(parameters(file_upload=told), "en")
    if expected is None:
        assert rules is None
    else:
        assert rules is not None
        assert (rules.number, rules.types) == expected[:2]
        assert expected[2] in rules.extensions
        if ".CSV" in told.get("allowed_file_extensions", ()):
            assert rules.extensions == [".csv"]


@pytest.mark.parametrize(
    ("wanted", "language"),
    [(["zh-TW", "en"], "zh-Hans"), (["de", "en-GB"], "en"), (["fr"], "en"), ([], "en"), (["ja", "zh"], "zh-Hans")],
)
def test_the_first_language_that_is_spoken(wanted: list[str], language: str) -> None:
    assert language_of(wanted) == language


@pytest.mark.parametrize(
    ("data", "mime"),
    [(b"ID3\x04", "audio/mpeg"), (b"\xff\xfb\x90", "audio/mpeg"), (b"RIFF....WAVE", "audio/wav"), (b"OggS", "audio/ogg"),
     (b"\x1aE\xdf\xa3", "audio/webm"), (b"\0\0\0\x18ftypM4A ", "audio/mp4"), (b"", "audio/mpeg")],
)  # fmt: skip
def test_sounds_are_known_by_their_first_bytes(data: bytes, mime: str) -> None:
    assert panel_app.sound_mime(data) == mime


class Odd:
    """A server with icons of every kind, and nothing that an app must tell."""

    def __init__(self, mode: str = "agent-chat") -> None:
        self.mode = mode
        self.asked: list[str] = []

    def __call__(self, request: Request, connection: Connection) -> None:
        path = request.path.partition("?")[0]
        self.asked.append(path)
        host = request.headers["host"]
        if path.endswith("/info"):
            connection.reply("200 OK", {"name": "Odd <b>one</b>\n", "mode": self.mode, "description": None})
        elif path.endswith("/parameters"):
            connection.reply("200 OK", {"user_input_form": [], "opening_statement": "![x](http://elsewhere/x.png)"})
        elif path.endswith("/meta"):
            icons: dict[str, Any] = {
                "url": f"http://{host}/icon.png?sign=SECRET",
                "svg": f"http://{host}/icon.svg",
                "large": f"http://{host}/large.png",
                "gone": f"http://{host}/gone.png",
                "elsewhere": "http://127.0.0.1:9/icon.png",
                "emoji": {"background": "#252525", "content": "😁"},
                "name": {"background": "#252525", "content": "robot_face"},
                "nonsense": 7,
            }
            connection.reply("200 OK", {"tool_icons": icons})
        elif path.endswith("/site"):
            site = {"icon_type": "emoji", "icon": "🦉", "icon_background": "url(http://evil/)"}
            connection.reply("200 OK", {"title": "Odd", **site})
        elif path.endswith("/icon.png"):
            assert "authorization" not in request.headers
            connection.reply("200 OK", PNG, kind="image/png")
        elif path.endswith("/icon.svg"):
            connection.reply("200 OK", SVG, kind="image/svg+xml")
        elif path.endswith("/large.png"):
            connection.reply("200 OK", PNG + bytes(panel_app.ICON_BYTES), kind="image/png")
        elif path.endswith("/chat-messages"):
            self.answer(connection)
        else:
            connection.reply("404 NOT FOUND", b"<html>", kind="text/html")

    def answer(self, connection: Connection) -> None:
        ids = {"task_id": "t", "message_id": "m", "conversation_id": "c"}
        connection.head()
        for at, tool in enumerate(("url", "emoji", "svg")):
            told = {
                "id": f"a{at}",
                "position": at,
                "thought": "",
                "tool": tool,
                "tool_input": "{}",
                "observation": "ok",
            }
            connection.event(event="agent_thought", **told, **ids)
        connection.event(event="agent_message", answer="Done.", **ids)
        connection.event(event="message_end", metadata={}, **ids)
        connection.end()


def test_icons_are_fetched_here_checked_and_small() -> None:
    odd = Odd()
    with wired(), serving(odd) as server:
        page = show(ChatPanel(Dify("app-x" * 5, server.url, "u")))
        page.until(lambda: "app" in page.parts, "the app")
        app = page.parts["app"]
        assert app["icon"] == {"emoji": "🦉", "background": None, "src": None}
        assert app["name"] == "Odd <b>one</b>"
        assert "<img" not in str(app["opening"]), "a picture of a text is not fetched"
        page.ask("use them")
        page.ended(1)
        html = page.html()
        assert html.count("data:image/png;base64,") == 1
        assert "😁" in html
        assert "svg+xml" not in page.everything
        assert "SECRET" not in page.everything
        assert "elsewhere/icon" not in page.everything
        page.panel.close()


def test_an_agent_of_the_new_kind_is_taken() -> None:
    with wired(), serving(Odd("agent")) as server:
        page = show(ChatPanel(Dify("app-x" * 5, server.url, "u")))
        page.until(lambda: "app" in page.parts, "the app")
        assert page.parts["app"]["mode"] == "agent"
        page.ask("use them")
        page.ended(1)
        assert "Done." in page.html()
        page.panel.close()


def test_an_app_of_a_kind_that_nobody_knows_is_told() -> None:
    with wired(), serving(Odd("oddity")) as server:
        page = show(ChatPanel(Dify("app-x" * 5, server.url, "u")))
        page.until(lambda: page.parts["status"]["error"], "the error")
        assert "oddity" in page.parts["status"]["error"]["message"]
        page.panel.close()


def test_an_old_server_freezes_the_inputs_and_says_so(tmp_path_factory: pytest.TempPathFactory) -> None:
    """Dify 0.15 ignores new inputs on later turns in silence; here they are refused."""
    with wired(), local.serve(data_dir=tmp_path_factory.mktemp("old"), pace=0, dialect="0.15") as server:
        page = show(ChatPanel(Dify(server.api_key("pipeline"), server.base_url, user="u")))
        page.until(lambda: "app" in page.parts, "the app")
        assert not page.parts["app"]["annotations"]
        assert page.parts["conversation"]["frozen"] is None
        page.ask("a, b", {"style": "list"})
        page.ended(1)
        assert "0.15" in str(page.parts["conversation"]["frozen"])
        assert "style" in page.refused("ask", query="c, d", inputs={"style": "table"}, files=[])
        page.ask("c, d", {"style": "list"})
        page.ended(2)
        page.do("variables")
        assert page.parts["variables"] is None
        page.do("new")
        assert page.parts["conversation"]["frozen"] is None
        page.panel.close()


def test_the_embedded_server_says_what_it_is_and_offers_to_go_on(monkeypatch: pytest.MonkeyPatch) -> None:
    with wired():
        first = show(ChatPanel())
        first.until(lambda: "app" in first.parts, "the app")
        assert first.parts["app"]["local"]
        assert first.parts["app"]["server"] == "embedded server"
        first.ask("How do I stop a running answer?")
        first.ended(1)
        first.panel.close()
        second = show(ChatPanel())
        second.until(lambda: second.parts["conversation"]["resume"], "the offer")
        offered = second.parts["conversation"]
        assert offered["resume"]["name"] in offered["notice"]
        second.do("open", conversation=offered["resume"]["id"])
        second.ended(1)
        assert second.parts["conversation"]["resume"] is None
        second.panel.close()


FIELDS: list[tuple[str, Any, Any]] = [
    ("text-input", [1, "à"], '[1, "à"]'), ("paragraph", {"k": 1}, '{"k": 1}'), ("text-input", 7, "7"), ("text-input", True, "true"),
    ("text-input", "", ""), ("select", "other", "other"), ("checkbox", "yes", True), ("checkbox", "0", False), ("checkbox", "maybe", "maybe"),
    ("json_object", {"k": 1}, {"k": 1}), ("number", 7, 7),
]  # fmt: skip


@pytest.mark.parametrize(("kind", "value", "shown"), FIELDS)
def test_a_field_shows_the_text_that_would_be_sent(kind: str, value: Any, shown: Any) -> None:
    """Defaults and inputs of stored conversations may be of any type; a browser would make `1,à` of a list."""
    control = {"type": kind, "variable": "v", "options": ["one"], "default": value}
    field = panel_app.field_of(control, Parameters(), "en")
    assert (panel_app.in_field(control, value), field.default) == (shown, None if shown == "" else shown)


def test_what_a_tool_of_the_server_fills_in_is_not_asked_for() -> None:
    control = {"type": "external_data_tool", "variable": "v", "required": True}
    assert not panel_app.field_of(control, Parameters(), "en").required
