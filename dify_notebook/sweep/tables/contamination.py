"""Which questions cannot be compared, because something other than what is varied decided an answer. Pure."""

from __future__ import annotations

from bisect import bisect_left, bisect_right
from collections import Counter
from collections.abc import Iterable, Mapping, Sequence
from itertools import accumulate
from typing import Literal, get_args

from ...i18n import t
from ..case import Case, Target
from ..records import Answer, Checked, Outcome
from ..variants import VariantKey, variant_key
from .kept import Attempts, Kept

Reason = Literal["annotation", "republished", "changed"]
"""annotation: one answered instead of the model. republished: another published version answered than the newest
that did. changed: what the server tells of the app was something else then."""


def contaminated(
    cases: Sequence[Case], store: Kept, targets: Mapping[str, Target], *, attempts: Attempts | None = None
) -> dict[str, Reason]:
    """The questions that are left out of comparisons, for all variants, with the first reason that applies.

    What the newest version of an app answered is comparable with each other; a question that has an answer of
    another version is left out. Moderation is a result, and so is a failure: they leave nothing out. Of a target
    whose version is pinned neither a new version nor new parameters matter; an answer of any other version than
    the pinned one (old servers do not know how to pin) counts as republished.

    Args:
        targets: by name; checks are found by their identity.
        attempts: those of these cases, where they were read already.
    """
    last = (attempts or Attempts(cases, store)).last
    asked = [(case, last[case.id]) for case in cases if case.id in last]
    newest = _newest_versions(asked, targets)
    changes = {name: _Changes(target, store.checks) for name, target in targets.items() if target.workflow_id is None}
    found: dict[str, Reason] = {}
    order = get_args(Reason)
    for case, outcome in asked:
        reason = _reason(outcome, newest.get(case.variant.target), changes.get(case.variant.target))
        before = found.get(case.question)
        if reason is not None and (before is None or order.index(reason) < order.index(before)):
            found[case.question] = reason
    return found


def _reason(outcome: Outcome, version: str | None, changes: _Changes | None) -> Reason | None:
    if any(answer.annotation for answer in outcome.answers):
        return "annotation"
    if version is not None and any(answer.workflow_id not in (None, version) for answer in outcome.answers):
        return "republished"
    if outcome.answers and changes is not None and changes.around(outcome.began, outcome.ended):
        return "changed"
    return None


def _newest_versions(asked: Iterable[tuple[Case, Outcome]], targets: Mapping[str, Target]) -> dict[str, str]:
    """The version of each target that counts: the pinned one, else that of the answer that began last."""
    newest = {name: (float("inf"), target.workflow_id) for name, target in targets.items() if target.workflow_id}
    for case, outcome in asked:
        name = case.variant.target
        for answer in outcome.answers:
            if answer.workflow_id is not None and (name not in newest or outcome.began >= newest[name][0]):
                newest[name] = outcome.began, answer.workflow_id
    return {name: version for name, (_, version) in newest.items() if version is not None}


class _Changes:
    """When a target was something else than it is by the last check."""

    def __init__(self, target: Target, checks: Sequence[Checked]) -> None:
        own = sorted((check for check in checks if check.target == target.identity), key=lambda check: check.at)
        self._times = [check.at for check in own]
        others = (check.hash != own[-1].hash for check in own)
        self._others = [0, *accumulate(map(int, others))]

    def around(self, began: float, ended: float) -> bool:
        """Whether a check found something else: the last before, the first after, or one between."""
        first = max(bisect_right(self._times, began) - 1, 0)
        after = bisect_left(self._times, ended)
        return self._others[min(after + 1, len(self._times))] > self._others[first]


# -- what is said of it --------------------------------------------------------------------------


def same_answers(
    cases: Sequence[Case], store: Kept, *, attempts: Attempts | None = None
) -> dict[tuple[str, VariantKey], bool]:
    """For each question and variant that succeeded at least twice: whether all these repeats answered the same."""
    last = (attempts or Attempts(cases, store)).last
    seen: dict[tuple[str, VariantKey], list[tuple[object, ...]]] = {}
    for case in cases:
        outcome = last.get(case.id)
        if outcome is not None and outcome.state == "succeeded":
            key = case.question, variant_key(case.variant)
            seen.setdefault(key, []).append(tuple(map(_said, outcome.answers)))
    return {key: all(one == answers[0] for one in answers) for key, answers in seen.items() if len(answers) > 1}


def _said(answer: Answer) -> tuple[str, object]:
    return answer.answer, answer.outputs


def notes(excluded: Mapping[str, Reason], questions: int, same: Mapping[tuple[str, VariantKey], bool]) -> list[str]:
    """Sentences about what is left out, and about repeats that say the same.

    Args:
        excluded: of `contaminated`.
        questions: how many there are.
        same: of `same_answers`.
    """
    said = []
    if excluded:
        counts = Counter(excluded.values())
        why = ", ".join(
            t(f"sweep.excluded.{reason}", count=f"{counts[reason]:,}") for reason in get_args(Reason) if counts[reason]
        )
        said.append(t("sweep.excluded", count=f"{len(excluded):,}", all=f"{questions:,}", why=why))
    identical = sum(same.values())
    if identical:
        said.append(t("sweep.excluded.same", count=f"{identical:,}", all=f"{len(same):,}"))
    return said
