"""The grid of a voxelisation, and how its cells are numbered."""

from __future__ import annotations

from collections.abc import Sequence

__all__ = ["KEY_BITS", "bit_fields", "sample_room", "voxel_grid"]

KEY_BITS = 62  # of a cell and its sample together; a signed word keeps a bit for the points outside


def voxel_grid(range_m: Sequence[float], voxel_size_m: Sequence[float]) -> tuple[int, int, int]:
    """Cells W, H, D along x, y and z.

    Args:
        range_m: x0, y0, z0, x1, y1, z1 in metres.
        voxel_size_m: along x, y and z in metres.

    Raises:
        ValueError: a wrong number of values, a range that is empty, not finite or not a whole number of cells (to a
            thousandth of one), a size that is not positive, or more cells than 62 bits number.
    """
    if len(range_m) != 6:
        raise ValueError(f"range_m: expected 6 numbers x0, y0, z0, x1, y1, z1, got {len(range_m)}: {list(range_m)}")
    if len(voxel_size_m) != 3 or any(not 0 < size < float("inf") for size in voxel_size_m):
        raise ValueError(f"voxel_size_m: expected 3 finite sizes > 0, got {list(voxel_size_m)}")
    grid = []
    for axis, low, high, size in zip("xyz", range_m[:3], range_m[3:], voxel_size_m, strict=True):
        if not float("-inf") < low < high < float("inf"):
            raise ValueError(f"range_m: expected finite {axis}0 < {axis}1, got {low} and {high}")
        cells = (high - low) / size
        if round(cells) < 1 or abs(cells - round(cells)) > 1e-3:
            raise ValueError(f"range_m: expected a whole number of cells of {size} m along {axis}, got {cells:.4f}")
        grid.append(round(cells))
    width, height, depth = grid
    if sum(bit_fields((width, height, depth))) > KEY_BITS:
        raise ValueError(f"voxel_size_m: expected cells that {KEY_BITS} bits number, got {width} x {height} x {depth}")
    return width, height, depth


def bit_fields(grid: tuple[int, int, int]) -> tuple[int, int, int]:
    """Bits of a key that x, y and z take, x lowest; the sample has those above, up to :data:`KEY_BITS`."""
    x, y, z = (int(cells - 1).bit_length() for cells in grid)
    return x, y, z


def sample_room(grid: tuple[int, int, int], batch_size: int | None = None) -> int:
    """How many samples are told apart: the batch size, or as many as a key has room for."""
    room = 1 << (KEY_BITS - sum(bit_fields(grid)))
    return room if batch_size is None else min(room, batch_size)
