"""What the panel knows of its app: asked of the server once, told to the browser in its language."""

from __future__ import annotations

import asyncio
import os
import re
from collections.abc import Mapping, Sequence
from pathlib import Path
from typing import Any, Literal, cast, get_args

import msgspec

from ..app.controls import TEXTS, fitted, is_required, options_of
from ..app.known import KnownApp
from ..app.limits import limit_of, listed
from ..app.misfit import Misfit
from ..app.named import ENDINGS
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
from ..wire.kinds import CHAT_MODES, CHATFLOW, FILE_CONTROLS, ChatMode
from ..wire.models import AppInfo, Parameters, Site, UploadedFile
from . import messages as m

log = logger()

ICON_BYTES = 16_000
"""Largest picture of a tool or an app; it travels with each step that shows it."""
ICONS = 40
"""Tools whose pictures are fetched."""
ICON_SECONDS = 5.0
"""What fetching all of them may take."""
_COLOUR = re.compile(r"#(?:[0-9a-fA-F]{3,4}|[0-9a-fA-F]{6}|[0-9a-fA-F]{8})")


class Facts(msgspec.Struct, frozen=True, kw_only=True):
    """An app as the server told of it."""

    name: str
    mode: ChatMode
    description: str
    app: KnownApp = KnownApp()
    icon: m.Icon | None = None
    tool_icons: Mapping[str, str] = {}
    """By name of the tool: an emoji, or a data URI."""

    @property
    def parameters(self) -> Parameters:
        """What it asks for and allows; nothing where it was not told."""
        return self.app.parameters or Parameters()

    @property
    def annotations(self) -> bool:
        """Whether answers can be annotated: Dify 1.x."""
        return self.app.old is False

    @property
    def has_variables(self) -> bool:
        """Whether its conversations can have variables: chatflows of Dify 1.x."""
        return self.mode == CHATFLOW and not self.app.old


async def facts_of(app: KnownApp, client: AsyncDify) -> Facts:
    """The app as the panel shows it; its pictures are fetched.

    Raises:
        InputError: the app does not chat.
    """
    info = app.info or AppInfo()
    mode = info.mode or "chat"
    if mode not in CHAT_MODES:
        raise InputError(t("panel.not_chat", mode=one_line(str(mode), 40)), code="not_chat_app")
    icon, tool_icons = await _pictures(client, app.meta.tool_icons if app.meta else {}, app.site)
    return Facts(
        name=one_line(info.name or client.settings.app or client.settings.host, 80),
        mode=mode,
        description=one_line(info.description or "", 400),
        app=app,
        icon=icon,
        tool_icons=tool_icons,
    )


async def _pictures(
    client: AsyncDify, tools: Mapping[str, Any], site: Site | None
) -> tuple[m.Icon | None, dict[str, str]]:
    """The app's picture and those of its tools; what cannot be had in time is left out."""
    wanted = {name: told for name, told in list(tools.items())[:ICONS]}
    names = [name for name, told in wanted.items() if isinstance(told, str)]
    urls = [str(wanted[name]) for name in names]
    src = site.icon_url if site is not None and site.icon_type == "image" else None
    fetched: list[str] = [""] * (len(urls) + 1)
    try:
        async with asyncio.timeout(ICON_SECONDS):
            fetched = list(await asyncio.gather(*(_fetch(client, url) for url in [*urls, src or ""])))
    except TimeoutError:
        log.info("the pictures of the tools did not come in time")
    icons = {name: uri for name, uri in zip(names, fetched, strict=False) if uri}
    icons |= {
        name: sign for name, told in wanted.items() if isinstance(told, dict) and (sign := _emoji(told.get("content")))
    }
    if fetched[-1]:
        return m.Icon(src=fetched[-1]), icons
    sign = _emoji(site.icon) if site is not None else ""
    ground = str((site.extra if site is not None else {}).get("icon_background") or "")
    return (m.Icon(emoji=sign, background=ground if _COLOUR.fullmatch(ground) else None) if sign else None), icons


async def _fetch(client: AsyncDify, url: str) -> str:
    """A small picture as a data URI; "" for all else. Only from the server's own origin."""
    if not url:
        return ""
    file = await client.files.fetch(MessageFile(type="image", url=url), limit=ICON_BYTES)
    return picture_source(file.data)


def _emoji(told: Any) -> str:
    """A sign, where it is one: names such as `robot_face` are not."""
    text = one_line(told, 12) if isinstance(told, str) else ""
    return "" if not text or text.isascii() or len(text) > 8 else text


# -- for the browser


def app_value(facts: Facts, client: AsyncDify, lang: Language) -> m.App:
    """The part `app` of the panel's state."""
    told, local = facts.parameters, client.settings.origin == "local"
    speech = told.text_to_speech or {}
    return m.App(
        name=facts.name,
        mode=facts.mode,
        description=facts.description,
        icon=facts.icon,
        server=t("panel.local", lang) if local else client.settings.host,
        local=local,
        opening=opening(told.opening_statement or "", lang),
        suggested=[
            one_line(one, 300) for one in told.suggested_questions or () if isinstance(one, str) and one.strip()
        ],
        speech_to_text=_on(told.speech_to_text),
        text_to_speech=_on(speech),
        autoplay=_on(speech) and speech.get("autoPlay") == "enabled",
        annotations=facts.annotations,
        files=file_rules(told, lang),
        form=[field_of(control, told, lang) for control in told.controls if control.get("variable")],
    )


