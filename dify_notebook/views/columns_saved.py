"""What stays in the notebook of several answers: html, markdown and plain text, in one bundle."""

from __future__ import annotations

from ..i18n import Language
from . import answer_table, columns, columns_page, columns_text
from .answer_table import Table
from .block import Block
from .columns import Page
from .columns_page import ColumnsView
from .html import serialize
from .style import inline_styles
from .words import Words


def bundle(state: Page | Table, lang: Language | None = None) -> dict[str, str]:
    """All three forms by mime type."""
    words = Words(lang)
    if isinstance(state, Table):
        return {
            "text/html": serialize(answer_table.block(state, words), inline_styles),
            "text/markdown": answer_table.document(state, words),
            "text/plain": answer_table.text(state, words),
        }
    found = columns.compared(columns.laid_out(state, words), words)
    return {
        "text/html": serialize(columns_page.saved(state, found, words), inline_styles),
        "text/markdown": columns_text.document(state, found, words),
        "text/plain": columns_text.text(state, found, words),
    }


def html(page: Page, lang: Language | None = None) -> str:
    """The page while its answers come, for where an output is sent whole."""
    root = ColumnsView(lang).blocks(page)
    whole = Block(root.key, root.tag, {"class": "mathjax_ignore dn dn-wide"}, "", root.children)
    return serialize(whole, inline_styles)
