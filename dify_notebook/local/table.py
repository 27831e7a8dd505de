"""Where version 0.1.0 had `DeclarationError`, which its pickles name."""

from .engine.declare.reader import DeclarationError as DeclarationError
