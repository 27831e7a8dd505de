"""Laws that the package says in one place: a second one is found by what it would have to write."""

from __future__ import annotations

import ast
import re
from collections.abc import Iterator
from pathlib import Path

import pytest

import dify_notebook

PACKAGE = Path(dify_notebook.__file__).parent

LAWS: dict[str, tuple[str, dict[str, str]]] = {
    "server-sent events": (
        r"""^b['"](?:data|event|id|retry):|^['"](?:data|event|id|retry): |text/event-stream""",
        {"wire/sse.py": "the reader and the writer"},
    ),
    "this user's directories": (
        r"^platformdirs\b|^user_directory$|DIFY_NOTEBOOK_\{?.*_DIR\b",
        {"paths.py": "where the system has them", "private.py": "each of them"},
    ),
    "files for their user alone": (
        r"^384$",  # 0o600
        {
            "private.py": "how they are made, and closed",
            "credentials.py": "closes one that it warns of",
            "local/store/lock.py": "opened to be read and written, and never emptied",
        },
    ),
    "what a secret looks like": (r"app\|dataset|dataset-\[|\(sk\)-", {"redact.py": "the redactor"}),
    "what stands in a secret's place": (
        r"""^b?'\*\*\*@?'$""",
        {
            "redact.py": "the redactor",
            "secret.py": "what a key says when it is asked for its text",
            "net/proxies.py": "what a proxy's address shows, which need not be one",
            "views/facts.py": "a rule of markdown",
        },
    ),
    "a login in an address": (
        r"""rpartition\(['"]@['"]\)""",
        {"redact.py": "the redactor", "net/proxies.py": "what it sends to the proxy"},
    ),
    "when a turn is drawn": (r"^wait_repair$", {"live/throttle.py": "the law"}),
    "a node's events": (
        r"^'node_(?:started|retry|finished)'$",
        {
            "wire/events.py": "what a client reads",
            "local/engine/graph/events.py": "what the embedded server sends",
            "local/engine/snapshot.py": "what it sends again to who follows a run",
            "local/simulate/dialect_015.py": "the same as an older server has them",
            "local/simulate/dialect_runs.py": "the same of workflow apps",
        },
    ),
    "what a mode of apps means": (
        r"^(?:CHAT_MODES|OTHER_MODES|CHATFLOW|WORKFLOW|COMPLETION|NEW_AGENT|AGENT)$"
        r"|mode\b\S* (?:[!=]=|(?:not )?in) .*['\"](?:[a-z]+-chat|chat|agent|workflow|completion)['\"]",
        {
            "wire/kinds.py": "the modes",
            "app/modes.py": "what a question may consist of, what is listed; cells, panels and tables follow",
            "turn/fold.py": "which events tell it, and what the end of a run comes to",
            "views/facts.py": "whether a turn is a run, or stands alone",
            "net/workflows.py": "the calls of workflow apps",
            "net/completion.py": "those of completion apps",
            "net/ask.py": "which calls ask",
            "net/ways.py": "how they are stopped and read on",
            "net/app.py": "how it is found where the server does not tell it",
            "local/engine/app.py": "the questions that the embedded server asks of its apps",
            "local/engine/telling.py": "how a run is told",
            "local/engine/declare/apps.py": "what a declared app is made of",
            "local/engine/declare/scope.py": "what its nodes may refer to",
            "local/server/context.py": "whose key a route takes",
        },
    ),
    "what an app of the embedded server has": (
        r"^(?:is_workflow|holds_conversations)$",
        {
            "local/engine/preset.py": "where the text is that moderation looks at",
            "local/server/context.py": "whose key a route takes",
            "local/server/asking.py": "what a question needs, and is kept as",
            "local/server/attached.py": "which files it may have",
            "local/server/resumption.py": "what a run goes on in",
            "local/server/routes/human.py": "what its followers are told of before",
            "local/server/routes/workflows.py": "who reads a kept run",
            "local/simulate/dialect.py": "which events the older ones have",
            "local/simulate/seeding/write.py": "what past is made up",
        },
    ),
    "connections to others": (
        r"^AsyncHTTPTransport$|^HTTPTransport$|^HTTPS?Connection$|^urlopen$|^httpx\.(?:AsyncClient|Client|get|post|stream)\(",
        {
            "net/transport.py": "the clients of a Dify server",
            "local/engine/transport.py": "the embedded server, to other machines",
            "local/server/server.py": "whether the embedded server of another process answers",
        },
    ),
    "where the embedded server may go": (
        r"^exchange$",
        {
            "local/engine/fetch.py": "the allow-list, at every redirect",
            "local/engine/models/remote.py": "the model that it was given",
        },
    ),
}
"""A law -> what whoever says it writes (a literal, a name, an import, a call, a comparison), and where that may stand."""


