"""The usual kernels on a GPU, compiled and launched by torch."""
# mypy: allow-untyped-defs

from __future__ import annotations

import functools
from pathlib import Path
from typing import Any

import numpy as np
import torch
from numba import njit
from torch import Tensor

__all__ = ["SOURCE", "kept_of_mask", "usual_aligned", "usual_matrix", "usual_nms", "usual_points"]

SOURCE = Path(__file__).with_name("usual.cu")
_SIDE = 16


@functools.cache
def _kernel(name: str) -> Any:
    try:
        from torch.cuda import _compile_kernel
    except ImportError as problem:
        raise ImportError("this torch does not compile kernels") from problem
    return _compile_kernel(SOURCE.read_text(encoding="utf-8"), name)


def _blocks(count: int, block: int) -> int:
    return (count + block - 1) // block


def usual_matrix(a: Tensor, b: Tensor) -> Tensor:
    """IoU (N, M) of the footprints of boxes (N, 7) and (M, 7), float32 on CUDA."""
    out = a.new_empty((len(a), len(b)))
    grid = (_blocks(len(b), _SIDE), _blocks(len(a), _SIDE), 1)
    _kernel("usual_matrix")(grid, (_SIDE, _SIDE, 1), [a, b, out, len(a), len(b)])
    return out


def usual_aligned(a: Tensor, b: Tensor) -> Tensor:
    """IoU (N,) of aligned boxes (N, 7), float32 on CUDA."""
    out = a.new_empty(len(a))
    _kernel("usual_aligned")((_blocks(len(a), 256), 1, 1), (256, 1, 1), [a, b, out, len(a)])
    return out


def usual_nms(boxes: Tensor, scores: Tensor, threshold: float) -> Tensor:
    """Kept indices by descending score: the mask of bits on the device, then on the host, as most have it."""
    order = scores.argsort(descending=True)
    words = _blocks(len(boxes), 64)
    mask = torch.empty((len(boxes), words), dtype=torch.int64, device=boxes.device)
    grid = (_blocks(words, 4), _blocks(len(boxes), 32), 1)
    _kernel("usual_mask")(grid, (4, 32, 1), [boxes[order].contiguous(), mask, len(boxes), words, float(threshold)])
    return order[torch.from_numpy(kept_of_mask(mask.cpu().numpy())).to(boxes.device)]


@njit(cache=True, nogil=True)
def kept_of_mask(mask):
    """Places kept, of the mask (n, words) int64 of who removes whom."""
    gone = np.zeros(mask.shape[1], np.int64)
    kept = np.empty(len(mask), np.int64)
    count = 0
    for i in range(len(mask)):
        if (gone[i >> 6] >> (i & 63)) & 1 == 0:
            kept[count] = i
            count += 1
            for w in range(i >> 6, len(gone)):
                gone[w] |= mask[i, w]
    return kept[:count]


def usual_points(points: Tensor, boxes: Tensor) -> Tensor:
    """Index (P,) int32 of the first box that holds each point, or -1, float32 on CUDA."""
    out = torch.empty(len(points), dtype=torch.int32, device=points.device)
    arguments = [points, boxes, out, len(points), len(boxes), points.shape[1]]
    _kernel("usual_points")((_blocks(len(points), 256), 1, 1), (256, 1, 1), arguments)
    return out
