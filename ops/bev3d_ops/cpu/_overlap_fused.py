"""Every form of overlap with its gradient, for a block of pairs at once."""

from __future__ import annotations

import numpy as np
from numba import njit

from bev3d_ops._overlap_kinds import (
    CIOU_3D,
    CIOU_BEV,
    EIOU_3D,
    EIOU_BEV,
    GIOU_3D,
    GIOU_BEV,
    GIOU_HULL_BEV,
    INTERSECTION_BEV,
    IOU_3D,
)
from bev3d_ops.cpu._lanes import LANES
from bev3d_ops.cpu._overlap_block import AX, BLOCK, BZ, COS_A, DX, DY, FAST, KNOWN, SIN_A
from bev3d_ops.cpu._overlap_enclosing import (
    add_content,
    add_distance,
    add_extents,
    add_union,
    find_content,
    find_extents,
)
from bev3d_ops.cpu._overlap_gradient import (
    FACTOR,
    G_AX,
    G_BX,
    G_PHI,
    G_ROWS,
    G_X,
    G_Y,
    G_YAW_A,
    VALUE,
    fill_area_gradient,
    to_iou_3d,
    to_iou_bev,
)
from bev3d_ops.cpu._overlap_hull import add_hull, find_hull
from bev3d_ops.cpu._overlap_pack import pack, pack_slowly, turn
from bev3d_ops.cpu._overlap_shape import add_aspect, add_sizes
from bev3d_ops.cpu._overlap_store import store_gradients
from bev3d_ops.cpu._overlap_transpose import COLUMNS
from bev3d_ops.cpu._prepare import LARGEST_M, SMALLEST_M

__all__ = ["gradient_rows", "overlap_block", "store_gradient_block"]


@njit(cache=True, nogil=True, error_model="numpy")
def _fill_local(block, g, kind):
    """Value and local gradient of every pair."""
    fill_area_gradient(block, g)
    if kind == INTERSECTION_BEV:
        return
    high = 1.0 if kind % 2 == 0 else 0.0
    if kind % 2 == 0:
        to_iou_3d(block, g)
    else:
        to_iou_bev(block, g)
    if kind <= IOU_3D:
        return
    find_extents(block, g)
    if kind in (GIOU_BEV, GIOU_3D):
        find_content(g, high)
        add_union(block, g, high)
        add_content(g, high)
    elif kind >= GIOU_HULL_BEV:
        find_hull(block, g, high)
        add_union(block, g, high)
        add_hull(block, g, high)
    else:
        if kind in (CIOU_BEV, CIOU_3D):
            add_aspect(block, g)
        add_distance(block, g, high)
        if kind in (EIOU_BEV, EIOU_3D):
            add_sizes(block, g, high)
    add_extents(block, g)


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _to_world(block, g):
    """From local parameters to columns of boxes, but for half sizes: A's frame to the world's, phi to both yaws."""
    for i in range(BLOCK):
        x, y = g[G_X * BLOCK + i], g[G_Y * BLOCK + i]
        c, s = block[COS_A * BLOCK + i], block[SIN_A * BLOCK + i]
        turned = g[G_PHI * BLOCK + i] + block[DX * BLOCK + i] * y - block[DY * BLOCK + i] * x
        g[G_YAW_A * BLOCK + i] = -turned
        g[G_X * BLOCK + i], g[G_Y * BLOCK + i] = c * x - s * y, s * x + c * y


@njit(cache=True, nogil=True, error_model="numpy", fastmath=FAST)
def _count_flat(block):
    """How many half sizes are 0."""
    flat = 0
    for k in range(AX * BLOCK, (BZ + 1) * BLOCK):
        flat += 1 if block[k] == 0.0 else 0
    return flat


@njit(cache=True, nogil=True, error_model="numpy")
def _hold_negative_sizes(g, a, b, first):
    """No gradient for a size below 0, which counts as 0 whatever it is; a size of 0 keeps that of growing."""
    for k in range(BLOCK):
        for row in range(3):
            if a[COLUMNS * (first + k) + 3 + row] < 0.0:
                g[(G_AX + row) * BLOCK + k] = 0.0
            if b[COLUMNS * (first + k) + 3 + row] < 0.0:
                g[(G_AX + 3 + row) * BLOCK + k] = 0.0


@njit(cache=True, nogil=True, error_model="numpy")
def _hold_unknown(block, g, kind):
    """The least value, and no gradient, for a pair that holds what is no box."""
    for k in range(BLOCK):
        if block[KNOWN * BLOCK + k] == 0.0:
            for row in range(FACTOR):
                g[row * BLOCK + k] = 0.0
            g[VALUE * BLOCK + k] = 0.0 if kind <= IOU_3D else -1.0


@njit(cache=True, nogil=True, error_model="numpy")
def gradient_rows():
    """The block for values and gradients; all factors are 1."""
    g = np.zeros(G_ROWS * BLOCK, np.float64)
    g[FACTOR * BLOCK :] = 1
    return g


@njit(cache=True, nogil=True, error_model="numpy")
def overlap_block(block, g, a, b, first, kind):
    """Fill ``g`` with the values (row VALUE) and gradients of BLOCK pairs from box ``first`` on.

    Args:
        block: (ROWS * BLOCK,) float64, for use inside.
        g: of gradient_rows.
        a, b: flat and contiguous, seven numbers for each box, readable one number beyond the block.
        first: number of the first box.
        kind: of bev3d_ops._overlap_kinds.
    """
    slowly = pack(block, a, b, first, LARGEST_M, SMALLEST_M) != 0
    if slowly:
        pack_slowly(block, a, b, first)
    turn(block)
    _fill_local(block, g, kind)
    _to_world(block, g)
    if _count_flat(block) > 0:
        _hold_negative_sizes(g, a, b, first)
    if slowly:
        _hold_unknown(block, g, kind)


@njit(cache=True, nogil=True, error_model="numpy")
def store_gradient_block(g, first, grad_a, grad_b, around):
    """Copy the gradients that overlap_block found, each pair's times its factor, to flat arrays.

    Args:
        first: number of the first box to write.
        grad_a, grad_b: seven numbers for each box; an empty one is not wanted.
        around: see store_gradients.
    """
    has_a, has_b = len(grad_a) > 0, len(grad_b) > 0
    for k in range(0, BLOCK, LANES):
        place = COLUMNS * (first + k)
        if has_a:
            store_gradients(g, BLOCK, k, -1.0, G_AX, G_YAW_A, grad_a, place, around)
        if has_b:
            store_gradients(g, BLOCK, k, 1.0, G_BX, G_PHI, grad_b, place, around)
