"""What the panel knows of its app: fetched once, shown in the reader's language."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast, get_args

import msgspec

from ..app.controls import TEXTS, fitted, is_required, options_of
from ..app.file_references import EXTENSIONS
from ..app.file_rules import limit_of, listed
from ..app.invalid import InvalidInput
from ..app.known import KnownApp
from ..app.origin import Origin, Value
from ..errors import InputError
from ..i18n import Language, t
from ..logs import logger
from ..net.client import AsyncDify
from ..net.files import is_url, kind_of, mime_of
from ..printable import one_line
from ..turn.state import MessageFile, Turn
from ..views import Block, TurnView
from ..views.diff import to_wire
from ..views.pictures import picture_source
from ..views.words import last_part
from ..wire.kinds import FILE_CONTROLS, AppMode
from ..wire.models import AppInfo, Parameters, Site, UploadedFile
from . import messages as m
from .offers import OFFERS

log = logger()

ICON_BYTES = 16_000
"""Largest picture of a tool or an app; it travels with each step that shows it."""
ICONS = 40
"""Tools whose pictures are fetched."""
ICON_SECONDS = 5.0
"""What fetching all of them may take."""
_COLOUR = re.compile(r"#(?:[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")


class PanelApp(msgspec.Struct, frozen=True, kw_only=True):
    """An app as its server describes it."""

    name: str
    mode: AppMode
    description: str
    known: KnownApp = KnownApp()
    icon: m.Icon | None = None
    tool_icons: Mapping[str, str] = {}
    """By name of the tool: an emoji, or a data URI."""

    @property
    def parameters(self) -> Parameters:
        """What it asks for and allows; empty where the server does not say."""
        return self.known.parameters or Parameters()

    @property
    def annotations(self) -> bool:
        """Whether answers can be annotated: Dify 1.x."""
        return self.offers.annotations and self.known.old is False

    @property
    def has_variables(self) -> bool:
        """Whether its conversations can have variables: chatflows of Dify 1.x."""
        return self.offers.variables and not self.known.old

    @property
    def offers(self) -> m.Offers:
        """What a panel offers for it."""
        return OFFERS[self.mode]


async def fetch_app(known: KnownApp, client: AsyncDify) -> PanelApp:
    """The app as the panel shows it; its pictures are fetched.

    Raises:
        InputError: it is an app of a kind that is not known here.
    """
    info = known.info or AppInfo()
    mode = known.mode or info.mode or "chat"
    if mode not in OFFERS:
        raise InputError(t("panel.not_chat", mode=one_line(str(mode), 40)), code="not_chat_app")
    icon, tool_icons = await _icons(client, known.meta.tool_icons if known.meta else {}, known.site)
    return PanelApp(
        name=one_line(info.name or client.settings.app or client.settings.host, 80),
        mode=cast("AppMode", mode),
        description=one_line(info.description or "", 400),
        known=known,
        icon=icon,
        tool_icons=tool_icons,
    )


async def _icons(
    client: AsyncDify, tools: Mapping[str, Any], site: Site | None
) -> tuple[m.Icon | None, dict[str, str]]:
    """The app's picture and those of its tools; what cannot be had in time is left out."""
    shown_tools = {name: value for name, value in list(tools.items())[:ICONS]}
    image_names = [name for name, value in shown_tools.items() if isinstance(value, str)]
    urls = [str(shown_tools[name]) for name in image_names]
    src = site.icon_url if site is not None and site.icon_type == "image" else None
    fetched: list[str] = [""] * (len(urls) + 1)
    try:
        async with asyncio.timeout(ICON_SECONDS):
            fetched = list(await asyncio.gather(*(_fetch(client, url) for url in [*urls, src or ""])))
    except TimeoutError:
        log.info("the pictures of the tools did not come in time")
    icons = {name: uri for name, uri in zip(image_names, fetched, strict=False) if uri}
    icons |= {
        name: emoji
        for name, value in shown_tools.items()
        if isinstance(value, dict) and (emoji := _emoji(value.get("content")))
    }
    if fetched[-1]:
        return m.Icon(src=fetched[-1]), icons
    emoji = _emoji(site.icon) if site is not None else ""
    background = str((site.extra if site is not None else {}).get("icon_background") or "")
    checked = background if _COLOUR.fullmatch(background) else None
    return (m.Icon(emoji=emoji, background=checked) if emoji else None), icons


