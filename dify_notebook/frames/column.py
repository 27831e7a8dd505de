"""What a table is made of, and the columns that several tables have."""

from __future__ import annotations

from typing import Literal

import msgspec

DType = Literal["string", "Int64", "boolean", "float64", "timestamp", "category"]


class Column(msgspec.Struct, frozen=True):
    """One column of a table."""

    name: str
    dtype: DType
    doc: str
    nullable: bool = True
    """Whether a value can be missing."""
    unit: str = ""
    """s, bytes, tokens, JSON; prices are in the row's `currency`."""
    categories: tuple[str, ...] = ()
    """Those that are always there, for a category."""


class Table(msgspec.Struct, frozen=True):
    """One table."""

    name: str
    doc: str
    key: tuple[str, ...]
    """The columns that identify a row."""
    columns: tuple[Column, ...]
    order: tuple[str, ...] = ()
    """The columns that a `History` sorts its rows by; with a minus the greatest comes first."""

    @property
    def names(self) -> tuple[str, ...]:
        """The columns' names in order."""
        return tuple(column.name for column in self.columns)

    def __getitem__(self, name: str) -> Column:
        for column in self.columns:
            if column.name == name:
                return column
        raise KeyError(name)


RATINGS = ("like", "dislike")
C = Column


def id_column(name: str, doc: str, *, nullable: bool = False) -> Column:
    """A column of ids."""
    return C(name, "string", doc, nullable)


MESSAGE_ID = id_column("message_id", "The message; joins all tables.")
OF_TURN = id_column(
    "message_id", "The message; missing where a run ended before it had one, and of workflow apps.", nullable=True
)
CONVERSATION_ID = id_column("conversation_id", "The conversation.")
IN_CONVERSATION = id_column("conversation_id", "The conversation, where known.", nullable=True)
USER = C("user", "string", "The `user` that the API was asked with, where known.")

USAGE = (
    C("prompt_tokens", "Int64", "Tokens of the prompt.", unit="tokens"),
    C("completion_tokens", "Int64", "Tokens of the answer.", unit="tokens"),
    C("total_tokens", "Int64", "Tokens in all, as the server added them up.", unit="tokens"),
    C("prompt_price", "float64", "Price of the prompt.", unit="currency"),
    C("completion_price", "float64", "Price of the answer.", unit="currency"),
    C("total_price", "float64", "Price in all. Never add different currencies.", unit="currency"),
    C("currency", "string", "What the prices are in, as the server writes it."),
    C("latency", "float64", "How long the model took, measured by the server.", unit="s"),
    C("time_to_first_token", "float64", "Until the model's first token, measured by the server.", unit="s"),
)
