"""Colours of all pictures: two themes, one palette of classes, and the colour scales of points and heatmaps."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import dataclass

import numpy as np
from numpy.typing import NDArray

from bev3d._check import check_choice

__all__ = ["OTHER_CLASS", "Theme", "class_colours", "colour_ramp", "hex_to_rgb", "mix", "theme_named"]

OTHER_CLASS = "other"

# Blue and orange of Okabe and Ito (2008) for the two classes that matter most; the others were moved around them until
# the nearest two of all differ by 20 in CIE Lab, also as seen without red, green or blue cones (Machado et al. 2009).
_PALETTE = {
    "car": "#4db5f5",
    "pedestrian": "#ffb000",
    "bicycle": "#78fe90",
    "motorcycle": "#f8cbee",
    "truck": "#966bb0",
    "bus": "#edff67",
    "trailer": "#6875fc",
    "construction_vehicle": "#b66657",
    "traffic_cone": "#ed7238",
    "barrier": "#aee7b8",
}
_ALIASES = {
    "cyclist": "bicycle",
    "van": "truck",
    "tram": "bus",
    "person_sitting": "motorcycle",
    "misc": "barrier",
    "person": "pedestrian",
}
_OTHER_COLOUR = "#8b97a5"


@dataclass(frozen=True)
class Theme:
    """Colours of a picture's ground and text.

    Attributes:
        background: page of the figure.
        panel: ground of the axes.
        grid: grid lines and rings.
        text: titles.
        muted: tick labels, captions.
        points: colour ramp of points from low to high.
        heat: colour ramp of probabilities from 0 to 1.
        shade: how far class colours move towards black.
        contrast: what detections move towards, to part from ground truth of their class.
        offset: arrows from a cell's corner to the centre of its object.
    """

    background: str
    panel: str
    grid: str
    text: str
    muted: str
    points: tuple[str, ...]
    heat: tuple[str, ...]
    shade: float
    contrast: str
    offset: str


_THEMES = {
    "dark": Theme(
        background="#0d1117",
        panel="#10161e",
        grid="#253040",
        text="#e8edf3",
        muted="#8b97a5",
        points=("#2b4558", "#43627a", "#6d8798", "#a3b3bd", "#d8d9d4"),
        heat=("#10161e", "#3b1f5c", "#8c2a72", "#dd513a", "#fca50a", "#fcffa4"),
        shade=0.0,
        contrast="#ffffff",
        offset="#35f0e0",
    ),
    "light": Theme(
        background="#ffffff",
        panel="#fafbfc",
        grid="#dfe5eb",
        text="#16202b",
        muted="#5d6b7a",
        points=("#b9c6d2", "#93a5b5", "#6d8294", "#4b6073", "#2b3c4d"),
        heat=("#fafbfc", "#fcd9a0", "#f79a5d", "#d8456c", "#7b2382", "#2d1160"),
        shade=0.32,
        contrast="#000000",
        offset="#008c7e",
    ),
}


def theme_named(name: str) -> Theme:
    """The theme ``"dark"`` or ``"light"``.

    Raises:
        ValueError: another name.
    """
    check_choice("theme", name, tuple(_THEMES))
    return _THEMES[name]


def class_colours(names: Sequence[str], *, theme: str = "dark") -> dict[str, str]:
    """Colour of each class, ``#rrggbb``: the same for the same name in every picture.

    Names that the palette does not know take its unused colours in their order; ``"other"`` is grey.
    """
    shade = theme_named(theme).shade
    chosen = {name: _known(name) for name in names}
    used = set(chosen.values())
    spare = [colour for colour in _PALETTE.values() if colour not in used] or list(_PALETTE.values())
    unknown = [name for name in names if chosen[name] is None]
    for i, name in enumerate(unknown):
        chosen[name] = spare[i % len(spare)]
    chosen[OTHER_CLASS] = _OTHER_COLOUR
    return {name: mix(colour or _OTHER_COLOUR, "#000000", shade) for name, colour in chosen.items()}


def _known(name: str) -> str | None:
    key = name.lower()
    return _PALETTE.get(_ALIASES.get(key, key))


def hex_to_rgb(colour: str) -> NDArray[np.float64]:
    """``#rrggbb`` to (3,) in [0, 1]."""
    return np.array([int(colour[i : i + 2], 16) for i in (1, 3, 5)], dtype=np.float64) / 255


def mix(colour: str, other: str, share: float) -> str:
    """``colour`` moved towards ``other`` by ``share`` in [0, 1]."""
    rgb = (1 - share) * hex_to_rgb(colour) + share * hex_to_rgb(other)
    return "#" + "".join(f"{round(255 * c):02x}" for c in rgb)


def colour_ramp(values: NDArray[np.floating], ramp: Sequence[str]) -> NDArray[np.float64]:
    """Colours of values on a ramp.

    Args:
        values: any shape, in [0, 1]; what lies outside or is NaN takes the nearer or the first end.
        ramp: two or more ``#rrggbb`` at equal distances.

    Returns:
        values.shape + (3,), in [0, 1].
    """
    stops = np.stack([hex_to_rgb(colour) for colour in ramp])
    at = np.clip(np.nan_to_num(np.asarray(values, dtype=np.float64)), 0, 1) * (len(stops) - 1)
    low = np.minimum(at.astype(np.int64), len(stops) - 2)
    part = (at - low)[..., None]
    return stops[low] * (1 - part) + stops[low + 1] * part
