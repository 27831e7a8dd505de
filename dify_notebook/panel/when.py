"""A moment in few words."""

from __future__ import annotations

from datetime import datetime, timedelta

from ..i18n import Language, local_time, t


def when(time: datetime | None, now: datetime, lang: Language) -> str:
    """A moment in few words, in the kernel's time zone; "" for None."""
    if time is None:
        return ""
    local, today = local_time(time), local_time(now)
    clock = local.strftime("%H:%M")
    if local.date() == today.date():
        return clock
    if local.date() == (today - timedelta(days=1)).date():
        return t("panel.yesterday", lang, time=clock)
    if local.year == today.year:
        return t("panel.day", lang, day=local.day, month=t(f"panel.month.{local.month}", lang))
    return local.strftime("%Y-%m-%d")
