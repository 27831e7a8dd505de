"""Rates with their denominators, and what those that are missing leave open. Pure but for `rates`."""

from __future__ import annotations

from collections.abc import Collection, Iterable, Mapping, Sequence
from typing import TYPE_CHECKING, Any

import msgspec

from ...frames.column import DType
from ...i18n import t
from ..case import Case
from ..variants import by_variant
from .frame import variant_columns
from .kept import Kept

if TYPE_CHECKING:
    import pandas as pd


class Rate(msgspec.Struct, frozen=True):
    """How many of how many; of those that are missing nobody knows."""

    yes: int
    no: int
    missing: int = 0

    @property
    def of(self) -> int:
        """All of them, the missing ones too: the denominator."""
        return self.yes + self.no + self.missing

    @property
    def rate(self) -> float | None:
        """The share among those that are known, 0 to 1; None where none is."""
        known = self.yes + self.no
        return self.yes / known if known else None

    @property
    def low(self) -> float | None:
        """The share if all that are missing were no; None where there is nothing."""
        return self.yes / self.of if self.of else None

    @property
    def high(self) -> float | None:
        """The share if all that are missing were yes; None where there is nothing."""
        return (self.yes + self.missing) / self.of if self.of else None

    def __str__(self) -> str:
        yes, of = f"{self.yes:,}", f"{self.of:,}"
        if self.low is None or self.high is None:
            return t("sweep.rates.none")
        if not self.missing:
            return t("sweep.rates.whole", yes=yes, all=of, share=_percent(self.low))
        low, high = _percent(self.low), _percent(self.high)
        return t("sweep.rates.between", yes=yes, all=of, missing=f"{self.missing:,}", low=low, high=high)


def _percent(share: float) -> str:
    """82 %, 99.7 %; never 0 % or 100 % where it is not exactly that."""
    percent = share * 100
    digits = 0 if percent in (0.0, 100.0) or abs(percent - round(percent)) < 1e-9 else 1
    bounded = percent if not digits else min(max(percent, 0.1), 99.9)
    return f"{bounded:.{digits}f} %"


def rate(verdicts: Iterable[Any]) -> Rate:
    """The rate of a column of booleans, with missing values: None, pandas' NA or NaN.

    Raises:
        TypeError: a value that is neither.
    """
    if hasattr(verdicts, "isna"):  # a column of pandas: its NA cannot be compared
        missing = int(verdicts.isna().sum())
        verdicts = [*verdicts.dropna(), *[None] * missing]  # type: ignore[attr-defined]
    yes = no = missing = 0
    for verdict in verdicts:
        if verdict is None or verdict != verdict:
            missing += 1
        elif verdict == 1:
            yes += 1
        elif verdict == 0:
            no += 1
        else:
            raise TypeError(f"a verdict is True, False or missing, not {type(verdict).__name__}")
    return Rate(yes, no, missing)


def succeeded(cases: Iterable[Case], store: Kept) -> dict[str, bool | None]:
    """Case -> whether it succeeded; None where it was not asked, and where nobody knows how it ended."""
    verdicts = {"succeeded": True, "failed": False}
    return {case.id: verdicts.get(store.state(case.id)) for case in cases}


def rates(
    cases: Sequence[Case], verdicts: Mapping[str, bool | None], excluded: Collection[str] = ()
) -> pd.DataFrame:
    """One row for each variant: app, prompt, the inputs that are varied, `yes`, `no`, `missing`, `of` (all of them,
    the denominator), `rate` (among those that are known), `low` and `high` (what the missing ones leave open), and
    `excluded`: cases that are left out here, since their questions cannot be compared.

    Args:
        verdicts: by case, such as `succeeded(cases, store)`, or of a scorer; one that is not there is missing.
        excluded: questions, such as of `contaminated`.
    """
    from .frame import frame

    groups = by_variant(cases)
    columns, variant_values = variant_columns(cases, taken=_COLUMNS)
    rows = []
    for members in groups.values():
        compared = [case for case in members if case.question not in excluded]
        found = rate([verdicts.get(case.id) for case in compared])
        rows.append(
            {
                **variant_values(members[0].variant),
                **{name: getattr(found, name) for name in ("yes", "no", "missing", "of", "rate", "low", "high")},
                "excluded": len(members) - len(compared),
            }
        )
    return frame("sweep.rates", columns, _NUMBERS, rows)


_NUMBERS: dict[str, DType] = {
    "yes": "Int64", "no": "Int64", "missing": "Int64", "of": "Int64", "rate": "float64", "low": "float64",
    "high": "float64", "excluded": "Int64",
}  # fmt: skip
_COLUMNS = tuple(_NUMBERS)
