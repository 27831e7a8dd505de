"""The tool calls of a thought, taken apart."""

from __future__ import annotations

from collections.abc import Mapping
from typing import Any

from ..turn.convert import as_text
from ..wire.loose import loads
from .texts import as_json, as_word, clean

REPEATED_CALLS = 100
"""With more calls than this in one thought, what they have in common stands in the first row alone."""


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
    inputs, outputs = _by_call(names, tool_input), _by_call(names, observation)
    return [(name, _label(labels, name), inputs[index], outputs[index]) for index, name in enumerate(names)]


def _by_call(names: list[str], value: Any) -> list[str | None]:
    """The value of each call, in their order."""
    data = value
    if isinstance(value, str):
        try:
            data = loads(value.encode()) if value.lstrip()[:1] in ("{", "[") else value
        except (ValueError, RecursionError):
            data = value
    if data is None or data == "":
        return [None] * len(names)
    if isinstance(data, dict) and any(name in data for name in names):
        last = {name: index for index, name in enumerate(names)}
        return [
            _plain(data[name]) if name in data and last[name] == index else None for index, name in enumerate(names)
        ]
    if len(names) == 1:
        return [_plain(data)]
    if isinstance(data, list) and len(data) == len(names):
        return [_plain(item) for item in data]
    return [None] * len(names)


def _plain(value: Any) -> str | None:
    return clean(value) if isinstance(value, str) else as_json(value)


def _label(labels: Any, name: str) -> str | None:
    label = labels.get(name) if isinstance(labels, Mapping) else None
    if isinstance(label, Mapping):
        label = label.get("en_US") or next(iter(label.values()), None)
    return as_word(label)


def call_rows(base: dict[str, Any], tool: str, tool_input: Any, observation: Any, labels: Any) -> list[dict[str, Any]]:
    """A row of the table `thoughts` for each call.

    What the calls have in common stands in each row; of more than `REPEATED_CALLS` in the first alone: the more calls,
    the longer it is.

    Args:
        base: what the rows have in common.
    """
    raw = {
        "tools_raw": tool or None,
        "input_raw": clean(as_text(tool_input)) or None,
        "output_raw": clean(as_text(observation)) or None,
    }
    calls = tool_calls(tool, tool_input, observation, labels)
    once = dict.fromkeys(("thought", "answer", "tool_label", *raw)) if len(calls) > REPEATED_CALLS else {}
    return [
        {**base, "call": index, "tool": name, "tool_label": label, "input": argument, "output": result, **raw}
        | (once if index else {})
        for index, (name, label, argument, result) in enumerate(calls)
    ]
