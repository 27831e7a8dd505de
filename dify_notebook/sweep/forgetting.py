"""Deleting a sweep's conversations on the server."""

from __future__ import annotations

from typing import TYPE_CHECKING

import msgspec

from ..errors import DifyError, NotFoundError
from ..i18n import t
from ..net.limiter import gather_bounded
from ..printable import MESSAGE, one_line

if TYPE_CHECKING:
    from .case import Target
    from .job import Job
    from .store.store import Store


class Forgetting(msgspec.Struct, kw_only=True):
    """What `Sweep.forget` did."""

    deleted: int = 0
    """Conversations that are gone from the server, those that were gone before included."""
    failed: dict[str, DifyError] = {}
    """Conversation id -> why it could not be deleted."""
    elsewhere: int = 0
    """Conversations of apps that this sweep no longer asks, or that another user began; a sweep with those apps and
    that user deletes them."""
    runs: int = 0
    """Answers of apps without conversations; Dify's API deletes none of those."""

    def __repr__(self) -> str:
        parts = [t("sweep.forget.deleted", n=f"{self.deleted:,}")]
        if self.failed:
            first = next(iter(self.failed.values()))
            parts.append(t("sweep.forget.failed", n=f"{len(self.failed):,}", why=one_line(str(first), 200)))
        if self.elsewhere:
            parts.append(t("sweep.forget.elsewhere", n=f"{self.elsewhere:,}"))
        if self.runs:
            parts.append(t("sweep.forget.runs", n=f"{self.runs:,}"))
        return one_line(t("sweep.forget.space").join(parts), MESSAGE)


async def forget(job: Job, now: float) -> Forgetting:
    """Delete what the sweep began on the server.

    Also what was begun and is not known to have ended, where the user is the sweep's own: all its conversations go.

    Args:
        now: seconds since 1970, for the record.

    Raises:
        InputError: the sweep is running.
        DifyError: the apps cannot be found out; nothing was deleted.
    """
    with job.store.locked() as store:
        return await _forget(job, store, now)


async def _forget(job: Job, store: Store, now: float) -> Forgetting:
    cases = await job.prepare()
    target_of = {case.id: job.targets[case.variant.target] for case in cases}
    report = Forgetting()
    there: dict[str, Target] = {}
    unknown: set[str] = set()
    done = frozenset(store.deleted)
    for outcome in store.spent:
        id = outcome.conversation_id
        if id is None:
            report.runs += sum(1 for answer in outcome.answers if answer.workflow_run_id or answer.message_id)
        elif id not in done:
            target = target_of.get(outcome.case)
            if target is None or outcome.user not in (None, job.user):
                unknown.add(id)
            else:
                there[id] = target
    if job.own_user:
        for target in job.targets.values():
            for id in await _listed(target):
                if id not in done:
                    there.setdefault(id, target)
    report.elsewhere = len(unknown - there.keys())

    async def delete(id: str) -> None:
        try:
            await there[id].client.conversations.delete(id)
        except NotFoundError:
            pass  # it is gone, which is what was wanted
        except DifyError as problem:
            report.failed[id] = problem
            return
        report.deleted += 1
        store.forgotten(id, now)

    await gather_bounded(delete, list(there))
    return report


async def _listed(target: Target) -> list[str]:
    """The conversations of the sweep's own user; none of an app that has no conversations."""
    if not target.client._cache.app.takes.conversations:
        return []
    return [conversation.id for conversation in await target.client.conversations.list().to_list()]
