"""All apps, by name."""

from __future__ import annotations

from ..engine.app import App
from .guide import GUIDE
from .pipeline import PIPELINE
from .tally import TALLY
from .toolbox import TOOLBOX

APPS: dict[str, App] = {app.name: app for app in (GUIDE, TOOLBOX, PIPELINE, TALLY)}
