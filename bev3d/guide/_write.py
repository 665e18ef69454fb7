"""The guide's files: docs/losses.md and docs/losses/*.png."""

from __future__ import annotations

from pathlib import Path

from bev3d._files import atomic_path, write_text
from bev3d.guide._curves import draw_panels
from bev3d.guide._families import FAMILIES
from bev3d.guide._page import guide_page

__all__ = ["draw_figures", "write_guide"]

_COLOURS = 96  # of a figure's palette: lines, their edges and text


def write_guide(repository: Path, *, figures: bool = True) -> None:
    """Write the page, and where asked the figures, below ``repository/docs``."""
    page = guide_page(repository / "tests" / "losses" / "examples")
    if figures:
        draw_figures(repository / "docs" / "losses")
    write_text(repository / "docs" / "losses.md", page)


def draw_figures(folder: Path) -> None:
    """Write two PNGs of each family with a figure, for light and for dark pages."""
    from PIL import Image

    folder.mkdir(parents=True, exist_ok=True)
    for family in FAMILIES:
        if family.figure is None:
            continue
        panels = family.figure()
        for theme, name in (("light", f"{family.key}.png"), ("dark", f"{family.key}_dark.png")):
            figure = draw_panels(panels, theme=theme)
            with atomic_path(folder / name) as temporary:
                figure.savefig(temporary, facecolor=figure.get_facecolor())
                with Image.open(temporary) as image:
                    small = image.convert("RGB").quantize(_COLOURS, dither=Image.Dither.NONE)
                small.save(temporary, optimize=True)
