"""From boxes and points to a diagnosis."""

from __future__ import annotations

from collections.abc import Sequence
from dataclasses import replace

import numpy as np

from bev3d.boxes import Box
from bev3d.doctor._candidates import AS_GIVEN, candidates_for
from bev3d.doctor._evidence import compare, describe_reading
from bev3d.doctor._finding import Finding
from bev3d.doctor._report import Diagnosis
from bev3d.doctor._texts import named_defects
from bev3d.doctor._votes import Frame, Votes, collect_votes
from bev3d.doctor._weigh import Choice, choose_reading

__all__ = ["diagnose"]

SHOWN_READINGS = 5
LEAST_SEEN = 0.15  # share of boxes with points below which boxes and points do not belong together
SEEN_ENOUGH = 0.5  # share that is never doubted; between the two the boxes have to be denser than what is around
LEAST_DENSITY = 1.2
HOVERING_M = 0.5
ON_GROUND = 0.5  # mean vote of the ground from which a reading stands on it
LEAST_GAIN = 0.03  # of the mean vote
LEAST_BOXES = 8


def diagnose(frames: Sequence[Frame]) -> Diagnosis:
    """Find out how boxes have to be read, and what is wrong with them.

    About 200 readings of the columns (400 with 9 columns) are compared by what all boxes say: the points over the
    ground that each reading holds, whether boxes stand on the ground, whether moving boxes head where they go, whether
    long ones are longer than wide, and whether angles have the size of their unit. A defect is named only where the
    boxes agree on it, see :func:`bev3d.doctor.choose_reading`; a few frames with some dozens of boxes are enough.

    Args:
        frames: boxes, and points where there are any; all with the same number of columns.

    Raises:
        ValueError: no frame, or boxes of different or other widths than 7 and 9.
    """
    columns = {frame.boxes.shape[-1] for frame in frames}
    if not frames or len(columns) > 1 or not columns <= {7, 9} or any(frame.boxes.ndim != 2 for frame in frames):
        shapes = sorted({tuple(frame.boxes.shape) for frame in frames})
        raise ValueError(f"frames: expected boxes of shape (N, 7) or (N, 9), the same in all, got {shapes[:4]}")
    findings = _broken_boxes(frames)
    candidates = candidates_for(columns.pop())
    votes = collect_votes(frames, candidates)
    choice = choose_reading(votes)
    count = sum(len(frame.boxes) for frame in frames)
    points = sum(0 if frame.points is None else len(frame.points) for frame in frames)
    if choice is None:
        nothing = Finding("no_boxes", "there is no box to look at", level="note")
        return Diagnosis(len(frames), count, points, "", None, 0.0, (*findings, nothing), ())
    frames, votes, choice, hovering = _level(frames, votes, choice)
    apart = _apart(frames, votes, choice)
    if apart:
        return Diagnosis(len(frames), count, points, "", None, 0.0, (*findings, *apart), ())
    findings += hovering + _misread(frames, votes, choice)
    readings = tuple(describe_reading(frames, votes, i, float(choice.scores[i])) for i in _worth_showing(votes, choice))
    said = choice.candidate.describe()
    return Diagnosis(len(frames), count, points, said, choice.candidate, choice.confidence, tuple(findings), readings)


def _broken_boxes(frames: Sequence[Frame]) -> list[Finding]:
    bad = []
    for number, frame in enumerate(frames):
        finite = np.isfinite(frame.boxes[:, :6]).all(1)
        # an unknown velocity is NaN; where it stands before the yaw it is columns 6 and 7
        angle = np.isfinite(frame.boxes[:, 6]) | np.isfinite(frame.boxes[:, -1])
        bad += [f"{frame.name or f'frame {number}'}: box {i}" for i in np.flatnonzero(~(finite & angle))]
    if not bad:
        return []
    shown = "; ".join(bad[:5]) + (f" and {len(bad) - 5} more" if len(bad) > 5 else "")
    return [
        Finding(
            "non_finite",
            f"{len(bad)} boxes hold a NaN or an infinity",
            evidence=(shown,),
            advice="remove or mend them before training; bev3d's targets refuse them",
        )
    ]


