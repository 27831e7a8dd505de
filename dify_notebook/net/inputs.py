"""Inputs that Python gives: fitted to the app's form by the law of `app.form`, and told in Python's words."""

from __future__ import annotations

import asyncio
import copy
from collections.abc import Mapping
from typing import TYPE_CHECKING, Any, NoReturn

from ..app import form as law
from ..app.controls import free
from ..app.files import FileInput
from ..app.misfit import Misfit, Unfit
from ..app.origin import Origin, Value
from ..app.values import to_text
from ..errors import APIError, DifyError, InputError
from ..i18n import t
from ..logs import logger
from ..wire import calls
from ..wire.models import Parameters

if TYPE_CHECKING:
    from .client import AsyncDify

log = logger()

LEARN_SECONDS = 10.0
"""How long a question with inputs waits for the app's form; then the server itself checks them."""
_NO_JSON = ("bytes", "iterator", "callable", "secret", "unsupported", "too_long")
"""What keeps a value from being JSON by its type alone."""


async def learn(dify: AsyncDify, user: str, limit: float | None = None) -> None:
    """Ask for the app's form, unless it is known or was asked for: once for a client and all its users.

    Questions that begin together wait for one answer. It raises nothing: what is wrong with the server the question
    itself will tell.

    Args:
        limit: seconds that the whole turn may take. No more than a quarter of them goes by here, so that there is
            time for the question; the form may still come for a later one.
    """
    known = dify._known
    if known.parameters is not None or known.form is not None or known.no_form:
        return
    loop = asyncio.get_running_loop()
    asking = known.asking.get(loop)
    if asking is None:
        asking = known.asking[loop] = loop.create_task(_ask(dify, user))
        asking.add_done_callback(lambda _: known.asking.pop(loop, None))
    await asyncio.wait([asking], timeout=None if limit is None else limit / 4)


async def _ask(dify: AsyncDify, user: str) -> None:
    known, once = dify._known, copy.copy(dify)
    once._retry_seconds = 0.0
    try:
        known.form = await asyncio.wait_for(once._send(calls.app_parameters(user=user)), LEARN_SECONDS)
    except (DifyError, TimeoutError) as error:
        status = error.status if isinstance(error, APIError) else None
        passing = status is None or status == 429 or status >= 500  # the next question may ask again
        known.no_form = isinstance(error, TimeoutError) or not passing
        log.info("what the app asks for is not known: %s", getattr(error, "code", "") or type(error).__name__)


def check(inputs: Mapping[str, Any] | None) -> None:
    """Tell at once what no app takes, before its form is asked for: no text says it, and no JSON.

    Raises:
        InputError: there is such a name or value.
    """
    for name, value in (inputs or {}).items():
        calls.check_text("inputs", name)
        try:
            whole(free(name, Value(value, Origin.PYTHON)), name)
        except Misfit as misfit:
            problem = misfit
        else:
            continue
        try:
            whole(to_text(value, strict=True), name)
        except Unfit:
            pass
        else:
            continue
        _refuse(problem)


def fit(parameters: Parameters | None, inputs: Mapping[str, Any] | None) -> dict[str, Any]:
    """The inputs as they will be sent; files among them are still to be uploaded.

    An input that the form does not have, and every input while the form is not known, goes as JSON. Whether a
    required one that is not named at all may be missing is for the server to say: on later turns some let it.

    Raises:
        InputError: a value is one that cannot be sent, or that the app does not take.
    """
    given = {str.__str__(name): Value(value, Origin.PYTHON) for name, value in (inputs or {}).items()}
    try:
        found = law.fit(parameters.controls if parameters else None, given, whole=False)
    except Misfit as misfit:
        problem = misfit
    else:
        return {name: whole(one, name) for name, one in found.inputs.items()}
    _refuse(problem)


def whole(value: Any, place: str) -> Any:
    """The same with whole characters only: two halves (surrogates) that stand together are one. Files as given.

    Raises:
        InputError: half a character stands alone, which no server can be sent.
    """
    if isinstance(value, FileInput):
        return value.given
    if isinstance(value, list):
        return [whole(one, f"{place}[{at}]") for at, one in enumerate(value)]
    if isinstance(value, dict):
        return {whole(key, place): whole(one, f"{place}[{key!r}]") for key, one in value.items()}
    if not isinstance(value, str):
        return value
    try:
        value.encode()
    except UnicodeEncodeError:
        pass
    else:
        return value
    try:
        return value.encode("utf-16", "surrogatepass").decode("utf-16")
    except UnicodeDecodeError:
        pass
    raise InputError(t("net.half_character", name=ascii(place)[1:-1]), code="input")


def _refuse(misfit: Misfit) -> NoReturn:
    name, values, hint = misfit.name, misfit.values, t("magic.value.hint")
    key = f"net.input.{misfit.reason}"
    if misfit.reason == "missing":
        values = {"names": ", ".join(str(control["variable"]) for control in values["controls"])}
    elif misfit.reason == "select":
        values = {"text": values["text"][:80], "options": ", ".join(values["options"])}
    elif misfit.reason in ("path", "kind"):
        key = "net.text_for_file" if misfit.reason == "path" else key
        hint = t("net.text_for_file.hint", name=name)
    elif misfit.reason == "unfit":
        unfit = values["unfit"]
        name += unfit.path
        kind = type(unfit.value).__name__
        key = "net.bad_input" if unfit.reason in _NO_JSON else f"magic.value.{unfit.reason}"
        values = {"source": name, "kind": kind, "type": kind, **unfit.values}
    raise InputError(t(key, **{"name": name, **values}), code="input", hint=hint)
