"""The page of an ablation: what differs, and by how much."""

from __future__ import annotations

import statistics
from collections.abc import Mapping, Sequence
from typing import Any

from bev3d.ablation._score import HEADLINES
from bev3d.ablation._summary import Summary, difference

__all__ = ["page", "tables"]

_PAGE = """# {title}

Written by `bev3d ablate`; every number is in `ablation.json`. {seeds} seeds a variant, {steps} steps a run, {threads}
thread(s) a run, {workers} run(s) at a time; {processor}, torch {torch}.

A cell is the mean over the seeds ± their standard deviation. Under it the difference to **{base}** seed by seed, with
its standard error; bold where it is more than two of them: with so few seeds that is a hint, not a proof.
{unit}

{tables}

![Every run, and the mean of each variant](ablation.png)

What a variant changes:

{changes}
"""


def page(title: str, summaries: Sequence[Summary], kept: Mapping[str, Any], dataset: str) -> str:
    """The page as Markdown."""
    machine = kept["machine"]
    changes = "\n".join(
        f"* **{one.name}**: {', '.join(f'`{key}: {_value(value)}`' for key, value in one.changes.items()) or 'nothing'}"
        for one in summaries
    )
    units = {
        "nuscenes": "AP in [0, 1] by the nuScenes metric; errors (mATE m, mASE, mAOE rad, mAVE m/s): less is better.",
        "kitti": "AP in percent, moderate, over 40 recall positions; BEV and 3D.",
    }
    return _PAGE.format(
        title=title,
        seeds=len(kept["seeds"]),
        steps=summaries[0].steps,
        threads=kept["threads"],
        workers=kept["workers"],
        processor=machine["processor"],
        torch=machine["torch"],
        base=summaries[0].name,
        unit=units[dataset],
        tables=tables(summaries, dataset),
        changes=changes,
    )


def tables(summaries: Sequence[Summary], dataset: str) -> str:
    """Markdown: variants down, numbers across; nuScenes: AP by class in a table of its own."""
    headlines = HEADLINES[dataset]
    classes = [key for key in summaries[0].scores if key not in headlines]
    digits = 3 if dataset == "nuscenes" else 1
    if not headlines:
        return _table(summaries, classes, digits, times=True)
    both = _table(summaries, headlines, digits, times=True), _table(summaries, classes, digits, times=False)
    return "\n\nAP by class:\n\n".join(both)


def _table(summaries: Sequence[Summary], keys: Sequence[str], digits: int, *, times: bool) -> str:
    heads = ["variant", *(key.replace("_", " ") for key in keys), *(["training, s"] if times else [])]
    rows = [f"| {' | '.join(heads)} |", "|" + "---|" * len(heads)]
    for one in summaries:
        cells = [_cell(one, summaries[0], key, digits) for key in keys]
        cells += [f"{statistics.fmean(one.seconds):.0f}"] if times else []
        rows.append(f"| {one.name} | {' | '.join(cells)} |")
    return "\n".join(rows)


def _cell(one: Summary, base: Summary, key: str, digits: int) -> str:
    if key not in one.scores or key not in base.scores:
        return "-"
    values = one.scores[key]
    text = f"{statistics.fmean(values):.{digits}f}"
    if len(values) > 1:
        text += f" ± {statistics.stdev(values):.{digits}f}"
    if one is base:
        return text
    found = difference(one, base, key)
    delta = f"{found.mean:+.{digits}f} ± {found.standard_error:.{digits}f}"
    return f"{text}<br>{f'**{delta}**' if found.clear else delta}"


def _value(value: Any) -> str:
    return f"[{', '.join(map(str, value))}]" if isinstance(value, list | tuple) else str(value)
