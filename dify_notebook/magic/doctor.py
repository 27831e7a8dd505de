"""`%dify doctor`: what was looked at, what is wrong, and what to do about it."""

from __future__ import annotations

from ..i18n import current_language as language
from ..i18n import sentences, t
from ..net.doctor import Finding, examine
from ..printable import one_line
from ..redact import redact
from .state import AppSession, kind_of_app

SYMBOLS = {"ok": "✓", "wrong": "✗", "unknown": "·"}


def doctor(app_session: AppSession, *, stream: bool) -> str:
    """Examine the app's server; the findings as text, a line or more each."""
    findings = app_session.session.call(examine(app_session.client, app_session.session.conversation_id, stream=stream))
    lines = [line for finding in findings for line in describe_finding(finding)]
    wrong = sum(finding.state == "wrong" for finding in findings)
    lines.append(t("magic.doctor.end", count=wrong) if wrong else t("magic.doctor.well"))
    return redact("\n".join(lines))


def describe_finding(finding: Finding) -> list[str]:
    """The lines of one finding; for what is wrong, the second says what to do."""
    key = f"magic.doctor.{finding.kind}"
    values = {
        name: one_line(value, 300) if isinstance(value, str) else value for name, value in finding.values.items()
    }
    if "mode" in values:
        values["mode"] = kind_of_app(str(values["mode"]))
    if finding.state == "wrong" and f"{key}.wrong" in sentences(language()):
        lines = [t(f"{key}.wrong", **values)]
    else:
        lines = [t(key, **values)]
    if finding.state == "wrong":
        lines.append(t(f"{key}.do", **values))
    return [f"{SYMBOLS[finding.state]} {lines[0]}", *(f"    {line}" for line in lines[1:])]
