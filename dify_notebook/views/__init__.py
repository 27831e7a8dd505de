"""From a Turn to what people see: blocks for the live view, html, markdown, plain text.

Pure functions of values: no clock, no network, no notebook in here.
"""

from .block import Block
from .blocks import TurnView
from .saved import bundle, html, markdown, text
from .stream import TextStream
from .style import css

__all__ = ["Block", "TextStream", "TurnView", "bundle", "css", "html", "markdown", "text"]
