"""Objects of other scenes in this one."""

from __future__ import annotations

from collections.abc import Mapping
from typing import NamedTuple

import numpy as np
from numpy.typing import NDArray

from bev3d.augment._database import PasteDatabase
from bev3d.augment._scene import Boxes, Points, check_scene
from bev3d.overlap import pairwise_intersection_bev
from bev3d_ops.cpu._augment import replace_points

__all__ = ["ObjectPaste", "Pasted", "paste"]

_TIME_LAG = 4  # column of the points


class Pasted(NamedTuple):
    """A scene with pasted objects.

    Attributes:
        points: (P', 5): the scene's that lie in no pasted box, in their order, then those of the objects.
        boxes: (N + K, 7 or 9): the scene's, then the pasted ones, in the order in which they were kept.
        labels: (N + K,) int64.
        entries: (K,) int64, rows of the database.
    """

    points: Points
    boxes: Boxes
    labels: NDArray[np.int64]
    entries: NDArray[np.int64]


def paste(
    points: Points,
    boxes: Boxes,
    labels: NDArray[np.int64],
    random: np.random.Generator,
    *,
    database: PasteDatabase,
    counts: Mapping[str, int],
    fill_up: bool = True,
    tries: int = 2,
    lag_tolerance_s: float = 0.025,
) -> Pasted:
    """Put objects of a database into a scene, each where its own scene had it (SECOND, Yan et al. 2018).

    For every class, in the order of the labels, up to ``tries`` times the missing number of objects are drawn, no one
    twice. They are gone through in this order, class after class, and one is **kept** if its footprint has no area in
    common (exact rotated overlap; touching is allowed) with any box of the scene nor with any object *kept* before
    it; what was rejected itself rejects nothing. A class that has its number takes no more.

    Of an object only the sweeps that the scene has are pasted: points whose time lag is at most the scene's greatest
    plus ``lag_tolerance_s``. An object that is left with fewer than ``database.min_points`` is not kept. Points of the
    scene inside a pasted box go away.

    Args:
        points: (P, 5) float32, see :class:`bev3d.data.Sample`; not changed in place.
        boxes: (N, 7 or 9), **all** boxes of the scene, those of label -1 included: nothing is pasted on them.
        labels: (N,) integers, index into ``database.class_names`` or -1.
        random: source of the draws; the same state gives the same scene.
        database: the objects.
        counts: number of objects by class name; classes that are absent get none.
        fill_up: whether the scene's own objects count towards the number; otherwise it is added whatever is there.
        tries: draws for each missing object.
        lag_tolerance_s: seconds; half the time between two sweeps.

    Raises:
        ValueError: shapes that do not fit, a label that is no class, an unknown class name or impossible number.
        TypeError: wrong dtypes.
    """
    _check(points, boxes, labels, database, counts, tries)
    missing = _missing(labels, database.class_names, counts, fill_up)
    drawn = [_draw(random, database.members[c], tries * number) for c, number in enumerate(missing)]
    candidates = np.concatenate([np.empty(0, np.int64), *drawn])
    entries: list[int] = []
    crops: list[NDArray[np.float32]] = []
    if len(candidates):
        limit = (float(points[:, _TIME_LAG].max()) if len(points) else 0.0) + lag_tolerance_s
        entries, crops = _choose(candidates, missing, boxes, database, limit)
    kept = np.array(entries, np.int64)
    if not entries:
        return Pasted(points, boxes, labels, kept)
    new_boxes = database.boxes[kept][:, : boxes.shape[1]].astype(boxes.dtype)
    return Pasted(
        replace_points(points, new_boxes, crops),
        np.concatenate([boxes, new_boxes]),
        np.concatenate([labels, database.labels[kept]]),
        kept,
    )


