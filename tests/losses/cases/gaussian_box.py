"""Rows for boxes as Gaussians: matrices in float64, square roots and inverses by SciPy and NumPy."""

from __future__ import annotations

from collections.abc import Callable
from typing import Any

import numpy as np
import torch
from oracles.loss_case import LossCase
from scipy.linalg import sqrtm
from torch import Tensor

from bev3d.losses import GaussianBoxLoss, gaussian_box_loss

ROWS: list[tuple[str, dict[str, Any]]] = [
    *((space, {"kind": kind}) for kind in ("gwd", "kld", "jd", "bd", "kfiou", "probiou") for space in ("bev", "3d")),
    ("bev", {"kind": "gwd", "fun": "log1p_sqrt", "normalise": True}),
    ("3d", {"kind": "gwd", "fun": "sqrt", "tau": 2.0, "normalise": True}),
    ("3d", {"kind": "kld", "direction": "target_to_pred", "fun": "log1p_sqrt"}),
    ("3d", {"kind": "bd", "fun": "none", "tau": None, "variance": 1 / 12}),
    ("bev", {"kind": "kfiou", "fun": "ln"}),
    ("3d", {"kind": "kfiou", "fun": "linear"}),
]
LARGEST_KFIOU = {"bev": 1 / 3, "3d": 1 / (np.sqrt(32) - 1)}
Matrix = np.ndarray


def boxes(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    """Near, far, turned by a quarter, of other sizes, and one unknown."""
    target = torch.rand(12, 7, generator=rng, dtype=torch.float64) * torch.tensor([20.0, 20, 2, 4, 1.5, 1, 6])
    target[:, 3:6] += 0.5
    pred = target + 0.3 * torch.randn(12, 7, generator=rng, dtype=torch.float64)
    pred[:, 3:6] = pred[:, 3:6].clamp(min=0.3)
    pred[8, :3] += 6.0
    pred[9, 6] += 1.5
    pred[10, 3:6] *= 3.0
    target[11, 2] = torch.nan
    return pred.to(dtype), target.to(dtype)


def near(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    pred, target = boxes(rng, dtype)
    return pred[:8], target[:8]


def same(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    _, target = boxes(rng, dtype)
    return target[:11].clone(), target[:11]


def unknown(rng: torch.Generator, dtype: torch.dtype) -> tuple[Any, ...]:
    pred, target = boxes(rng, dtype)
    return pred, torch.full_like(target, torch.nan)


def gaussian(box: Matrix, space: str, variance: float) -> tuple[Matrix, Matrix]:
    c, s = np.cos(box[6]), np.sin(box[6])
    turn = np.array([[c, -s, 0], [s, c, 0], [0, 0, 1]])
    covariance = turn @ np.diag(variance * box[3:6] ** 2) @ turn.T
    dims = 2 if space == "bev" else 3
    return box[:dims], covariance[:dims, :dims]


def kullback_leibler(m: Matrix, a: Matrix, n: Matrix, b: Matrix) -> float:
    inverse = np.linalg.inv(b)
    log = np.linalg.slogdet(b)[1] - np.linalg.slogdet(a)[1]
    return float((n - m) @ inverse @ (n - m) + np.trace(inverse @ a) - len(m) + log) / 2


def bhattacharyya(m: Matrix, a: Matrix, n: Matrix, b: Matrix) -> float:
    mean = (a + b) / 2
    log = np.linalg.slogdet(mean)[1] - (np.linalg.slogdet(a)[1] + np.linalg.slogdet(b)[1]) / 2
    return float((n - m) @ np.linalg.inv(mean) @ (n - m) / 8 + log / 2)


def wasserstein(m: Matrix, a: Matrix, n: Matrix, b: Matrix) -> float:
    half = sqrtm(a)
    return float((m - n) @ (m - n) + np.trace(a + b - 2 * sqrtm(half @ b @ half)).real)


def kalman(m: Matrix, a: Matrix, n: Matrix, b: Matrix, fun: str) -> float:
    gain = a @ np.linalg.inv(a + b)
    v, w, both = (np.sqrt(np.linalg.det(matrix)) for matrix in (a, b, a - gain @ a))
    iou = both / (v + w - both)
    of_iou = {"exp": np.exp(1 - iou) - 1, "ln": -np.log(iou), "linear": 1 - iou}[fun]
    return float(of_iou + np.log(1 + (m - n) @ np.linalg.inv(b) @ (m - n)))


def value(box: Matrix, wanted: Matrix, space: str, option: dict[str, Any]) -> float:
    kind = option["kind"]
    variance = option.get("variance", 1 / 12 if kind == "probiou" else 1 / 4)
    m, a = gaussian(box, space, variance)
    n, b = gaussian(wanted, space, variance)
    if kind == "kfiou":
        return kalman(m, a, n, b, option.get("fun", "exp"))
    if kind == "probiou":
        return float(np.sqrt(1 - np.exp(-bhattacharyya(m, a, n, b))))
    if kind == "gwd":
        distance = wasserstein(m, a, n, b)
        if option.get("normalise"):
            sizes = np.concatenate([box[3 : 3 + len(m)], wanted[3 : 3 + len(m)]])
            distance /= np.exp(np.log(sizes).mean()) ** 2
    elif kind == "bd":
        distance = bhattacharyya(m, a, n, b)
    else:
        forward, back = kullback_leibler(m, a, n, b), kullback_leibler(n, b, m, a)
        distance = forward + back if kind == "jd" else (back if "direction" in option else forward)
    fun, tau = option.get("fun", "log1p"), option.get("tau", 1.0)
    x = np.sqrt(distance) if "sqrt" in fun else distance
    x = np.log(1 + x) if "log1p" in fun else x
    return float(x if tau is None else 1 - 1 / (tau + x))


def _reference(space: str, option: dict[str, Any]) -> Callable[..., Tensor]:
    def loss(pred: Tensor, target: Tensor) -> Tensor:
        pairs = zip(pred.double().numpy(), target.double().numpy(), strict=True)
        values = [0.0 if np.isnan(t).any() else value(p, t, space, option) for p, t in pairs]
        return torch.tensor(values, dtype=torch.float64)

    return loss


def _minimum(space: str, option: dict[str, Any]) -> float:
    if option["kind"] == "kfiou":
        largest = LARGEST_KFIOU[space]
        of_iou = {"exp": np.exp(1 - largest) - 1, "ln": -np.log(largest), "linear": 1 - largest}
        return float(of_iou[option.get("fun", "exp")])
    tau = option.get("tau", 1.0)
    return 0.0 if tau is None else 1 - 1 / tau


CASES = [
    LossCase(
        f"gaussian_box_loss, {space}, {', '.join(str(v) for v in option.values())}",
        gaussian_box_loss,
        lambda space=space, option=option: GaussianBoxLoss(space=space, **option),
        boxes,
        _reference(space, option),
        "matrices in float64: scipy.linalg.sqrtm, numpy.linalg",
        options={"space": space, **option},
        smooth_inputs=near,
        nothing_counts=unknown,
        optimum=same,
        minimum=_minimum(space, option),
    )
    for space, option in ROWS
]