async def _fetch(client: AsyncDify, url: str) -> str:
    """A small picture as a data URI; "" for all else. Only from the server's own origin."""
    if not url:
        return ""
    file = await client.files.fetch(MessageFile(type="image", url=url), limit=ICON_BYTES)
    return picture_source(file.data)


def _emoji(value: Any) -> str:
    """The emoji where the value is one, else "": names such as `robot_face` are not."""
    text = one_line(value, 12) if isinstance(value, str) else ""
    return "" if not text or text.isascii() or len(text) > 8 else text


# -- for the browser


def app_value(app: PanelApp, client: AsyncDify, lang: Language) -> m.App:
    """The part `app` of the panel's state."""
    parameters, local = app.parameters, client.settings.source == "local"
    speech = parameters.text_to_speech or {}
    return m.App(
        name=app.name,
        mode=app.mode,
        offers=app.offers,
        description=app.description,
        icon=app.icon,
        server=t("panel.local", lang) if local else client.settings.host,
        local=local,
        opening=opening(parameters.opening_statement or "", lang),
        suggested=[
            one_line(question, 300)
            for question in parameters.suggested_questions or ()
            if isinstance(question, str) and question.strip()
        ],
        speech_to_text=_enabled(parameters.speech_to_text),
        text_to_speech=_enabled(speech),
        autoplay=_enabled(speech) and speech.get("autoPlay") == "enabled",
        annotations=app.annotations,
        files=file_rules(parameters, lang),
        form=[field_of(control, parameters, lang) for control in parameters.controls if control.get("variable")],
    )


def opening(text: str, lang: Language) -> list[Any] | None:
    """The opening statement as blocks, made harmless as an answer is."""
    if not text.strip():
        return None
    root = TurnView(lang).blocks(Turn(answer=text, status="succeeded"))
    answer = next(slot for slot in root.children if slot.key == "answer")
    return to_wire(Block("opening", "div", {"class": "dn"}, "", (answer,)))


def _enabled(setting: Mapping[str, Any] | None) -> bool:
    return bool((setting or {}).get("enabled"))


def sizes(parameters: Parameters) -> dict[str, int]:
    """The largest file of each type in bytes, as far as the server tells."""
    limits = {kind: limit_of(kind, parameters) for kind in (*EXTENSIONS, "custom")}
    return {kind: int(limit * 1024 * 1024) for kind, limit in limits.items() if limit is not None}


def file_rules(parameters: Parameters, lang: Language) -> m.FileRules | None:
    """What a question may bring; None when it may bring nothing from here."""
    upload = parameters.file_upload or {}
    image: dict[str, Any] = upload["image"] if isinstance(upload.get("image"), dict) else {}
    if not upload.get("enabled", image.get("enabled", False)):
        return None
    methods = listed(upload.get("allowed_file_upload_methods")) or listed(image.get("transfer_methods"))
    if methods and "local_file" not in methods:
        return None
    kinds = [str(kind) for kind in listed(upload.get("allowed_file_types")) or ["image"]]
    number = upload.get("number_limits") or image.get("number_limits")
    number = number if isinstance(number, int) and not isinstance(number, bool) and number > 0 else 3
    extensions = _extensions(kinds, upload.get("allowed_file_extensions"))
    largest = {kind: size for kind, size in sizes(parameters).items() if kind in kinds}
    rules = _rules(number, _kinds(kinds, extensions, largest, lang), lang)
    return m.FileRules(number=number, types=kinds, extensions=extensions, rules=rules, sizes=largest)


def _extensions(kinds: list[str], allowed: Any) -> list[str]:
    """The extensions that are allowed. Those that the server lists are for `custom` files, and narrow the others where
    they name no other kind: Dify sends a list of its own that is for all."""
    known = [extension for kind in kinds for extension in EXTENSIONS.get(kind, ())]
    declared = ["." + str(extension).lower().lstrip(".") for extension in listed(allowed)]
    if "custom" in kinds:
        return list(dict.fromkeys([*known, *declared]))
    others = {extension for extensions in EXTENSIONS.values() for extension in extensions} - set(known)
    narrowed = [] if others & set(declared) else [extension for extension in declared if extension in known]
    return narrowed or known


def _rules(number: int, kinds: str, lang: Language) -> str:
    if number == 1:
        return t("panel.files.one", lang, kinds=kinds)
    return t("panel.files", lang, number=number, kinds=kinds)