def written(tree: ast.AST) -> Iterator[tuple[int, str]]:
    """Literals without docstrings, names, imports, calls and comparisons of a module, as they are written, with their lines."""
    silent = {id(node.value) for node in ast.walk(tree) if isinstance(node, ast.Expr)}
    for node in ast.walk(tree):
        if isinstance(node, ast.Constant) and isinstance(node.value, str | bytes | int) and id(node) not in silent:
            yield node.lineno, repr(node.value)
        elif isinstance(node, ast.Name):
            yield node.lineno, node.id
        elif isinstance(node, ast.Attribute):
            yield node.lineno, node.attr
        elif isinstance(node, ast.Call | ast.Compare):
            yield node.lineno, ast.unparse(node)
        elif isinstance(node, ast.Import | ast.ImportFrom):
            yield from ((node.lineno, alias.name) for alias in node.names)
            yield node.lineno, getattr(node, "module", None) or ""


EVERYTHING = [
    (path.relative_to(PACKAGE).as_posix(), line, text)
    for path in sorted(PACKAGE.rglob("*.py"))
    for line, text in written(ast.parse(path.read_text(encoding="utf-8")))
]


@pytest.mark.parametrize("law", LAWS)
def test_a_law_is_said_in_one_place(law: str) -> None:
    pattern, places = LAWS[law]
    found = {(place, line): text for place, line, text in EVERYTHING if re.search(pattern, text)}
    assert {f"{place}:{line}": text for (place, line), text in found.items() if place not in places} == {}
    assert {place for place, _ in found} == set(places), "places that say it no more"


@pytest.mark.parametrize(
    ("law", "source"),
    [
        ("server-sent events", 'line.startswith(b"data:")'),
        ("server-sent events", 'f"data: {text}\\n\\n".encode()'),
        ("this user's directories", "from platformdirs import user_data_dir"),
        ("this user's directories", 'os.environ["DIFY_NOTEBOOK_DATA_DIR"]'),
        ("files for their user alone", "os.open(path, flags, 0o600)"),
        ("what a secret looks like", 're.compile(r"(?:app|dataset)-")'),
        ("what stands in a secret's place", 'shown = "***"'),
        ("a login in an address", 'address.rpartition("@")[2]'),
        ("when a turn is drawn", "wait_repair(1)"),
        ("what a mode of apps means", "from ..wire.kinds import WORKFLOW"),
        ("what a mode of apps means", "if info.mode == kinds.COMPLETION: pass"),
        ("what a mode of apps means", 'if mode == "workflow": pass'),
        ("what a mode of apps means", 'if turn.app_mode not in ("workflow", "completion"): pass'),
        ("what an app of the embedded server has", "text = None if app.is_workflow else answer"),
        ("connections to others", "async with httpx.AsyncClient() as client: pass"),
        ("connections to others", "from http.client import HTTPSConnection"),
        ("where the embedded server may go", "from .transport import exchange"),
    ],
)
def test_the_guard_sees_a_law_said_again(law: str, source: str) -> None:
    assert any(re.search(LAWS[law][0], text) for _, text in written(ast.parse(source)))
