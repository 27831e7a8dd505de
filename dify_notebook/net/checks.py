"""Files against what an app says that it takes: all of a question's files, before the first of them is sent."""

from __future__ import annotations

import os
from collections.abc import Mapping, Sequence
from typing import Any

from ..app import file_rules as rules
from ..i18n import t
from ..wire.models import Parameters, UploadedFile
from .files import NewFile, is_url, open_file, size_of


def check_attachments(files: Sequence[NewFile], parameters: Parameters | None) -> None:
    """The files of a question: their number, kinds and sizes.

    Args:
        parameters: what the app takes; None where it is not known.

    Raises:
        InputError: a file is not there, or the app does not take it, or not so many.
    """
    accepted = parameters.file_upload if parameters is not None else None
    where = t("net.place_files")
    if accepted:
        rules.check_count(len(files), accepted.get("number_limits"), where)
    _check(files, accepted, where, parameters)


def check_input(
    name: str, files: Sequence[NewFile], control: Mapping[str, Any] | None, parameters: Parameters | None
) -> None:
    """The files of one input: their number and kinds by its own control, their sizes.

    Args:
        control: of the app's form; None where it is not known.

    Raises:
        InputError: a file is not there, or this input does not take it, or not so many.
    """
    where = t("net.place_input", name=name)
    if control is not None and control.get("type") == "file-list":
        rules.check_count(len(files), control.get("max_length"), where)
    _check(files, control, where, parameters)


def _check(
    files: Sequence[NewFile], accepted: Mapping[str, Any] | None, where: str, parameters: Parameters | None
) -> None:
    for file in files:
        if isinstance(file, (Mapping, UploadedFile)) or is_url(file):
            continue  # nothing of it is sent from here
        with open_file(file, None) as (name, content):
            if isinstance(file, (str, os.PathLike)):  # of bytes and open files the name says too little
                rules.check_kind(name, None, accepted, where)
            if parameters is not None:
                rules.check_size(name, None, size_of(content), parameters)
                rules.check_anywhere(name, None, parameters)
