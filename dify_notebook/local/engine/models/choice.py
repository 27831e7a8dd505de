"""Which model an app answers with: what its declaration says, then what the server was given, then the bundled one."""

from __future__ import annotations

import os
from collections.abc import AsyncGenerator, Mapping
from dataclasses import dataclass
from decimal import Decimal
from pathlib import Path
from typing import Any

from ....errors import DifyError
from ....i18n import t
from ....paths import expand
from . import gguf
from .model import Backend, Chunk, Model, ModelFailed, Prices
from .remote import Remote

KEY_VARIABLES = ("DIFY_NOTEBOOK_MODEL_KEY", "OPENAI_API_KEY")


class WrongModel(DifyError):
    """The model that was named cannot be used."""


@dataclass(frozen=True)
class Wanted:
    """What was said of a model, in one place; empty where nothing was said."""

    url: str | None = None
    name: str | None = None
    """As the endpoint calls it, or a path that ends in .gguf."""
    key_env: str | None = None
    """Environment variable that holds the key; None looks into `KEY_VARIABLES`."""
    timeout: float = 60.0
    options: Mapping[str, Any] | None = None
    prices: Prices = Prices()
    vision: bool = False

    def over(self, other: Wanted) -> Wanted:
        """This, filled in with another's where nothing is said. Address and name go together."""
        url = self.url if self.url or self.name else other.url
        own = self.url is not None
        return Wanted(
            url=url or (other.url if self.name and not self.name.endswith(".gguf") else None),
            name=self.name or other.name,
            key_env=self.key_env if own or self.key_env else other.key_env,
            timeout=self.timeout,
            options=self.options,
            prices=self.prices if self.prices != Prices() else other.prices,
            vision=self.vision,
        )


def choose(wanted: Wanted, beside: Path | None = None) -> Model:
    """The model to ask.

    Args:
        beside: directory from which a relative path of a GGUF file counts.

    Raises:
        WrongModel: what was said cannot work, such as an address without a name.
    """
    backend: Backend
    if wanted.url:
        if not wanted.name:
            raise WrongModel(t("local.model.no_name", url=wanted.url))
        try:
            backend = Remote(wanted.url, _key(wanted.key_env), timeout=wanted.timeout)
        except ValueError as problem:
            raise WrongModel(str(problem)) from None
        name = wanted.name
    elif wanted.name and wanted.name.endswith(".gguf"):
        file = (beside or Path.cwd()) / expand(wanted.name, argument="model")
        if not file.is_file():
            raise WrongModel(t("local.model.no_file", path=file))
        if not gguf.installed():
            raise WrongModel(t("local.model.no_library", path=file))
        backend, name = gguf.InProcess(file), file.stem
    elif wanted.name:
        raise WrongModel(t("local.model.no_url", name=wanted.name))
    elif gguf.installed() and (bundled := gguf.bundled()) is not None:
        backend, name = gguf.InProcess(bundled), gguf.BUNDLED
    else:
        backend, name = _None(), "none"
    return Model(backend, name, wanted.options or {}, wanted.prices, wanted.vision)


def prices(settings: Mapping[str, Any]) -> Prices:
    """Prices per thousand tokens; raises ValueError for what is no price."""
    amounts = [Decimal(str(settings.get(name, 0))) for name in ("price_in", "price_out")]
    if not all(price.is_finite() and 0 <= price <= 1000 for price in amounts):
        raise ValueError("a price is a number of US dollars from 0 to 1000")
    return Prices(*amounts)


def _key(variable: str | None) -> str | None:
    for name in (variable,) if variable else KEY_VARIABLES:
        if value := os.environ.get(name, "").strip():
            return value
    return None


class _None:
    """No model: a server with declared apps starts all the same, and says what is missing when asked."""

    provider = "none"

    async def chat(self, body: object) -> AsyncGenerator[Chunk, None]:
        raise ModelFailed(t("local.model.none"))
        yield {}  # which makes it a generator
