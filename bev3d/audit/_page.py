"""The audit as a page."""

from __future__ import annotations

import os
from pathlib import Path

from bev3d._progress import track
from bev3d.audit._charts import count_figure, number_figure, size_figure
from bev3d.audit._frames import choose_frames, draw_frame
from bev3d.audit._limits import Limits
from bev3d.audit._report import COLUMNS, AuditReport
from bev3d.data import open_dataset
from bev3d.targets import FLAWS
from bev3d.viz import Page, save_figure

__all__ = ["write_audit_page"]


def write_audit_page(
    report: AuditReport,
    dataroot: str | os.PathLike[str],
    out: str | os.PathLike[str],
    *,
    limits: Limits | None = None,
    by_class: bool = False,
    frames: int = 4,
) -> Path:
    """Write ``out/index.html`` with its pictures: table, histograms, worst frames.

    Args:
        report: what :func:`audit_dataset` gave.
        dataroot: the same folder, for the pictures.
        out: folder, made if need be.
        limits, by_class: what the page is to check, see :meth:`AuditReport.exceeded`.
        frames: pictures of frames, at most.
    """
    folder = Path(out)
    exceeded = report.exceeded(Limits() if limits is None else limits, by_class=by_class)
    page = _head(report, exceeded)
    _histograms(page, report, folder)
    _worst(page, report, Path(dataroot), folder, frames)
    _read_me(page, report)
    return page.write(folder / "index.html")


def _head(report: AuditReport, exceeded: list[str]) -> Page:
    config, total = report.config, report.boxes.counts()["total"]
    lead = f"{len(report.tokens):,} samples of {report.split} ({config.dataset}): what their boxes lose as targets."
    page = Page("Audit of the targets", lead)
    lost = total["boxes"] - total["kept"]
    error = total["max_decode_error"]
    page.facts(
        [
            ("boxes", f"{total['boxes']:,}"),
            ("with a target", f"{total['kept'] / max(total['boxes'], 1):.1%}"),
            ("without", f"{lost:,}"),
            ("collided", f"{total['collided']:,}"),
            ("max decode error", "–" if error is None else f"{error:.1e}"),
            ("limits", f"{len(exceeded)} broken" if exceeded else "all held"),
        ]
    )
    if exceeded:
        page.section("Broken limits").code("\n".join(exceeded))
    cell_x, cell_y = (config.voxel_size_m[i] * config.stride for i in range(2))
    grid = f"{config.output_size[0]} x {config.output_size[1]} cells of {cell_x:g} x {cell_y:g} m"
    rule = f"radius {config.radius}, overlap {config.min_overlap:g}, at least {config.min_radius} cells"
    page.section("By class", f"{grid}; range {', '.join(f'{v:g}' for v in config.range_m)} m; {rule}.")
    headers, rows = report.rows()
    other = sum(report.other.values())
    named = ", ".join(f"{count} {name}" for name, count in report.other.items())
    headers[-1] = "error"  # the widest column of narrow numbers
    page.table(headers, rows, f"{other} boxes outside the classes: {named}." if other else "")
    for note in report.notes:
        page.text(note + ".")
    if report.unreadable:
        page.section("Frames that cannot be read")
        page.table(["frame", "why"], [list(pair) for pair in list(report.unreadable.items())[:20]])
    return page


def _histograms(page: Page, report: AuditReport, folder: Path) -> None:
    page.section("Histograms")
    pictures = (
        (count_figure, "counts.png", "Boxes of each class that have a target, and what became of the others."),
        (size_figure, "sizes.png", "Sizes by class on one scale; a class in two clusters holds two kinds of object."),
        (number_figure, "numbers.png", "Points, radii, decode errors and headings; dashed: the bound."),
    )
    for draw, name, caption in pictures:
        save_figure(draw(report), folder / name)
        page.figure(folder / name, caption, wide=False)


def _worst(page: Page, report: AuditReport, dataroot: Path, folder: Path, most: int) -> None:
    chosen = choose_frames(report, most)
    if not chosen:
        return
    about = "Red rings: what was found. Grey rings: no points, or out of range. Dashed: the border of the grid."
    page.section("Frames that show most", about)
    dataset = open_dataset(report.config, dataroot, report.split)
    for i, shown in enumerate(track(chosen, "pictures", unit="frames")):
        file = draw_frame(shown, dataset, report, folder / f"frame_{i}.png")
        page.figure(file, shown.caption)


def _read_me(page: Page, report: AuditReport) -> None:
    counts = report.boxes.counts()["total"]
    page.section("What the columns count", "Columns without a box are left out of the table.")
    rows = [[COLUMNS[flaw], counts[flaw], text] for flaw, text in FLAWS.items()]
    page.table(["column", "boxes", "meaning"], rows)
