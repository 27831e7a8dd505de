"""The chat panel on a page of its own: the real bundle, and a scripted kernel (`panel_stage.js`) in its place.

The blocks are drawn by `views`, numbered by `live.channel`, and described by `panel.messages`, as a kernel does it;
what the scripted kernel does with commands is in its own file.
"""

from __future__ import annotations

import base64
import contextlib
import json
import math
import struct
import threading
import zlib
from collections.abc import Iterator
from http.server import SimpleHTTPRequestHandler, ThreadingHTTPServer
from pathlib import Path
from typing import Any

import msgspec

from dify_notebook.i18n import Language
from dify_notebook.live.channel import Channel
from dify_notebook.live.protocol import unpack
from dify_notebook.panel import commands as c
from dify_notebook.panel import messages as m
from dify_notebook.panel.offers import OFFERS
from dify_notebook.panel.presenter import texts
from dify_notebook.turn.state import Citation, MessageFile, Node, Thought, Timing, Turn, TurnError
from dify_notebook.views import TurnView, css
from dify_notebook.views.diff import to_wire

HERE = Path(__file__).parent
BUNDLE = HERE.parents[1] / "dify_notebook" / "panel" / "static" / "panel.js"


def picture(width: int = 360, height: int = 190) -> bytes:
    """A PNG: a sea under an evening sky, with a hill."""

    def colour(x: int, y: int) -> tuple[int, int, int]:
        hill = height * 0.62 - 46 * math.exp(-(((x - width * 0.68) / 62) ** 2))
        if y > height * 0.62:
            return 38 + (y * 7 + x // 9) % 9, 92 + y // 6, 138 + y // 9
        if y > hill:
            return 58, 84, 78
        down = y / height
        return 250 - int(60 * down), 206 - int(40 * down), 164 + int(60 * down)

    rows = b"".join(b"\0" + bytes(c for x in range(width) for c in colour(x, y)) for y in range(height))

    def chunk(name: bytes, data: bytes) -> bytes:
        return struct.pack(">I", len(data)) + name + data + struct.pack(">I", zlib.crc32(name + data))

    head = struct.pack(">IIBBBBB", width, height, 8, 2, 0, 0, 0)
    return b"\x89PNG\r\n\x1a\n" + chunk(b"IHDR", head) + chunk(b"IDAT", zlib.compress(rows)) + chunk(b"IEND", b"")


PICTURE = picture()

WORDS: dict[Language, dict[str, Any]] = {
    "en": {
        "app": "Travel desk",
        "about": "Plans trips, compares prices and explains what the numbers in your notebook mean.",
        "opening": "Hello! I know **trains, hotels and weather**. Tell me where you would like to go, or send me a table.",
        "starters": [
            "Three quiet towns by the sea",
            "Compare night trains to Vienna",
            "What does my budget table say?",
        ],
        "names": [
            "Three days in Lisbon",
            "Night trains to Vienna",
            "Budget for the autumn",
            "Reading a rail pass",
            "Why is the ferry late",
            "A week in Kyoto",
            "Packing for rain",
        ],
        "queries": [
            "How is the weather in Lisbon next week, and what does a weekend there cost?",
            "As a table, please, and show me how you summed it up.",
            "Which of these is the quietest?",
        ],
        "next": ["What if I travel by night train?", "Add a day in Sintra", "Show it as a chart"],
        "form": [
            "Your name",
            "What do you like?",
            "Pace",
            "Budget (€)",
            "I travel with children",
            "Passport photo",
            "Tickets",
            "More settings",
        ],
        "server": "embedded server",
        "totals": "3 turns · 1,204 tokens · $0.0021 · 4.2 s",
        "frozen": "Inputs belong to the start of a conversation. Begin a new chat to change them.",
        "rules": "Up to 3 files: images to 10 MB, documents to 15 MB",
    },
    "zh-Hans": {
        "app": "旅行助手",
        "about": "规划行程、比较价格，并解释笔记本里的数字。",
        "opening": "你好！我了解**火车、酒店和天气**。告诉我你想去哪里，或者发给我一张表。",
        "starters": ["三个安静的海边小镇", "比较去维也纳的夜车", "我的预算表说明了什么？"],
        "names": ["里斯本三日", "去维也纳的夜车", "秋季预算", "看懂火车通票", "渡轮为什么晚点", "京都一周", "雨天行李"],
        "queries": [
            "下周里斯本天气怎么样，在那里过周末要花多少钱？",
            "请用表格，并说明你是怎么算的。",
            "哪一个最安静？",
        ],
        "next": ["如果坐夜车呢？", "加一天去辛特拉", "画成图表"],
        "form": ["你的名字", "你喜欢什么？", "节奏", "预算（欧元）", "带孩子同行", "护照照片", "车票", "更多设置"],
        "server": "内置服务器",
        "totals": "3 轮 · 1,204 词元 · $0.0021 · 4.2 秒",
        "frozen": "输入属于对话的开头。要修改，请开始新的对话。",
        "rules": "最多 3 个文件：图片 10 MB 以内，文档 15 MB 以内",
    },
}
ANSWERS = {
    "en": [
        "**Mild and mostly dry.** Lisbon has 18–22 °C next week, with a little rain on Thursday.\n\n"
        "A weekend for two comes to about **€ 310**:\n\n"
        "- two nights near the river, € 190\n- trams and the train to the coast, € 24\n"
        "- food, if you like small places, € 96\n\n> Prices are for November; in July it is a third more.",
        "Here it is, summed over the two nights:\n\n"
        "| Item | Each | Times | Sum |\n|---|---:|---:|---:|\n| Room | € 95 | 2 | € 190 |\n| Tram | € 3 | 8 | € 24 |\n"
        "| Food | € 32 | 3 | € 96 |\n| **All** | | | **€ 310** |\n\n"
        '```python\nitems = {"room": (95, 2), "tram": (3, 8), "food": (32, 3)}\n'
        "total = sum(price * times for price, times in items.values())\nprint(total)  # 310\n```\n\n"
        "The `items` above can be changed; the total follows.",
        "The second one: it lies *behind* the hill, with no road in front. See [the map](https://example.org/map).",
    ],
    "zh-Hans": [
        "**温和，大多晴朗。** 里斯本下周 18–22 °C，星期四有小雨。\n\n两个人过周末大约 **310 欧元**：\n\n"
        "- 河边两晚，190 欧元\n- 电车和去海边的火车，24 欧元\n- 吃饭，喜欢小馆子的话，96 欧元\n\n> 这是十一月的价格，七月会贵三分之一。",
        "两晚合计如下：\n\n| 项目 | 单价 | 次数 | 合计 |\n|---|---:|---:|---:|\n| 房间 | €95 | 2 | €190 |\n| 电车 | €3 | 8 | €24 |\n"
        "| 吃饭 | €32 | 3 | €96 |\n| **总计** | | | **€310** |\n\n"
        '```python\nitems = {"房间": (95, 2), "电车": (3, 8), "吃饭": (32, 3)}\n'
        "total = sum(price * times for price, times in items.values())\nprint(total)  # 310\n```\n",
        "第二个：它在小山*后面*，前面没有马路。见[地图](https://example.org/map)。",
    ],
}


def nodes(done: bool = True) -> tuple[Node, ...]:
    kinds = [
        ("start", "Start", 0.0, 0.01),
        ("knowledge-retrieval", "Search the guide", 0.02, 0.4),
        ("llm", "Writer", 0.42, 2.1),
    ]
    return tuple(
        Node(
            id=f"n{i}",
            node_id=f"n{i}",
            node_type=kind,
            title=title,
            status="succeeded" if done else "running",
            inputs={"query": "Lisbon"},
            outputs={"text": "…"},
            started_at=begun,
            finished_at=ended if done else None,
            elapsed=ended - begun,
        )
        for i, (kind, title, begun, ended) in enumerate(kinds)
    )


def turns(lang: Language) -> list[Turn]:
    """Three finished turns: one with a file and a tool call, one with steps and sources, one with a picture."""
    words, answers = WORDS[lang], ANSWERS[lang]
    common: dict[str, Any] = {
        "status": "succeeded",
        "end": "message_end",
        "complete": True,
        "timing": Timing(opened=0, first_event=0.1, first_token=0.4, total=2.1),
    }
    weather = Thought(
        id="t1",
        position=1,
        tool="weather",
        tool_input='{"city": "Lisbon"}',
        observation='{"high": 22, "low": 18}',
        tool_labels={"weather": {"en_US": "Weather", "zh_Hans": "天气"}},
        started_at=0.1,
        finished_at=0.6,
    )
    source = Citation(
        position=1,
        dataset_name="Guide",
        document_name="Prices 2026.pdf",
        score=0.87,
        content="A room near the river costs 95 euros in November.",
    )
    return [
        Turn(query=words["queries"][0], answer=answers[0], thoughts=(weather,), **common),
        Turn(query=words["queries"][1], answer=answers[1], nodes=nodes(), citations=(source,), **common),
        Turn(
            query=words["queries"][2],
            answer=answers[2],
            files=(
                MessageFile(
                    id="f", type="image", belongs_to="assistant", name="map.png", mime_type="image/png", data=PICTURE
                ),
            ),
            **common,
        ),
    ]


def meta(turn: Turn, view: int, lang: Language, **changes: Any) -> m.TurnMeta:
    """What is beside the blocks of that turn."""
    seen = m.TurnMeta(
        key=f"t{view}",
        view=view,
        query=turn.query or "",
        title=(turn.query or "")[:80],
        files=[],
        status=turn.status,
        message_id=f"m{view}",
        rating=None,
        comment=None,
        annotated=False,
        can=m.Can(
            retry=turn.status == "failed", take_up=False, read_on=False, regenerate=True, rate=True, annotate=True,
            speak=True,
        ),  # fmt: skip
        suggested=[],
        downloads=[],
        audio=False,
        when="14:0" + str(view % 10),
        facts="402 tokens · $0.0007 · 2.1 s" if lang == "en" else "402 词元 · $0.0007 · 2.1 秒",
        nodes=[m.NodeLine(node.id, node.title) for node in turn.nodes or ()],
        say=None,
        forms=[],
    )
    return msgspec.structs.replace(seen, **changes)


def whole(turn: Turn, view: int, lang: Language) -> dict[str, Any]:
    channel = Channel(view)
    return {"kind": "patch", "patch": msgspec.to_builtins(unpack(channel.end(TurnView(lang).blocks(turn), 0.0)))}


def stream(turn: Turn, lang: Language, size: int = 6) -> list[Any]:
    """The patches of that answer as it grows, `size` characters each time, without the last, whole one."""
    channel, view = Channel(0), TurnView(lang)
    sent: list[Any] = []
    for count in range(0, len(turn.answer), size):
        now = 0.3 + count / 400
        part = msgspec.structs.replace(turn, answer=turn.answer[:count], status="running", complete=False, end=None)
        sent += channel.offer(view.blocks(part, now), now)
    sent.append(channel.end(view.blocks(turn, 3.0), 3.0))
    # Unpacked, so that the scripted kernel can number the view.
    return [msgspec.to_builtins(unpack(message)) for message in sent]


def form(lang: Language) -> list[m.Field]:
    """One field for each control."""
    labels = WORDS[lang]["form"]
    common: dict[str, Any] = {
        "required": False,
        "max_length": None,
        "options": [],
        "default": None,
        "hint": "",
        "accept": "",
        "number": None,
    }
    special: list[dict[str, Any]] = [
        {"name": "name", "control": "text-input", "required": True, "max_length": 24},
        {"name": "likes", "control": "paragraph", "max_length": 200},
        {"name": "pace", "control": "select", "options": ["slow", "usual", "fast"], "default": "usual"},
        {"name": "budget", "control": "number", "default": 300},
        {"name": "children", "control": "checkbox", "default": False},
        {"name": "photo", "control": "file", "accept": ".png,.jpg", "hint": "PNG, JPG · 10 MB"},
        {"name": "tickets", "control": "file-list", "accept": ".pdf", "number": 2, "hint": "PDF · 15 MB"},
        {"name": "more", "control": "json", "default": {"trains": ["night"]}},
    ]
    return [m.Field(label=label, **(common | each)) for label, each in zip(labels, special, strict=True)]


def sample(lang: Language = "en", **wish: Any) -> dict[str, Any]:
    """All that the scripted kernel says. `wish`: `empty` (nothing was asked), `form`, `turns` (so many)."""
    words = WORDS[lang]
    made = turns(lang)
    rules = m.FileRules(
        3,
        ["image", "document"],
        [".png", ".jpg", ".pdf", ".txt", ".csv"],
        words["rules"],
        {"image": 10 << 20, "document": 15 << 20},
    )
    opening = Turn(answer=words["opening"], status="succeeded", end="message_end", complete=True)
    app = m.App(
        name=words["app"],
        mode="advanced-chat",
        offers=OFFERS["advanced-chat"],
        description=words["about"],
        icon=m.Icon("✈", "#DCE9FF", None),
        server=words["server"],
        local=True,
        opening=to_wire(TurnView(lang).blocks(opening)),
        suggested=words["starters"],
        speech_to_text=True,
        text_to_speech=True,
        autoplay=False,
        annotations=True,
        files=rules,
        form=form(lang) if wish.get("form") else [],
    )
    thumb = "data:image/png;base64," + base64.b64encode(PICTURE).decode()
    metas = [
        meta(made[0], 1, lang, files=[m.Attachment("a", "harbour.png", "image", 48_213, thumb)], rating="like"),
        meta(made[1], 2, lang, downloads=[m.Download("d", "prices.csv", "document", 2_310)]),
        meta(made[2], 3, lang, suggested=words["next"]),
    ]
    patches = [whole(turn, view, lang) for view, turn in enumerate(made, 1)]
    many = wish.get("turns", 3)
    while len(metas) < many:
        view = len(metas) + 1
        turn = made[view % 2]
        metas.append(meta(turn, view, lang))
        patches.append(whole(turn, view, lang))
    if wish.get("empty"):
        metas, patches = [], []
    failed = Turn(
        query=words["queries"][2],
        answer="",
        status="failed",
        end="error",
        error=TurnError("provider_quota_exceeded", "The model's quota is used up.", 400),
    )
    stage: dict[str, Any] = msgspec.to_builtins(
        {
            "css": css(),
            "texts": {each: texts(each) for each in ("en", "zh-Hans")},
            "height": wish.get("panel_height", 720),
            "lang": lang,
            "app": app,
            "conversation": m.Conversation(
                id=None if wish.get("empty") else "c0",
                name="" if wish.get("empty") else words["names"][0],
                inputs={},
                frozen=wish.get("frozen") and words["frozen"],
                older=False,
                loading=False,
                totals="" if wish.get("empty") else words["totals"],
                notice=None,
                resume=None,
            ),
            "conversations": [
                m.Listed(f"c{i}", name, f"14:0{i}" if i < 4 else f"{i} Nov", i == 0 and not wish.get("empty"), "", "")
                for i, name in enumerate(words["names"])
            ],
            "turns": metas,
            "patches": patches,
            "stream": stream(made[1], lang),
            "streamed": meta(made[1], 0, lang, suggested=words["next"]),
            "failed": {"meta": meta(failed, 0, lang), "patch": whole(failed, 0, lang)["patch"]},
            "variables": [
                m.Variable("v1", "city", "string", '"Lisbon"', "Where the trip goes"),
                m.Variable("v2", "seen", "array[object]", json.dumps([{"id": 1}, {"id": 2}]), ""),
            ],
            "node": c.NodeValue(
                "Writer",
                "succeeded",
                {
                    "prompt": "You are a friendly desk. " * 40,
                    "history": [{"role": "user", "text": "hi"}, {"role": "assistant", "text": ""}],
                    "temperature": 0.3,
                },
                None,
                {"text": "Mild and mostly dry.", "usage": {"total_tokens": 402}},
                None,
            ),
        }
    )
    return stage


PAGE = """<!doctype html><html lang="%(lang)s"><head><meta charset="utf-8"><title>Chat panel</title>
<style>html,body{margin:0;min-height:100%%}body{padding:%(padding)s}</style></head><body>
<main><h1 style="font-size:0;margin:0">A notebook</h1><div id="panel"></div></main><script type="module" src="/stage/panel_stage.js"></script></body></html>"""
THEMES = {
    # A few of the variables that JupyterLab's own themes set.
    "light": {
        "attrs": {"data-jp-theme-light": "true"},
        "vars": {
            "--jp-layout-color0": "#fff",
            "--jp-layout-color1": "#fff",
            "--jp-ui-font-color1": "rgba(0,0,0,.87)",
            "--jp-content-font-color0": "#000",
            "--jp-content-font-color1": "rgba(0,0,0,.87)",
        },
        "background": "#fff",
    },
    "dark": {
        "attrs": {"data-jp-theme-light": "false"},
        "vars": {
            "--jp-layout-color0": "#111",
            "--jp-layout-color1": "#212121",
            "--jp-ui-font-color1": "#fff",
            "--jp-content-font-color0": "#fff",
            "--jp-content-font-color1": "#fff",
        },
        "background": "#111",
    },
    "plain": {"attrs": {}, "vars": {}, "background": "#fff"},
    "plain-dark": {"attrs": {}, "vars": {}, "background": "#16181d"},
}


class _Handler(SimpleHTTPRequestHandler):
    def translate_path(self, path: str) -> str:
        name = path.partition("?")[0]
        return str(BUNDLE if name == "/panel.js" else HERE / name.removeprefix("/stage/"))

    def log_message(self, *args: Any) -> None:
        pass


@contextlib.contextmanager
def serving() -> Iterator[str]:
    """A server on loopback for the bundle and the script; gives its address."""
    with ThreadingHTTPServer(("127.0.0.1", 0), _Handler) as server:
        threading.Thread(target=server.serve_forever, daemon=True).start()
        try:
            yield f"http://127.0.0.1:{server.server_port}"
        finally:
            server.shutdown()


@contextlib.contextmanager
def stage(
    browser: Any,
    base: str,
    *,
    lang: Language = "en",
    theme: str = "light",
    width: int = 1000,
    height: int = 760,
    padding: str = "16px",
    **wish: Any,
) -> Iterator[Any]:
    """A page with a panel on it. Its kernel is `window.kernel`; `**wish` goes to `sample`."""
    dark = theme.endswith("dark")
    context = browser.new_context(
        viewport={"width": width, "height": height},
        color_scheme="dark" if dark else "light",
        locale="zh-CN" if lang != "en" else "en-US",
        permissions=["clipboard-read", "clipboard-write"],
    )
    try:
        page = context.new_page()
        page.set_default_timeout(60_000)
        page.log = log = []
        page.on("console", lambda message: log.append(f"{message.type}: {message.text}"))
        page.on("pageerror", lambda error: log.append(f"error: {error}"))
        html = PAGE % {"lang": lang, "padding": padding}
        page.route(f"{base}/page", lambda route: route.fulfill(body=html, content_type="text/html"))
        page.add_init_script(
            f"window.SAMPLE = {json.dumps(sample(lang, **wish))}; window.THEME = {json.dumps(THEMES[theme])};"
        )
        page.goto(f"{base}/page")
        try:
            page.locator(".panel").wait_for()
        except Exception as error:
            error.add_note("\n".join(log))
            raise
        yield page
    finally:
        context.close()
