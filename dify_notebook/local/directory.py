"""Where version 0.1.0 had `LocalServerError`, which its pickles name."""

from .store.directory import LocalServerError as LocalServerError