class ObjectPaste:
    """:func:`paste` with all but the scene given beforehand.

    Args:
        database, counts, fill_up, tries, lag_tolerance_s: see there.
    """

    def __init__(
        self,
        database: PasteDatabase,
        counts: Mapping[str, int],
        *,
        fill_up: bool = True,
        tries: int = 2,
        lag_tolerance_s: float = 0.025,
    ) -> None:
        _check_counts(counts, database, tries)
        self.database, self.counts = database, dict(counts)
        self.fill_up, self.tries, self.lag_tolerance_s = fill_up, tries, lag_tolerance_s

    def __call__(self, points: Points, boxes: Boxes, labels: NDArray[np.int64], random: np.random.Generator) -> Pasted:
        """Paste into one scene."""
        options = {"fill_up": self.fill_up, "tries": self.tries, "lag_tolerance_s": self.lag_tolerance_s}
        return paste(points, boxes, labels, random, database=self.database, counts=self.counts, **options)  # type: ignore[arg-type]  # names and types are those of paste


def _missing(
    labels: NDArray[np.int64], class_names: tuple[str, ...], counts: Mapping[str, int], fill_up: bool
) -> list[int]:
    """Objects to paste by class."""
    present = np.bincount(labels[labels >= 0], minlength=len(class_names)) * fill_up
    return [max(counts.get(name, 0) - int(number), 0) for name, number in zip(class_names, present, strict=True)]


def _draw(random: np.random.Generator, members: NDArray[np.int64], number: int) -> NDArray[np.int64]:
    number = min(number, len(members))
    return random.choice(members, number, replace=False) if number else members[:0]


def _choose(
    candidates: NDArray[np.int64], missing: list[int], boxes: Boxes, database: PasteDatabase, limit_s: float
) -> tuple[list[int], list[NDArray[np.float32]]]:
    """Rows of the objects that are kept, and their points."""
    footprints = database.boxes[candidates]
    meets = pairwise_intersection_bev(footprints, footprints) > 0
    blocked = (pairwise_intersection_bev(footprints, boxes.astype(np.float64)) > 0).any(axis=1)
    room, labels = list(missing), database.labels[candidates].tolist()
    entries: list[int] = []
    crops: list[NDArray[np.float32]] = []
    for place, row in enumerate(candidates.tolist()):
        label = labels[place]
        if blocked[place] or not room[label]:
            continue
        crop = database.crop(row)
        if not crop[-1, _TIME_LAG] <= limit_s:
            crop = crop[: np.searchsorted(crop[:, _TIME_LAG], limit_s, side="right")]
        if len(crop) >= database.min_points[label]:
            blocked |= meets[place]
            room[label] -= 1
            entries.append(row)
            crops.append(crop)
    return entries, crops


def _check(
    points: Points,
    boxes: Boxes,
    labels: NDArray[np.int64],
    database: PasteDatabase,
    counts: Mapping[str, int],
    tries: int,
) -> None:
    check_scene(points, boxes)
    width = len(database.columns)
    if points.shape[1] != width:
        raise ValueError(f"points: expected shape (P, {width}), as the database, got {points.shape}")
    if not isinstance(labels, np.ndarray) or labels.dtype.kind not in "iu":
        raise TypeError(f"labels: expected a NumPy array of integers, got {getattr(labels, 'dtype', type(labels))}")
    if labels.shape != (len(boxes),):
        raise ValueError(f"labels: expected shape ({len(boxes)},), as boxes, got {labels.shape}")
    if len(labels) and not (labels.min() >= -1 and labels.max() < len(database.class_names)):
        expected = f"-1 or an index of the {len(database.class_names)} classes of the database"
        raise ValueError(f"labels: expected {expected}, got {labels.min()} to {labels.max()}")
    _check_counts(counts, database, tries)


def _check_counts(counts: Mapping[str, int], database: PasteDatabase, tries: int) -> None:
    for name, number in counts.items():
        if name not in database.class_names:
            raise ValueError(f"counts: expected classes out of {', '.join(database.class_names)}, got {name!r}")
        if isinstance(number, bool) or not isinstance(number, int) or number < 0:
            raise ValueError(f"counts[{name!r}]: expected an integer >= 0, got {number!r}")
    if tries < 1:
        raise ValueError(f"tries: expected an integer >= 1, got {tries}")
