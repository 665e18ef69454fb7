"""Rows of a log: JSON lines that a run goes on from, a CSV table beside them, and events for TensorBoard."""

from __future__ import annotations

import csv
import io
import json
import sys
from collections.abc import Iterator, Mapping, Sequence
from contextlib import contextmanager
from pathlib import Path
from typing import Any

from bev3d._errors import DataFormatError
from bev3d._files import write_text

__all__ = ["Events", "opened_events", "read_rows", "write_rows"]

Rows = list[dict[str, Any]]


def read_rows(path: Path, last_step: int) -> Rows:
    """The rows up to ``last_step``; those after it belong to steps that will be taken again. None without a file.

    Raises:
        DataFormatError: a line that is no row.
    """
    if not last_step or not path.is_file():
        return []
    rows = []
    for number, line in enumerate(path.read_text(encoding="utf-8").splitlines(), start=1):
        try:
            row = json.loads(line)
            kept = row["step"] <= last_step
        except (ValueError, TypeError, KeyError) as error:
            raise DataFormatError(
                f"{path}, line {number}: expected a JSON row with 'step', got {line[:80]!r}"
            ) from error
        if kept:
            rows.append(row)
    return rows


def write_rows(path: Path, rows: Sequence[Mapping[str, Any]]) -> None:
    """Write ``path`` as JSON lines, and a table of the same with the ending ``.csv``; each appears whole or not."""
    write_text(path, "".join(json.dumps(row) + "\n" for row in rows))
    flat = [_flat(row) for row in rows]
    table = io.StringIO()
    writer = csv.DictWriter(table, list(dict.fromkeys(key for row in flat for key in row)), lineterminator="\n")
    if flat:
        writer.writeheader()
        writer.writerows(flat)
    write_text(path.with_suffix(".csv"), table.getvalue())


def _flat(row: Mapping[str, Any]) -> dict[str, Any]:
    flat: dict[str, Any] = {}
    for key, value in row.items():
        flat.update(value if isinstance(value, Mapping) else {key: value})
    return flat


class Events:
    """Scalars for TensorBoard, or for nobody.

    Args:
        writer: a ``SummaryWriter``; None writes nothing.
    """

    def __init__(self, writer: Any = None) -> None:
        self.writer = writer

    def add(self, group: str, step: int, values: Mapping[str, Any]) -> None:
        """Write the numbers among ``values`` as ``group/name``; mappings in it by their own names."""
        if self.writer is None:
            return
        for name, value in _flat(values).items():
            if name != "step" and isinstance(value, int | float):
                self.writer.add_scalar(f"{group}/{name}", value, step)
        self.writer.flush()


@contextmanager
def opened_events(folder: Path, *, wanted: bool, resume_step: int = 0) -> Iterator[Events]:
    """Events in ``folder``; where they are wanted and the package is absent, one line says so and nothing is written.

    Args:
        folder: made if need be.
        wanted: whether to write at all.
        resume_step: events after it are hidden: their steps are taken again.
    """
    writer = None
    if wanted:
        try:
            from torch.utils.tensorboard import SummaryWriter

            writer = SummaryWriter(str(folder), purge_step=resume_step + 1 if resume_step else None)
        except ImportError:
            note = "tensorboard is not installed (pip install 'bev3d[tensorboard]'); its events are left out"
            print(f"training: {note}", file=sys.stderr)
    try:
        yield Events(writer)
    finally:
        if writer is not None:
            writer.close()
