"""The help of the magics, put together from sentences, so that no option is without one."""

from __future__ import annotations

from ..i18n import Language, t
from ..views.table import width as width
from .complete import SUBCOMMANDS
from .parse import OPTIONS

EXAMPLES = (
    ("%%dify\nWhat can you do?", "ask"),
    ("%%dify -o answer\nName three cities in France.", "out"),
    ("%%dify\nWhat does {{ city }} cost, by this table? {{ table }}", "variables"),
    ("%%dify pipeline -i style=table -i 'items:=\"\\n\".join(names)' --timeout 60\nCompare these.", "inputs"),
    ("%%dify toolbox -f sales.csv\nSummarise this file.", "file"),
    ("%%dify tally -o result\nred apples\ngreen pears\nred cherries", "workflow"),
    ('%%dify tally --as-inputs\ntext = "{{ notes }}"\nclasses = "bug=crash; refund=money"', "as_inputs"),
    ("%%dify tally --inputs row", "row"),
    ("%%dify guide toolbox --repeat 2\nWhat can you do?", "beside"),
    ("%%dify guide --over table --budget '100 calls' -o sweep\nIn one sentence: {{ row.question }}", "over"),
    ("%%dify --new\nForget the above: who are you?", "new"),
    ("%%dify --dry-run\nHow many rows are in {{ table }}?", "dry_run"),
)


def help_text(lang: Language | None = None) -> str:
    """Examples first, then every option and every `%dify` line, as plain text."""
    parts = [t("magic.help.title", lang), t("magic.help.examples", lang)]
    for code, key in EXAMPLES:
        cell = "\n".join("    " + line for line in code.splitlines())
        parts.append(f"{cell}\n        {t(f'magic.help.example.{key}', lang)}")
    parts.append(t("magic.help.variables", lang))
    parts.append(t("magic.help.conversations", lang))
    parts.append(t("magic.help.workflows", lang))
    parts.append(t("magic.help.beside", lang))
    rows = [("PROFILE", t("magic.help.profile", lang))]
    for option in OPTIONS:
        names = ", ".join(option.names) + (f" {option.value}" if option.value else "")
        rows.append((names, t(f"magic.option.{option.field}", lang)))
    parts.append(t("magic.help.options", lang) + "\n" + _table(rows))
    lines = [("%dify", t("magic.help.line.status", lang))]
    lines += [(f"%dify {name}", t(f"magic.help.line.{name}", lang)) for name in SUBCOMMANDS]
    parts.append(t("magic.help.lines", lang) + "\n" + _table(lines))
    parts.append(t("magic.help.results", lang))
    return "\n\n".join(parts) + "\n"


def _table(rows: list[tuple[str, str]]) -> str:
    widest = max(width(name) for name, _ in rows)
    return "\n".join(f"    {name}{' ' * (widest - width(name))}  {text}" for name, text in rows)
