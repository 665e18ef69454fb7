"""A page whose pictures exist in a light and in a dark form."""

from __future__ import annotations

from collections.abc import Callable
from pathlib import Path
from typing import TYPE_CHECKING

from bev3d.viz import Page, save_figure

if TYPE_CHECKING:
    from matplotlib.figure import Figure

__all__ = ["Book"]


class Book:
    """A page and the folder of its pictures.

    Args:
        page: collects the parts.
        out: folder of the page; pictures go into ``out/pictures``, and into the page itself.
    """

    def __init__(self, page: Page, out: Path) -> None:
        self.page = page
        self.out = out

    def picture(self, name: str, draw: Callable[[str], Figure], caption: str, *, wide: bool = False) -> None:
        """Draw for each theme and show what the reader's theme asks for.

        Args:
            name: of the file, without ending; the dark one ends in ``_dark``.
            draw: theme to figure.
            caption: under the picture.
            wide: let the picture be wider than the text.
        """
        files = {theme: self.out / "pictures" / f"{name}{ending}.png" for theme, ending in ENDINGS.items()}
        for theme, file in files.items():
            save_figure(draw(theme), file)
        self.page.figure(files["light"], caption, embed=True, wide=wide, dark=files["dark"])


ENDINGS = {"light": "", "dark": "_dark"}
