"""Where version 0.1.0 had `DumpError`, which its pickles name."""

from .simulate.dumping import DumpError as DumpError
