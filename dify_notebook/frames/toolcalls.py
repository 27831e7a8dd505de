"""The tool calls of a thought, taken apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..turn.convert import as_text
from ..wire.loose import loads
from .texts import as_json, as_word, clean

REPEATED_CALLS = 100
"""With more calls than so many in one step, what they have in common is told once."""


def tool_calls(
    tool: str, tool_input: Any, observation: Any, labels: Any = None
) -> list[tuple[str | None, str | None, str | None, str | None]]:
    """The calls of one thought: (tool, label, input, output) each; one without a tool where none was called.

    Several tools are joined by `;`. Input and observation are JSON by the tool's name, or, for a
    single tool, its arguments or its text alone. Where a tool was called twice, one value stands for
    both and belongs to the last call; what cannot be told apart is missing, and is in the raw columns.

    >>> tool_calls("add;now", '{"add": {"a": 1}, "now": {}}', '{"add": "1", "now": "12:00"}')
    [('add', None, '{"a":1}', '1'), ('now', None, '{}', '12:00')]
    >>> tool_calls("add", '{"a": 1}', "1")
    [('add', None, '{"a":1}', '1')]
    """
    names = [name for name in tool.split(";") if name]
    if not names:
        return [(None, None, None, None)]
    given, gave = _by_call(names, tool_input), _by_call(names, observation)
    return [(name, _label(labels, name), given[at], gave[at]) for at, name in enumerate(names)]


def _by_call(names: list[str], told: Any) -> list[str | None]:
    """What was told of each call, in their order."""
    data = told
    if isinstance(told, str):
        try:
            data = loads(told.encode()) if told.lstrip()[:1] in ("{", "[") else told
        except (ValueError, RecursionError):
            data = told
    if data is None or data == "":
        return [None] * len(names)
    if isinstance(data, dict) and any(name in data for name in names):
        last = {name: at for at, name in enumerate(names)}
        return [_plain(data[name]) if name in data and last[name] == at else None for at, name in enumerate(names)]
    if len(names) == 1:
        return [_plain(data)]
    if isinstance(data, list) and len(data) == len(names):
        return [_plain(item) for item in data]
    return [None] * len(names)


def _plain(value: Any) -> str | None:
    return clean(value) if isinstance(value, str) else as_json(value)


def _label(labels: Any, name: str) -> str | None:
    told = labels.get(name) if isinstance(labels, Mapping) else None
    if isinstance(told, Mapping):
        told = told.get("en_US") or next(iter(told.values()), None)
    return as_word(told)


def call_rows(base: dict[str, Any], tool: str, tool_input: Any, observation: Any, labels: Any) -> list[dict[str, Any]]:
    """A row of the table `thoughts` for each call.

    What the calls have in common stands in each row; of more than `MANY` in the first alone, since it is as long as
    they are many.

    Args:
        base: what the rows have in common.
    """
    raw = {
        "tools_raw": tool or None,
        "input_raw": clean(as_text(tool_input)) or None,
        "output_raw": clean(as_text(observation)) or None,
    }
    calls = tool_calls(tool, tool_input, observation, labels)
    once = dict.fromkeys(("thought", "tool_label", *raw)) if len(calls) > REPEATED_CALLS else {}
    return [
        {**base, "call": at, "tool": name, "tool_label": label, "input": given, "output": gave, **raw}
        | (once if at else {})
        for at, (name, label, given, gave) in enumerate(calls)
    ]