def opening(text: str, lang: Language) -> list[Any] | None:
    """The opening statement as blocks, made harmless as an answer is."""
    if not text.strip():
        return None
    root = TurnView(lang).blocks(Turn(answer=text, status="succeeded"))
    answer = next(slot for slot in root.children if slot.key == "answer")
    return to_wire(Block("opening", "div", {"class": "dn"}, "", (answer,)))


def _on(told: Mapping[str, Any] | None) -> bool:
    return bool((told or {}).get("enabled"))


def sizes(parameters: Parameters) -> dict[str, int]:
    """The largest file of each type in bytes, as far as the server tells."""
    limits = {kind: limit_of(kind, parameters) for kind in (*ENDINGS, "custom")}
    return {kind: int(limit * 1024 * 1024) for kind, limit in limits.items() if limit is not None}


def file_rules(parameters: Parameters, lang: Language) -> m.FileRules | None:
    """What a question may bring; None when it may bring nothing from here."""
    told = parameters.file_upload or {}
    image: dict[str, Any] = told["image"] if isinstance(told.get("image"), dict) else {}
    if not told.get("enabled", image.get("enabled", False)):
        return None
    methods = listed(told.get("allowed_file_upload_methods")) or listed(image.get("transfer_methods")) or ["local_file"]
    if "local_file" not in methods:
        return None
    kinds = [str(kind) for kind in listed(told.get("allowed_file_types")) or ["image"]]
    number = told.get("number_limits") or image.get("number_limits")
    number = number if isinstance(number, int) and not isinstance(number, bool) and number > 0 else 3
    endings = _endings(kinds, told.get("allowed_file_extensions"))
    largest = {kind: size for kind, size in sizes(parameters).items() if kind in kinds}
    rules = _rules(number, _kinds(kinds, endings, largest, lang), lang)
    return m.FileRules(number=number, types=kinds, extensions=endings, rules=rules, sizes=largest)


def _endings(kinds: list[str], told: Any) -> list[str]:
    """The endings that a place takes. Those that are told rule `custom` files, and narrow the others where
    they name no other kind: Dify sends a list of its own that is for all."""
    known = [ending for kind in kinds for ending in ENDINGS.get(kind, ())]
    own = ["." + str(one).lower().lstrip(".") for one in listed(told)]
    if "custom" in kinds:
        return list(dict.fromkeys([*known, *own]))
    others = {ending for endings in ENDINGS.values() for ending in endings} - set(known)
    narrowed = [] if others & set(own) else [one for one in own if one in known]
    return narrowed or known


def _rules(number: int, kinds: str, lang: Language) -> str:
    if number == 1:
        return t("panel.files.one", lang, kinds=kinds)
    return t("panel.files", lang, number=number, kinds=kinds)


def _kinds(kinds: list[str], endings: list[str], largest: Mapping[str, int], lang: Language) -> str:
    parts = []
    for kind in kinds:
        word = t(f"panel.kind.{kind}", lang) if kind in (*ENDINGS, "custom") else one_line(kind, 20)
        mine = [one for one in endings if one in ENDINGS.get(kind, ())] if kind != "custom" else []
        shown = ", ".join(one.lstrip(".") for one in mine[:6]) + (" …" if len(mine) > 6 else "")
        limit = f"{largest[kind] // (1024 * 1024)} MB" if kind in largest else ""
        inside = t("panel.then", lang).join(one for one in (shown, limit) if one)
        parts.append(t("panel.kind_with", lang, kind=word, details=inside) if inside else word)
    return t("panel.and", lang).join(parts)


def field_of(control: Mapping[str, Any], parameters: Parameters, lang: Language) -> m.Field:
    """One control of the form."""
    kind = str(control.get("type"))
    kind = {"json_object": "json", "external_data_tool": "text-input"}.get(kind, kind)
    files = kind in FILE_CONTROLS
    kinds = [str(one) for one in listed(control.get("allowed_file_types"))] if files else []
    endings = _endings(kinds, control.get("allowed_file_extensions")) if kinds else []
    longest = control.get("max_length")
    limit = longest if isinstance(longest, int) and not isinstance(longest, bool) and longest > 0 else None
    hint = ""
    if kinds:
        largest = {one: size for one, size in sizes(parameters).items() if one in kinds}
        number = limit or 1 if kind == "file-list" else 1
        hint = _rules(number, _kinds(kinds, endings, largest, lang), lang)
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
        accept=",".join(endings),
        number=limit if kind == "file-list" else None,
    )


def in_field(control: Mapping[str, Any], value: Any) -> Any:
    """A value as a field of the form has it: what is no text becomes the text that would be sent."""
    if control.get("type") not in (*TEXTS, "checkbox"):
        return value
    try:
        sent = fitted(str(control.get("variable")), control, Value(value, Origin.SERVER))
    except Misfit:  # asking will tell
        return value
    return value if sent is None else sent


def attachment(id: str, name: str, mime: str, size: int | None, data: bytes | None = None) -> m.Attachment:
    """A file of a question; a small picture brings itself along."""
    thumb = picture_source(data) if data is not None and len(data) <= 4 * ICON_BYTES else ""
    return m.Attachment(id, one_line(name, 200), kind_of(name, mime or mime_of(name)), size, thumb or None)


def named(files: Sequence[Any]) -> list[m.Attachment]:
    """The files of a question that Python asked, as the panel shows them."""
    found = []
    for at, file in enumerate(files):
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
        found.append(attachment(f"python-{at}", name or "file", "", size))
    return found


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