def _kinds(kinds: list[str], extensions: list[str], largest: Mapping[str, int], lang: Language) -> str:
    parts = []
    for kind in kinds:
        word = t(f"panel.kind.{kind}", lang) if kind in (*EXTENSIONS, "custom") else one_line(kind, 20)
        own = EXTENSIONS.get(kind, ()) if kind != "custom" else ()
        matching = [extension for extension in extensions if extension in own]
        shown = ", ".join(extension.lstrip(".") for extension in matching[:6]) + (" …" if len(matching) > 6 else "")
        limit = f"{largest[kind] // (1024 * 1024)} MB" if kind in largest else ""
        inside = t("panel.then", lang).join(part for part in (shown, limit) if part)
        parts.append(t("panel.kind_with", lang, kind=word, details=inside) if inside else word)
    return t("panel.and", lang).join(parts)


def field_of(control: Mapping[str, Any], parameters: Parameters, lang: Language) -> m.Field:
    """One control of the form."""
    kind = str(control.get("type"))
    kind = {"json_object": "json", "external_data_tool": "text-input"}.get(kind, kind)
    files = kind in FILE_CONTROLS
    kinds = [str(name) for name in listed(control.get("allowed_file_types"))] if files else []
    extensions = _extensions(kinds, control.get("allowed_file_extensions")) if kinds else []
    max_length = control.get("max_length")
    limit = max_length if isinstance(max_length, int) and not isinstance(max_length, bool) and max_length > 0 else None
    hint = ""
    if kinds:
        largest = {name: size for name, size in sizes(parameters).items() if name in kinds}
        number = limit or 1 if kind == "file-list" else 1
        hint = _rules(number, _kinds(kinds, extensions, largest, lang), lang)
    default = in_field(control, control.get("default"))
    return m.Field(
        name=str(control.get("variable")),
        label=one_line(str(control.get("label") or control.get("variable")), 120),
        control=cast(m.Control, kind if kind in get_args(m.Control) else "text-input"),
        required=is_required(control),
        max_length=None if files else limit,
        options=options_of(control),
        default=None if default == "" or files else default,
        hint=hint,
        accept=",".join(extensions),
        number=limit if kind == "file-list" else None,
    )


def in_field(control: Mapping[str, Any], value: Any) -> Any:
    """A value as a field of the form has it: what is no text becomes the text that would be sent."""
    if control.get("type") not in (*TEXTS, "checkbox"):
        return value
    try:
        sent = fitted(str(control.get("variable")), control, Value(value, Origin.SERVER))
    except InvalidInput:  # asking will tell
        return value
    return value if sent is None else sent


def attachment(id: str, name: str, mime: str, size: int | None, data: bytes | None = None) -> m.Attachment:
    """A file of a question; a small picture brings itself along."""
    thumb = picture_source(data) if data is not None and len(data) <= 4 * ICON_BYTES else ""
    return m.Attachment(id, one_line(name, 200), kind_of(name, mime or mime_of(name)), size, thumb or None)


def attachments_of(files: Sequence[Any]) -> list[m.Attachment]:
    """The files of a question that Python asked, as the panel shows them."""
    attachments = []
    for index, file in enumerate(files):
        size: int | None = None
        if isinstance(file, UploadedFile):
            name, size = file.name, file.size
        elif isinstance(file, bytes | bytearray | memoryview):
            name, size = "file", len(file)
        elif isinstance(file, str | os.PathLike):
            name = last_part(str(file)) if is_url(file) else Path(file).name
            size = os.stat(file).st_size if not is_url(file) and os.path.isfile(file) else None
        else:
            name = Path(str(getattr(file, "name", "") or "file")).name
        attachments.append(attachment(f"python-{index}", name or "file", "", size))
    return attachments


SoundMime = Literal["audio/mpeg", "audio/wav", "audio/ogg", "audio/webm", "audio/mp4"]


def sound_mime(data: bytes) -> SoundMime:
    """The type of a sound by its first bytes; mp3 where they do not tell."""
    if data[:4] == b"RIFF":
        return "audio/wav"
    if data[:4] == b"OggS":
        return "audio/ogg"
    if data[:4] == b"\x1aE\xdf\xa3":
        return "audio/webm"
    return "audio/mp4" if data[4:8] == b"ftyp" else "audio/mpeg"
