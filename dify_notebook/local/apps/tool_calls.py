"""Which tools a question asks for, and with what: read by rules, in English and Chinese."""

from __future__ import annotations

import re
from collections.abc import Sequence
from dataclasses import dataclass
from typing import Any

from ..engine.tools import clock, text_stats
from ..engine.tools.arithmetic import CONSTANTS, FUNCTIONS, NotComputable, evaluate
from .looking import looked_at

MAX_CALLS = 8
"""Tool calls for one question."""


@dataclass(frozen=True)
class Call:
    """A tool and its arguments."""

    tool: str
    arguments: dict[str, Any]


_NAMES = "|".join(sorted([*FUNCTIONS, *CONSTANTS], key=len, reverse=True))
_MATH = re.compile(
    rf"(?<![\w.])(?:(?:{_NAMES})\b|\d+(?:\.\d+)?(?:[eE][-+]?\d+)?|\.\d+|[-+*/%^().,×÷−（），]|\s)+"
)
_THOUSANDS = r"(?<![\d.,])\d{1,3}(?:,\d{3})+(?!\d|,\d)"
_COMMAS = re.compile(rf"(?P<called>(?<!\w)[^\W\d]\w*+\s*+\()|(?P<bracket>[()])|{_THOUSANDS}")
_BLANKS = " \t\n\r\f\v\u00a0\u3000"
_CJK = r"\u3400-\u4dbf\u4e00-\u9fff"
_N = r"((?<!\d)-?\d++(?:\.\d++)?+)"
# Said in words -> written as an expression. Only between numbers, so prose is left alone.
_WORDS: tuple[tuple[re.Pattern[str], str], ...] = tuple(
    (re.compile(pattern, re.IGNORECASE), put)
    for pattern, put in (
        (rf"{_N}\s*+(?:%|percent|per cent)\s++of\s++{_N}", r"(\1/100*\2)"),
        (rf"{_N}\s*+的\s*+{_N}\s*+%", r"(\1*\2/100)"),
        (rf"{_N}\s*+的\s*+百分之\s*+{_N}", r"(\1*\2/100)"),
        (rf"(?:square root of|根号)\s*+{_N}|{_N}\s*+的?\s*+平方根", r"sqrt(\1\2)"),
        (rf"factorial of\s++{_N}|{_N}\s*+的?\s*+阶乘", r"factorial(\1\2)"),
        (r"\b(\d+)\s*!(?![=\w])", r"factorial(\1)"),
        (rf"{_N}\s*+的\s*+(\d++)\s*+次方", r"\1**\2"),
        (rf"{_N}\s*+(?:squared|的?\s*+平方)", r"(\1)**2"),
        (rf"{_N}\s*+(?:cubed|的?\s*+立方)", r"(\1)**3"),
        (r"(?<=[\d)])\s*(?:plus|加上?)\s*(?=[-\d(.]|sqrt|factorial)", "+"),
        (r"(?<=[\d)])\s*(?:minus|减去?)\s*(?=[-\d(.]|sqrt|factorial)", "-"),
        (r"(?<=[\d)])\s*(?:times|multiplied by|乘以?|x)\s*(?=[-\d(.]|sqrt|factorial)", "*"),
        (r"(?<=[\d)])\s*(?:divided by|over|除以)\s*(?=[-\d(.]|sqrt|factorial)", "/"),
        (r"(?<=[\d)])\s*(?:to the power of|raised to the power of|raised to)\s*(?=[-\d(.])", "**"),
        (r"(?<=[\d)])\s*(?:mod|modulo)\s*(?=[-\d(])", "%"),
    )
)
_DATE = re.compile(r"\b\d{4}[-/]\d{1,2}[-/]\d{1,2}\b|\b\d{1,2}:\d{2}\b|\bhttps?://\S+|\b\d+(?:\.\d+){2,}\b")
_QUOTED = re.compile(
    r"\"([^\"\n]{1,20000})\"|“([^“”]{1,20000})”|「([^「」]{1,20000})」|『([^『』]{1,20000})』|`([^`]{1,20000})`",
    re.S,
)
_COUNTING = re.compile(
    r"\b(?:how many|count|number of|statistics?|stats|analy[sz]e)\b[^:：\n]{0,200}"
    r"\b(?:words?|characters?|letters?|sentences?|lines?|text|paragraph)\b|\btext (?:statistics?|stats)\b|"
    r"\b(?:word|character|letter|line|sentence) count\b|"
    r"字数|词数|多少(?:个)?(?:字|词|字符|单词|句)|几个(?:字|词|字符|单词|句)|统计(?:一下)?(?:这|以下|下面|文本|文字|文章|字|：|:)|文本统计",
    re.IGNORECASE,
)
_TIME = re.compile(
    r"\b(?:what(?:'s| is)?(?: the)?(?: current| local)? time|current time|"
    r"time (?:is it|now|in|zone)|what(?:'s| is) (?:the |today's )?date|"
    r"today's date|time zones?|clock|o'clock|what day is (?:it|today)|convert)\b|"
    r"\b\d{1,2}(?::\d{2})?\s*(?:am|pm)\b|\b\d{1,2}:\d{2}\b|"
    r"几点|时间|时区|现在是|今天(?:是)?(?:几号|星期|周几|日期)|日期",
    re.IGNORECASE,
)
_TABLE = re.compile(
    r"\b(?:csv|tsv|table|columns?|rows?|file|summar|data)|表格|文件|数据|列|汇总|总结|统计", re.IGNORECASE
)
TABLE_NAMES = (".csv", ".tsv", ".tab")
TEXT_NAMES = (".txt", ".md", ".log", ".json", ".py")


