"""How much of a turn its views show. What is more is counted in a line that says where all of it is.

Bounds of what is drawn, not of what is kept: the Turn and its frames hold everything. Ordinary answers stay
far below; a server that sends thousands of each costs no more time and no larger page than these allow.
"""

from __future__ import annotations

from typing import Final

NODES: Final = 500
"""Nodes of a workflow, in the order in which they began."""
CHILDREN: Final = 24
"""Nodes inside one container (an iteration, a loop); as many behind them of those that did not succeed."""
OPEN_ROWS: Final = 30
"""Rows of a timeline that stays open above what a run gave."""
DEPTH: Final = 6
"""Containers inside each other whose nodes are shown."""
RETRIES: Final = 20
"""Retries of one node."""
THOUGHTS: Final = 200
"""Steps of an agent."""
TOOLS: Final = 20
"""Tools that one step names."""
LOGS: Final = 500
"""Entries of an agent's log."""
PICTURE_BYTES: Final = 5_000_000
"""Bytes of a picture that an answer holds in its own text (`data:image/png;base64,…`)."""
PICTURES_BYTES: Final = 10_000_000
"""Bytes of all such pictures of one answer; those behind them are named, not shown."""
FILES: Final = 100
"""Files of an answer."""
CITATIONS: Final = 200
"""Passages that an answer names as its sources."""
FORMS: Final = 20
"""Forms that a run asked a person to fill in."""
FORM_TEXT: Final = 20_000
"""Characters of what a form says."""
OPTIONS: Final = 30
"""Options of a form's choice."""
WARNINGS: Final = 8
"""Warnings other than those of damaged lines."""
DAMAGED: Final = 20
"""Damaged lines that are shown as they came."""
MARKS: Final = 100
"""Places of the answer that are marked as damaged."""
SUGGESTED: Final = 10
"""Questions that an app suggests."""
VALUES: Final = 50
"""Outputs, or inputs, of a run."""
VALUE_TEXT: Final = 50_000
"""Characters of a text among them."""
VALUE_DEPTH: Final = 12
"""Lists and objects inside each other that are written out."""
VALUE_ITEMS: Final = 100
"""Items of one of them."""
VALUE_PARTS: Final = 1_000
"""Values that are written out of all that one holds."""
ROWS: Final = 50
"""Rows of a list that is shown as a table."""
COLUMNS: Final = 12
"""Columns of it."""
CELL: Final = 120
"""Characters of a cell."""
DIFFERENCES: Final = 60
"""Values that two turns have not in common."""
ANSWERS: Final = 60
"""Answers that stand beside each other, or below."""
ACROSS: Final = 4
"""Those that stand beside each other; more are a row of their own."""
COLUMN_TEXT: Final = 20_000
"""Characters of one of them."""
COLUMN_FIELD: Final = 2_000
"""Characters of a question above them."""
DIFF_WORDS: Final = 1_500
"""Words of texts that are compared word by word, and lines of those that are compared by line."""
DIFF_TEXT: Final = 60_000
"""Characters of texts that are compared word by word."""
DIFF_SHOWN: Final = 20_000
"""Characters of a comparison."""
TABLE_ROWS: Final = 20
"""Questions of a table of their answers."""
TABLE_CELL: Final = 280
"""Characters of an answer in it."""