def _misread(frames: Sequence[Frame], votes: Votes, choice: Choice) -> list[Finding]:
    if choice.candidate == AS_GIVEN:
        return []
    chosen = describe_reading(frames, votes, choice.index, float(choice.scores[choice.index]))
    given = describe_reading(frames, votes, choice.given, float(choice.scores[choice.given]))
    evidence = (*compare(chosen, given), f"{choice.boxes} boxes tell the two readings apart")
    if choice.alike:
        others = " or ".join(f"'{one.describe()}'" for one in choice.alike[:2])
        evidence = (*evidence, f"nothing here tells it from {others}")
    return [
        Finding(name, title, confidence=choice.confidence, evidence=evidence, advice=advice)
        for name, title, advice in named_defects(choice.candidate)
    ]


def _apart(frames: Sequence[Frame], votes: Votes, choice: Choice) -> list[Finding]:
    """Boxes that hold no points however they are read."""
    total = sum(len(frame.boxes) for frame in frames if frame.points is not None and len(frame.points))
    mine = int((votes.inside[choice.index] > 0).sum())
    if total < LEAST_BOXES or mine >= SEEN_ENOUGH * total:
        return []
    if mine >= LEAST_SEEN * total:
        # sizes read as places put every box beside the sensor, where points always are
        dense = describe_reading(frames, votes, choice.index, 0.0).density_ratio
        if dense is None or dense >= LEAST_DENSITY:
            return []
    held = int((votes.inside[choice.given] > 0).sum())
    boxes = np.concatenate([frame.boxes for frame in frames])
    far = float(np.nanmedian(np.hypot(boxes[:, Box.X], boxes[:, Box.Y])))
    return [
        Finding(
            "apart",
            "boxes and points do not meet: another frame (global, vehicle, camera), another scan, or another unit",
            evidence=(
                f"{held} of {total} boxes hold a point, {mine} under the best of all readings",
                f"median distance of the boxes from the origin: {far:,.0f} m",
            ),
            advice="bring points and boxes of one moment into one frame",
        )
    ]


def _level(
    frames: Sequence[Frame], votes: Votes, choice: Choice
) -> tuple[Sequence[Frame], Votes, Choice, list[Finding]]:
    """Where no reading sets the boxes on the ground but all are off by one height: the same, moved by it."""
    bottom = votes.bottom_m[choice.given]
    bottom = bottom[np.isfinite(bottom)]
    ground = votes.votes["ground"][choice.index]
    if len(bottom) < LEAST_BOXES or np.nanmean(ground) > ON_GROUND:
        return frames, votes, choice, []
    low, middle, high = np.quantile(bottom, [0.25, 0.5, 0.75])
    if abs(middle) < HOVERING_M or low * high <= 0 or high - low > abs(middle):
        return frames, votes, choice, []
    shift = middle * (np.arange(frames[0].boxes.shape[1]) == Box.Z)
    moved = [replace(frame, boxes=frame.boxes - shift) for frame in frames]
    new_votes = collect_votes(moved, votes.candidates)
    new_choice = choose_reading(new_votes)
    if new_choice is None or new_choice.scores[new_choice.index] < choice.scores[choice.index] + LEAST_GAIN:
        return frames, votes, choice, []
    finding = Finding(
        "height_offset",
        f"the boxes {'hover above' if middle > 0 else 'sink into'} the ground by {abs(middle):.2f} m",
        evidence=(
            f"bottom over the ground: median {middle:+.2f} m, middle half {low:+.2f} to {high:+.2f} m",
            f"moved by it they hold {new_votes.inside[new_choice.given].sum():,} points over the ground, as given "
            f"{votes.inside[choice.given].sum():,}",
        ),
        advice="the origins of points and boxes differ in height, as of a sensor and the ground under it",
    )
    return moved, new_votes, new_choice, [finding]


def _worth_showing(votes: Votes, choice: Choice) -> list[int]:
    """The reading that is taken, the array as it is, and the best of the others, each with votes of its own."""
    total, _ = votes.total
    shown = [choice.index]
    if choice.given != choice.index:
        shown.append(choice.given)
    for i in np.argsort(-choice.scores, kind="stable"):
        if len(shown) >= SHOWN_READINGS:
            break
        if all(np.abs(total[i] - total[j]).max() > 1e-9 for j in shown):
            shown.append(int(i))
    return shown