def calls(question: str, files: Sequence[str] = ()) -> list[Call]:
    """The tool calls that a question asks for, in the order in which it names them.

    What is asked for must stand in the part that is looked at (`apps/looking.py`); a text to count is taken whole,
    and one that is longer than can be counted far enough to be refused.

    Args:
        files: names of the files that came with it.
    """
    matches: list[tuple[int, Call]] = []
    rest = head = looked_at(question)
    counted = _COUNTING.search(head)
    if counted:
        text, span = _text_to_count(question, counted)
        if text:
            matches.append((counted.start(), Call("text_statistics", {"text": text})))
            # What stands in the text is to be counted, not to be computed.
            rest = rest[: span[0]] + " " * (min(span[1], len(rest)) - span[0]) + rest[span[1] :]
    timed = _time_calls(rest)
    matches.extend(timed)
    for position, expression in expressions(_blank_times(rest) if timed else rest):
        matches.append((position, Call("calculator", {"expression": expression})))
    ordered = [call for _, call in sorted(matches, key=lambda item: item[0])]
    for name in files:
        lowered = name.lower()
        if lowered.endswith(TABLE_NAMES) and (not ordered or _TABLE.search(head)):
            ordered.append(Call("csv_summary", {"file": name}))
        elif lowered.endswith(TEXT_NAMES):
            ordered.append(Call("text_statistics", {"file": name}))
    unique: list[Call] = []
    for call in ordered:
        if call not in unique:
            unique.append(call)
        if len(unique) == MAX_CALLS:
            break
    return unique


def expressions(text: str) -> list[tuple[int, str]]:
    """Arithmetic in a text, with its places: what can be computed and computes something."""
    text = _DATE.sub(lambda match: " " * len(match.group()), text)
    text = _joined(text)
    for pattern, replacement in _WORDS:
        text = pattern.sub(replacement, text)
    # Chinese stands against numbers without a space between; Latin letters do not.
    text = re.sub(rf"(?<=[{_CJK}])(?=[\d(])|(?<=[\d)])(?=[{_CJK}])", " ", text)
    matches: list[tuple[int, str]] = []
    for match in _MATH.finditer(text):
        piece = match.group().strip(" \t\n,，.")
        for candidate in _candidates(piece):
            if _computes(candidate):
                matches.append((match.start(), _bare(candidate)))
    return matches


def _joined(text: str) -> str:
    """2,340 is one number; in max(2,340) the comma parts two."""
    called = False

    def joined(match: re.Match[str]) -> str:
        nonlocal called
        if match["called"] or match["bracket"]:
            called = bool(match["called"])
            return match.group()
        return match.group() if called else match.group().replace(",", "")

    return _COMMAS.sub(joined, text)


def _candidates(piece: str) -> list[str]:
    """The piece itself, or without the full stop, comma or bracket that belongs to the sentence around it."""
    if _parses(piece):
        return [piece]
    trimmed = piece.lstrip(_BLANKS + "*/%^.,×÷)）").rstrip(_BLANKS + "+-*/^.,×÷(（")
    if _parses(trimmed):
        return [trimmed]
    return [part.strip() for part in re.split(r"[,，]|\.\s", trimmed) if _parses(part.strip())]


def _bare(text: str) -> str:
    """Without the one pair of brackets around the whole."""
    inside = text[1:-1]
    if text.startswith("(") and text.endswith(")") and "(" not in inside and _computes(inside):
        return inside
    return text


def _parses(text: str) -> bool:
    try:
        evaluate(text)
    except NotComputable as error:
        # Too large or divided by zero is arithmetic all the same, and the tool says what is wrong.
        return "not an arithmetic expression" not in str(error) and "can be computed" not in str(error)
    return bool(text)


def _computes(text: str) -> bool:
    """A bare number is no question; 3 - 4 is, and so is sqrt(2)."""
    return bool(
        re.search(r"[\w.)）]\s*(?:[-+*/%^×÷−])", text.replace("e-", "").replace("e+", "")) or "(" in text
    )


def _time_calls(text: str) -> list[tuple[int, Call]]:
    places = clock.places(text)
    spoken = clock.spoken_time(text)
    match = _TIME.search(text) or (clock.TIME.search(text) if spoken and len(places) > 1 else None)
    if not match:
        return []
    position = match.start()
    if spoken and len(places) >= 2:
        first, *others = places
        if re.search(rf"(?:\bin|to|到|换成|是)\s*{re.escape(first[0])}.*\bwhen\b|当", text, re.IGNORECASE):
            # "what time is it in A when it is 3pm in B"
            others, first = [first], places[-1]
        return [
            (
                position,
                Call(
                    "convert_time", {"time": f"{spoken.hour:02}:{spoken.minute:02}", "from": first[1], "to": zone}
                ),
            )
            for _, zone in others
        ]
    if places:
        return [(position, Call("current_time", {"timezone": zone})) for _, zone in places]
    if spoken:
        return []
    if re.search(r"time|date|day|几点|时间|日期|今天|现在", match.group(), re.IGNORECASE):
        return [(position, Call("current_time", {"timezone": "UTC"}))]
    return []


def _blank_times(text: str) -> str:
    return clock.TIME.sub(lambda match: " " * len(match.group()), text)


def _text_to_count(question: str, match: re.Match[str]) -> tuple[str, tuple[int, int]]:
    """The text in quotes, else what follows a colon or a line break."""
    quoted = _QUOTED.search(question)
    if quoted:
        return next(group for group in quoted.groups() if group), quoted.span()
    after = re.search(r"[:：]\s*|\n", question[match.start() :])
    if after:
        start = match.start() + after.end()
        return question[start : start + text_stats.MAX_LENGTH + 1].strip(), (start, len(question))
    return "", (0, 0)
