"""What is said in place of an app's answer: to a question that is annotated or may not be asked, or by moderation."""

from __future__ import annotations

from typing import TYPE_CHECKING

from ..tokens import TOKEN_PAUSE

if TYPE_CHECKING:
    from .run import Run


def preset_answer(run: Run) -> str | None:
    """The answer that is ready before the app is asked; None: there is none."""
    rules = run.app.moderation
    if rules is not None and rules.question is not None and any(rules.caught(text) for text in _asked(run)):
        run.annotation = None
        return rules.question
    return None if run.annotation is None else str(run.annotation["answer"])


def _asked(run: Run) -> list[str]:
    """The texts that somebody wrote; those of a completion are among its inputs."""
    if run.app.holds_conversations:
        return [run.query]
    return [run.query, *(value for value in run.inputs.values() if isinstance(value, str))]


async def say_preset(run: Run, text: str) -> None:
    """Say a text that is ready. Nothing is counted, and a workflow says it whole, without nodes."""
    run.unmetered = True
    if run.app.is_flow:
        run.delta(text)
        return
    for character in text:
        await run.pause(TOKEN_PAUSE)
        run.delta(character)


def moderated(run: Run, state: str) -> str | None:
    """What takes the place of an answer that may not be given."""
    rules = run.app.moderation
    if rules is None or rules.answer is None or state != "done" or run.unmetered:
        return None
    return rules.answer if rules.caught(run.answer) else None
