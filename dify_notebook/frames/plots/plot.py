"""`Plot`: a chart that shows offline in a notebook, and still does when the notebook is opened again.

Measured with JupyterLab 4.6 and Notebook 7.6: they bring Vega-Lite 5.6 for the mime type of version 5 and none for
version 6, which Altair 6 writes; Altair's own default fetches its JavaScript from a CDN. So the chart goes out under
the type of version 5, of which it uses nothing newer, together with a picture for everything else.
"""

from __future__ import annotations

import json
import os
from collections.abc import Iterator
from contextlib import contextmanager
from pathlib import Path
from typing import TYPE_CHECKING, Any

from ...errors import ConfigError, InputError
from ...i18n import t
from ...paths import expand
from ...printable import MESSAGE, one_line
from .. import safe_for_spreadsheets as safe

if TYPE_CHECKING:
    import altair as alt
    import pandas as pd

MIME = "application/vnd.vegalite.v5+json"
SCHEMA = "https://vega.github.io/schema/vega-lite/v5.json"
ACTIONS = {"export": True, "source": False, "compiled": False, "editor": False}
"""What the menu of a chart offers: pictures. Vega's editor, which would get the data, is a page on the web."""
PNG_SCALE = 2.0
"""Pixels of the picture for each pixel of the chart."""
_CJK = "\u2e80"
"""From here on are signs (Chinese and others) for which the machine that draws a PNG may have no font."""


def need_altair() -> Any:
    """The module altair.

    Raises:
        ConfigError: the extra `plot` is not installed.
    """
    try:
        import altair
        import PIL  # noqa: F401
        import vl_convert  # noqa: F401
    except ImportError as error:
        raise ConfigError(t("history.plot.missing", module=error.name or "altair"), code="plot") from None
    return altair


class Plot:
    """A chart with its numbers, displayed as the last value of a cell.

    Attributes:
        chart: the Altair chart, to be changed or combined with others.
        data: the DataFrame that is drawn, one row for each mark.
        title: its title.
        description: the same in words, for those who do not see it.
    """

    def __init__(self, chart: alt.TopLevelMixin, data: pd.DataFrame, title: str, described: str) -> None:
        self.chart = chart
        self.data = data
        self.title = title
        self.description = described

    @property
    def spec(self) -> dict[str, Any]:
        """The chart as Vega-Lite JSON (version 5), its data inside."""
        spec: dict[str, Any] = self.chart.to_dict(validate=True)
        spec["$schema"] = SCHEMA
        spec["description"] = self.description
        spec["usermeta"] = {"embedOptions": {"actions": ACTIONS}}
        return spec

    def png(self, scale: float = PNG_SCALE) -> bytes:
        """A PNG with a transparent background, drawn without a browser and without a network.

        Drawn on white and on black: the drawing library gives half transparent pixels a wrong colour.

        Args:
            scale: pixels of the picture for each pixel of the chart.
        """
        import vl_convert

        from .png import transparent

        drawing = self.svg()

        def png(background: str) -> bytes:
            sheet = f'><rect width="100%" height="100%" fill="{background}"/>'
            image: bytes = vl_convert.svg_to_png(drawing.replace(">", sheet, 1), scale=scale)
            return image

        return transparent(png("#ffffff"), png("#000000"))

    def svg(self) -> str:
        """An SVG, drawn in the same way."""
        import vl_convert

        with _offline() as options:
            drawing: str = vl_convert.vegalite_to_svg(self.spec, vl_version=_version(), **options)
        return drawing

    def html(self) -> str:
        """An HTML page that needs no network: it holds the JavaScript that draws it (about 1 MB)."""
        import vl_convert

        page: str = vl_convert.vegalite_to_html(self.spec, vl_version=_version(), bundle=True)
        return page

    def save(self, path: str | os.PathLike[str], *, safe_for_spreadsheets: bool = False) -> Path:
        """Write it to a file: .html, .png, .svg, .json (Vega-Lite), or .csv (the numbers). Replaces a file.

        Args:
            path: the file, with one of these endings.
            safe_for_spreadsheets: in a .csv file, a quote goes before texts that a spreadsheet would calculate;
                see `frames.safe_for_spreadsheets`.

        Returns:
            Its path.

        Raises:
            InputError: another ending.
            OSError: it cannot be written.
        """
        target = expand(path)
        match target.suffix.lower():
            case ".html":
                content: str | bytes = self.html()
            case ".png":
                content = self.png()
            case ".svg":
                content = self.svg()
            case ".json":
                content = json.dumps(self.spec, ensure_ascii=False, indent=1)
            case ".csv":
                data = safe(self.data) if safe_for_spreadsheets else self.data
                content = data.to_csv(index=False)
            case other:
                raise InputError(t("history.plot.ending", ending=other or target.name), code="plot")
        target.write_bytes(content if isinstance(content, bytes) else content.encode())
        return target

    def _repr_mimebundle_(self, include: Any = None, exclude: Any = None) -> tuple[dict[str, Any], dict[str, Any]]:
        spec = self.spec
        data: dict[str, Any] = {MIME: spec, "text/plain": repr(self)}
        metadata: dict[str, Any] = {"alt": self.description}
        if any(character >= _CJK for character in json.dumps(spec, ensure_ascii=False)):
            data["image/svg+xml"] = self.svg()
            return data, {"image/svg+xml": metadata}
        from base64 import b64encode

        picture = self.png()
        data["image/png"] = b64encode(picture).decode("ascii")
        # The size of a PNG stands in its 17th to 24th byte.
        width, height = (int.from_bytes(picture[offset : offset + 4], "big") for offset in (16, 20))
        metadata |= {"width": round(width / PNG_SCALE), "height": round(height / PNG_SCALE)}
        return data, {"image/png": metadata}

    def __repr__(self) -> str:
        return one_line(f"<Plot {self.description}>", MESSAGE)


@contextmanager
def _offline() -> Iterator[dict[str, Any]]:
    """What keeps a drawing from fetching: an argument of vl_convert 1, and a setting of the process since its 2."""
    import vl_convert

    converter: Any = vl_convert  # the types of version 1 know no settings
    if not hasattr(converter, "configure"):
        yield {"allowed_base_urls": []}
        return
    before = converter.get_config()["allowed_base_urls"]
    converter.configure(allowed_base_urls=[])
    try:
        yield {}
    finally:
        converter.configure(allowed_base_urls=before)


def _version() -> str:
    """The oldest Vega-Lite there is to draw with: nearest to the one in JupyterLab."""
    import vl_convert

    versions = [tuple(int(part) for part in name.split(".")) for name in vl_convert.get_vegalite_versions()]
    return ".".join(str(part) for part in min(version for version in versions if version[0] >= 5))
