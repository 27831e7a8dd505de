"""Where pickles of earlier versions name `Transcript`."""

from .transcript import Transcript as Transcript
