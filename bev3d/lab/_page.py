"""docs/lab.md: every number from the run."""

from __future__ import annotations

import math
from collections.abc import Mapping
from typing import Any

from bev3d.lab._format import number, percent, small, table
from bev3d.lab._starts import KINDS
from bev3d.lab._study import PAPER_RATE, RATES
from bev3d.lab._verdict import verdict

__all__ = ["page", "ranking_table"]

Records = Mapping[str, Mapping[str, Any]]

_PAGE = """# The regression laboratory

Which loss should a box be trained with? Written by `bev3d lab --out docs`, in about a minute on two idle cores,
none of it by hand; every number is in [lab/lab.json](lab/lab.json).

{quick}{verdict}

![Convergence and final error of every loss](lab/convergence.png)

## What is done

The simulation of the DIoU paper (Zheng et al., AAAI 2020, 1911.08287, section 3), extended to rotated boxes. {starts:,}
boxes seen from above start around a target of area 1 (so lengths are in roots of the target's area) and each goes down
its own loss for {steps} steps of plain gradient descent, in float64:

    B <- B - rate * factor * (2 - IoU) * dL/dB,   B = (x, y, l, w, yaw)

with the paper's factor: 1 for the first 80 % of the steps, 0.1 up to 90 %, 0.01 to the end. The paper gives every loss
the rate {paper_rate:g}. Losses differ in scale, so here each has the rate among {rates} with which most of a
sample of the starts end well; of those within 2 % of the best, the fastest. Errors are the same for all: the true
rotated IoU of the box with its target.

{kinds}

## Who gets there

Share of starts that end above IoU 0.9, and the median of the steps to it; ordered by the share in whole per cent, then
by the steps. *All*: mean over the kinds. *Never*: above 0.9 at no step. Where the steps are just beyond 80 % or 90 % of
all, the loss trembles around the target until the step size falls: its gradient does not fade close by.

{ranking}

## How wrong at the end

Starts anywhere; medians but for the mean. Centre in roots of the target's area; size the worse of length and width;
size and yaw without the swapped. *Swapped*: of those that reach IoU 0.9, turned by about 90° with length and width
exchanged, the same rectangle with another heading; *backwards*: heading off by more than 90°. *Agreement*: rank
correlation of loss and 1 - IoU over the boxes that start near; 1: the loss orders nearly right boxes as IoU does.

{errors}

## How sensitive to the step size

Share above IoU 0.9, mean over the kinds, on the sample; **bold**: the rate used above. *Log sizes*: the same rate, with
the gradient taken by the logarithms of l and w, which most heads regress.

{rates_table}

## Which way losses pull

![Gradient fields](lab/gradients.png)

Colour: angle between the pull and the way to the target. Rows: the centre of a box of the right size, turned by 30°;
the size of a box that is 2.5 away; the yaw of a box at the right place and size, 2:1 and square, over the largest pull
on the 2:1 box (blue: towards the nearer of the two parallel yaws).

{pulls}

## In three dimensions

{in_3d_starts:,} boxes with the centre within 1.5 of a target of volume 1, each size within a factor of 2, any yaw; x,
y, z, all sizes and the yaw are free. Rates are chosen as above.

{in_3d}

## What it does not show

Each box has its own parameters, the target is exact, and no network stands between: the laboratory says which losses
*can* bring a box home and how fast. It does not say which ends with the best average precision: where the network
cannot fit everything, a loss that orders boxes as the metric does (*agreement*) spends its effort where the metric
looks. Step sizes are fixed; Adam, which divides by the size of the gradient, forgives a wrong scale but
not a missing gradient.
"""

_QUICK = "**A quick run, which tries everything on few starts: its numbers say little.**\n\n"


def page(result: Mapping[str, Any]) -> str:
    """The page of what :func:`bev3d.lab.run_lab` found."""
    losses: Records = result["losses"]
    return _PAGE.format(
        quick=_QUICK if result["quick"] else "",
        verdict=verdict(result),
        starts=sum(figures["starts"] for figures in next(iter(losses.values()))["kinds"].values()),
        steps=result["steps"],
        paper_rate=PAPER_RATE,
        rates=", ".join(f"{rate:g}" for rate in RATES),
        kinds=table(("start", "what it is"), KINDS.items()),
        ranking=ranking_table(losses),
        errors=_errors(losses),
        rates_table=_rates(losses),
        pulls=_pulls(losses),
        in_3d_starts=next(iter(losses.values()))["in_3d"]["starts"],
        in_3d=_in_3d(losses),
    )


def ranking_table(losses: Records) -> str:
    """Losses from the best to the worst, by kind of start."""
    rows = []
    for loss in _ranked(losses):
        kinds = [_cell(loss["kinds"][kind]) for kind in KINDS]
        never = percent(loss["never"])
        rows.append((f"**{loss['title']}**", percent(loss["reached"]), number(loss["steps"]), never, *kinds))
    return table(("loss", "all", "steps", "never", *KINDS), rows)


def _ranked(losses: Records) -> list[Mapping[str, Any]]:
    return sorted(losses.values(), key=lambda loss: (-round(loss["reached"], 2), loss["steps"] or float("inf")))


def _cell(figures: Mapping[str, Any]) -> str:
    return percent(figures["reached"]) + ("" if figures["steps"] is None else f" · {number(figures['steps'])}")


def _errors(losses: Records) -> str:
    header = ("loss", "mean 1 - IoU", "median 1 - IoU", "centre", "size", "yaw mod 180°", "swapped", "backwards")
    rows = []
    for loss in _ranked(losses):
        figures = loss["kinds"]["anywhere"]
        rows.append((
            loss["title"], small(figures["far"]), small(figures["median_far"]), small(figures["centre"]),
            small(figures["size"], 100, " %"), small(figures["yaw"], math.degrees(1), "°"),
            percent(figures["sides_swapped"]), percent(figures["backwards"]), f"{loss['agreement']:.2f}",
        ))  # fmt: skip
    return table((*header, "agreement"), rows)


def _rates(losses: Records) -> str:
    rows = []
    for loss in _ranked(losses):
        shares = [
            f"**{percent(share)}**" if float(rate) == loss["rate"] else percent(share)
            for rate, share in loss["by_rate"].items()
        ]
        rows.append((loss["title"], f"`{loss['call']}`", *shares, percent(loss["log_sizes"])))
    return table(("loss", "call", *(f"{rate:g}" for rate in RATES), "log sizes"), rows)


def _pulls(losses: Records) -> str:
    cells = [(plane, what) for plane in ("place", "size") for what in ("weak", "away")]
    rows = [
        (loss["title"], *(percent(loss["pulls"][plane][what]) for plane, what in cells)) for loss in losses.values()
    ]
    header = ("loss", "place: no pull", "place: away", "size, apart: no pull", "size, apart: away")
    return "Shares of the two planes:\n\n" + table(header, rows)


def _in_3d(losses: Records) -> str:
    order = sorted(
        losses.values(), key=lambda loss: (-round(loss["in_3d"]["reached"], 2), loss["in_3d"]["steps"] or 1e9)
    )
    rows = [
        (
            loss["title"], f"{loss['in_3d']['rate']:g}", percent(loss["in_3d"]["reached"]),
            number(loss["in_3d"]["steps"]), percent(loss["in_3d"]["never"]), small(loss["in_3d"]["far"]),
        )
        for loss in order
    ]  # fmt: skip
    return table(("loss", "rate", "3D IoU above 0.9", "steps", "never", "mean 1 - IoU"), rows)
