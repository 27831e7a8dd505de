"""How the embedded server counts tokens and prices them.

The built-in apps have no model, so the unit is our own and easy to check by hand: every Chinese,
Japanese or Korean character is one token, every run of Latin letters or digits is one token
per started six characters, and every other visible character is one. Prices follow Dify's
form: tokens x unit price x price unit, seven decimals, US dollars. They are nominal. A declared app's
meter takes over what its model counted, at the prices that were declared.
"""

from __future__ import annotations

import re
from dataclasses import dataclass
from decimal import ROUND_HALF_UP, Decimal

_WIDE = "\u3040-\u30ff\u3400-\u4dbf\u4e00-\u9fff\uac00-\ud7af\uf900-\ufaff"
_TOKEN = re.compile(rf"[{_WIDE}]|[^\W_{_WIDE}]{{1,6}}|[^\w\s]|_")

UNIT_PRICE_IN = Decimal("0.001")
UNIT_PRICE_OUT = Decimal("0.002")
PRICE_UNIT = Decimal("0.001")
_DECIMALS = Decimal("0.0000001")
TOKEN_PAUSE = 0.012
"""Seconds before each piece of text, at pace 1."""


def count(text: str) -> int:
    """Number of tokens of a text, in the unit that the module describes."""
    return sum(1 for _ in _TOKEN.finditer(text))


def pieces(text: str) -> list[str]:
    """Cut a text into pieces of about a token, white space kept in front; joined they are the text."""
    cut: list[str] = []
    at = 0
    for match in _TOKEN.finditer(text):
        if match.end() > at:
            cut.append(text[at : match.end()])
            at = match.end()
    if at < len(text):
        cut.append(text[at:])
    return cut


@dataclass
class Meter:
    """Adds up what a run read and wrote."""

    prompt: int = 0
    completion: int = 0
    unit_in: Decimal = UNIT_PRICE_IN
    """US dollars for a thousand tokens read."""
    unit_out: Decimal = UNIT_PRICE_OUT
    latency: float | None = None
    """Seconds that a model took; None where there is no model and the whole run counts."""

    def read(self, text: str) -> int:
        """Count a text as read; gives its tokens."""
        tokens = count(text)
        self.prompt += tokens
        return tokens

    def wrote(self, text: str) -> int:
        """Count a text as written; gives its tokens."""
        tokens = count(text)
        self.completion += tokens
        return tokens

    def add(self, other: Meter) -> None:
        """Take over what another meter counted."""
        self.prompt += other.prompt
        self.completion += other.completion
        if other.latency is not None:
            self.latency = (self.latency or 0.0) + other.latency

    @property
    def total(self) -> int:
        return self.prompt + self.completion

    @property
    def idle(self) -> bool:
        """Whether a model was there and was not asked; Dify counts nothing then."""
        return self.latency == 0.0 and not self.total

    @property
    def price(self) -> str:
        """Total price in US dollars, as Dify writes it."""
        return _price(self.prompt, self.unit_in, self.completion, self.unit_out)

    def usage(
        self,
        latency: float,
        first_token: float | None = None,
        generate: float | None = None,
    ) -> dict[str, object]:
        """Dify's `usage` object; times are seconds."""
        return {
            "prompt_tokens": self.prompt,
            "prompt_unit_price": str(self.unit_in),
            "prompt_price_unit": str(PRICE_UNIT),
            "prompt_price": _price(self.prompt, self.unit_in),
            "completion_tokens": self.completion,
            "completion_unit_price": str(self.unit_out),
            "completion_price_unit": str(PRICE_UNIT),
            "completion_price": _price(self.completion, self.unit_out),
            "total_tokens": self.total,
            "total_price": self.price,
            "currency": "USD",
            "latency": latency,
            "time_to_first_token": first_token,
            "time_to_generate": generate,
        }


def nothing_used(first_token: float | None = None, generate: float | None = None) -> dict[str, object]:
    """The `usage` of a stopped answer: Dify counts nothing then."""
    zero = Meter().usage(0.0, first_token, generate)
    return {
        name: "0.0" if isinstance(value, str) and name != "currency" else value
        for name, value in zero.items()
    }


def _price(*tokens_and_units: int | Decimal) -> str:
    total = Decimal(0)
    for tokens, unit in zip(tokens_and_units[::2], tokens_and_units[1::2], strict=True):
        total += Decimal(tokens) * Decimal(unit) * PRICE_UNIT
    return format(total.quantize(_DECIMALS, rounding=ROUND_HALF_UP), "f")
