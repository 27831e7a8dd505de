"""The servers and apps that a run asks, and what is known of them in it."""

from __future__ import annotations

import asyncio
from collections.abc import Sequence
from typing import TYPE_CHECKING

from ..case import Case, Target
from .pace import Pace, Retries

if TYPE_CHECKING:
    from ...net.client import AsyncDify


class Slot:
    """A place among the cases that are under way to a server; its ticket is None while it has none."""

    __slots__ = ("ticket",)

    def __init__(self, ticket: int | None) -> None:
        self.ticket = ticket


Waiting = tuple[float, asyncio.Future[bool], Slot]


class Site:
    """A server, with the questions that it refused and that wait to be asked again."""

    def __init__(self, limit: int) -> None:
        self.pace = Pace(limit)
        self.waiting: list[Waiting] = []
        self.downs = 0
        """How often a gateway said that nobody is there, since it last took a question."""

    def is_down(self, ticket: int, now: float, retries: Retries, chance: float) -> bool:
        """A gateway said that nobody is there: wait with other cases, so that they do not fail as well. Whether that
        has been waited for often enough."""
        wait = retries.wait(self.downs + 1, None, chance)
        if not self.pace.refused(ticket, now, wait):  # said to one that went out before the last wait
            return False
        self.downs += 1
        return wait is None

    def admit(self, now: float) -> None:
        """Let those go on whose wait is over, as far as there is room; who waits longest goes first."""
        for entry in sorted(self.waiting, key=lambda entry: entry[0]):
            ready, go, slot = entry
            if ready > now or not self.pace.has_room(now):
                return
            self.waiting.remove(entry)
            if not go.done():
                slot.ticket = self.pace.enter()
                go.set_result(True)

    def give_up(self) -> None:
        """None of them goes on."""
        for _, go, _ in self.waiting:
            if not go.done():
                go.set_result(False)
        self.waiting.clear()

    def next_time(self, now: float) -> float | None:
        """When something may begin here that may not now, for the time alone; in the loop's seconds."""
        times = [ready for ready, _, _ in self.waiting if ready > now]
        if self.pace.not_before > now:
            times.append(self.pace.not_before)
        return min(times, default=None)


class App:
    """A target, and what is known of it in this run."""

    def __init__(self, target: Target, client: AsyncDify, site: Site) -> None:
        self.target, self.client, self.site = target, client, site
        self.checked = False
        self.first: Case | None = None
        """The case that goes alone, until the server takes it."""
        self.taken = self.answered = False


def apps_of(cases: Sequence[Case], targets: dict[str, Target], concurrency: int) -> dict[str, App]:
    """The targets that are asked, by name; those on one server share its pace."""
    sites: dict[str, Site] = {}
    apps = {}
    for name in dict.fromkeys(case.variant.target for case in cases):
        client = targets[name].client
        site = sites.setdefault(client.base_url, Site(concurrency))
        apps[name] = App(targets[name], client._paced(concurrency), site)
    return apps
