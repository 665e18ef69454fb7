"""Numbers that the guide's text quotes, computed by the losses themselves whenever it is written."""

from __future__ import annotations

import math
from collections.abc import Callable

import torch
from torch import Tensor
from torch.nn import functional

from bev3d import compat, losses
from bev3d.boxes import Box, corners_3d

__all__ = ["facts"]

_CAR = (0.0, 0.0, 0.0, 4.6, 1.9, 1.6, 0.0)


def facts() -> dict[str, str]:
    """Every number by the name that the text calls it, written with few digits."""
    every = {**_classification(), **_heatmap(), **_axis_aligned(), **_rotated(), **_corners(), **_regions(), **_rest()}
    return {name: value if isinstance(value, str) else _digits(value) for name, value in every.items()}


def _digits(value: float) -> str:
    if not math.isfinite(value):
        return "NaN" if math.isnan(value) else "∞" if value > 0 else "-∞"
    if value != 0 and abs(value) < 1e-3:
        return f"{value:.0e}"
    return f"{value:.3g}" if abs(value) < 1000 else f"{value:.0f}"


def _row(*values: float) -> Tensor:
    return torch.tensor([values], dtype=torch.float64)


def _slope(loss: Callable[[Tensor], Tensor], at: Tensor) -> Tensor:
    at = at.clone().requires_grad_()
    (slope,) = torch.autograd.grad(loss(at).sum(), at)
    return slope


def _classification() -> dict[str, float | str]:
    even, one, none = torch.zeros(1), torch.ones(1), torch.zeros(1)
    positive = _slope(lambda x: losses.focal_loss(x, one), even).abs().item()
    negative = _slope(lambda x: losses.focal_loss(x, none), even).abs().item()
    start = torch.logit(torch.tensor([0.01], dtype=torch.float64))

    def balance(loss: Callable[[Tensor], Tensor]) -> tuple[float, float]:
        return loss(one.double()).item(), 1e5 * loss(none.double()).item()

    plain = balance(lambda y: losses.binary_cross_entropy(start, y))
    focal = balance(lambda y: losses.focal_loss(start, y, alpha=-1))
    weighed = balance(lambda y: losses.focal_loss(start, y))
    ignored = torch.full((2,), -1)
    torch_mean = functional.cross_entropy(torch.zeros(2, 3), ignored, ignore_index=-1).item()
    sure = torch.full((1,), 200.0)
    return {
        "focal_positive": positive,
        "focal_negative": negative,
        "bce_one_positive": plain[0],
        "bce_all_negatives": plain[1],
        "focal_one_positive": focal[0],
        "focal_all_negatives": focal[1],
        "alpha_one_positive": weighed[0],
        "alpha_all_negatives": weighed[1],
        "torch_all_ignored": torch_mean,
        "half_gamma_slope": _slope(lambda x: losses.focal_loss(x, one, gamma=0.5), sure).item(),
        "usual_half_gamma_slope": _slope(
            lambda x: compat.openpcdet_sigmoid_focal_loss(x[None, None], one[None, None], one[None], gamma=0.5), sure
        ).item(),
    }


def _heatmap() -> dict[str, float | str]:
    out: dict[str, float | str] = {}
    for name, dtype in (("fp16", torch.float16), ("bf16", torch.bfloat16), ("fp32", torch.float32)):
        logits, empty = torch.full((1, 1, 1, 1), 12.0, dtype=dtype), torch.zeros(1, 1, 1, 1, dtype=dtype)
        for who, loss in (
            ("ours", losses.heatmap_focal_loss),
            ("openpcdet", compat.openpcdet_heatmap_focal_loss),
            ("mmdet3d", compat.mmdet3d_gaussian_focal_loss),
        ):
            out[f"heatmap_{who}_{name}"] = loss(logits, empty).sum().item()
            out[f"heatmap_{who}_{name}_slope"] = _slope(lambda x, f=loss, y=empty: f(x, y), logits).item()  # type: ignore
    out["bf16_neighbour"] = torch.tensor([0.999]).bfloat16().item()
    return out


def _axis_aligned() -> dict[str, float | str]:
    large = _row(-2, -2, 2, 2)
    out: dict[str, float | str] = {}
    for kind in ("giou", "diou"):
        for place, shift in (("centred", 0.0), ("aside", 0.9)):
            box = _row(-1 + shift, -1, 1 + shift, 1)
            out[f"{kind}_{place}"] = losses.box_iou_loss_2d(box, large, kind=kind).item()
    apart, target = _row(0, 0, 2, 2), _row(5, 0, 7, 2)
    pull = _slope(lambda b: losses.box_iou_loss_2d(b, target, kind="giou"), apart)[0]
    out["giou_near_side"], out["giou_far_side"] = -pull[2].item(), pull[0].item()

    width, height = torch.tensor(2.0, dtype=torch.float64), 2.0
    right = math.atan(4 / 2)
    v = _slope(lambda w: 4 / math.pi**2 * (right - torch.atan(w / height)) ** 2, width).item()
    printed = 8 / math.pi**2 * (right - math.atan(1.0)) * height / (width.item() ** 2 + height**2)
    out["v_slope"], out["v_slope_printed"] = v, printed
    crossed, upright = _row(-0.5, -2, 0.5, 2), _row(-2, -1, 2, 1)
    out["ciou_pair_iou"] = 1 - losses.box_iou_loss_2d(crossed, upright, kind="iou").item()
    for alpha in ("aaai", "tcyb"):
        ciou = losses.box_iou_loss_2d(crossed, upright, kind="ciou", ciou_alpha=alpha)
        diou = losses.box_iou_loss_2d(crossed, upright, kind="diou")
        out[f"ciou_{alpha}"] = (ciou - diou).item()

    wide, square = _row(0, 0, 3, 1.5), _row(0, 0, 2, 2)
    apart_from = losses.box_iou_loss_2d(wide, square, kind="iou")
    out["eiou_iou"] = 1 - apart_from.item()
    out["eiou"] = losses.box_iou_loss_2d(wide, square, kind="eiou").item()
    # where boxes overlap, mmdet's loss of that name is 1 - IoU, smoothed below 0.1
    out["mmdet_eiou"] = losses.smooth_l1_loss(apart_from, torch.zeros_like(apart_from), beta=0.1).item()
    for name, x in (("half", 1.0), ("touching", 2.0)):
        moved = _row(x, 0, x + 2, 2)
        out[f"focal_eiou_{name}"] = losses.box_iou_loss_2d(moved, square, kind="focal_eiou").item()
    return out


def _rotated() -> dict[str, float | str]:
    car = _row(*_CAR)

    def turned(degrees: float) -> Tensor:
        box = car.clone()
        box[0, Box.YAW] = math.radians(degrees)
        return box

    quarter = turned(90)
    out: dict[str, float | str] = {
        "quarter_without_yaw": f"{compat.axis_aligned_iou_3d(quarter, car).item():.3f}",
        "quarter_iou": f"{1 - losses.rotated_iou_loss(quarter, car).item():.3f}",
        "tenth_without_yaw": compat.axis_aligned_iou_3d(turned(10), car).item(),
        "tenth_iou": 1 - losses.rotated_iou_loss(turned(10), car).item(),
    }
    for degrees in (75, 90):
        out[f"giou_{degrees}"] = losses.rotated_iou_loss(turned(degrees), car, kind="giou").item()
    for degrees in (37, 44):
        out[f"mgiou_{degrees}"] = f"{losses.mgiou_3d_loss(turned(degrees), car).item():.4f}"
    out["giou_85_step"] = -_slope(lambda b: losses.rotated_iou_loss(b, car, kind="giou"), turned(85))[0, Box.YAW].item()
    out["iou_85_step"] = -_slope(lambda b: losses.rotated_iou_loss(b, car), turned(85))[0, Box.YAW].item()
    return out


def _corners() -> dict[str, float | str]:
    out: dict[str, float | str] = {}
    for spread in (1.0, 2.0):
        source = torch.Generator().manual_seed(0)
        target = _row(*_CAR).repeat(4000, 1)
        pred = target.clone()
        pred[:, :2] += spread * torch.randn(len(pred), 2, generator=source, dtype=torch.float64)
        pred[:, Box.YAW] = math.pi * (2 * torch.rand(len(pred), generator=source, dtype=torch.float64) - 1)
        flipped = target.clone()
        flipped[:, Box.YAW] += math.pi
        near, far = ((corners_3d(pred) - corners_3d(goal)).norm(dim=-1) for goal in (target, flipped))
        mixed = torch.minimum(near, far).sum(-1) < torch.minimum(near.sum(-1), far.sum(-1)) - 1e-9
        out[f"mixed_corners_{spread:g}"] = f"{100 * mixed.double().mean().item():.0f} %"
    beside = _row(*_CAR)
    beside[0, Box.X] = 4.6
    for variant in ("per_box", "per_corner", "huber_sum"):
        out[f"corner_{variant}"] = losses.corner_loss(beside, _row(*_CAR), variant=variant).item()
    return out


def _regions() -> dict[str, float | str]:
    share = torch.linspace(0.01, 0.99, 99, dtype=torch.float64)
    logits = torch.logit(share)[:, None, None].expand(-1, 1, 10)
    out: dict[str, float | str] = {}
    for form in ("sum", "squared"):
        soft, hard = (
            losses.dice_loss(logits, torch.full_like(logits, label), activation="sigmoid", smooth=0, denominator=form)
            for label in (0.6, 1.0)
        )
        out[f"dice_{form}_soft_best"] = share[soft[:, 0].argmin()].item()
        out[f"dice_{form}_hard_at_0_8"] = hard[79, 0].item()
    index = torch.tensor([0.1, 0.9], dtype=torch.float64)
    slopes = _slope(lambda t: (1 - t) ** (1 / (4 / 3)), index).abs()
    out["tversky_slope_bad"], out["tversky_slope_good"] = slopes[0].item(), slopes[1].item()

    y, x = torch.meshgrid(torch.arange(129.0), torch.arange(129.0), indexing="ij")
    for radius in (10, 40):
        disc = (x - 64).square() + (y - 64).square() <= radius**2
        moved = disc.roll(2, dims=1)
        out[f"disc_{radius}_iou"] = ((disc & moved).sum() / (disc | moved).sum()).item()
        out[f"disc_{radius}_boundary_iou"] = losses.boundary_iou(disc, moved).item()
    return out


def _rest() -> dict[str, float | str]:
    half = torch.tensor([0.5])
    halfway = torch.tensor([[1.0, 0, 0]])
    box = torch.tensor([[0.0, 0, 0, 4, 2, 1.5, 0]])
    unknown = torch.tensor([float("nan")])
    masked = (torch.zeros(1) - unknown).abs() * 0
    small = torch.tensor([0.05])
    return {
        "centerness_rest": losses.centerness_loss(torch.zeros(1), half).item(),
        "centerness_halfway": losses.centerness_target(halfway, box).item(),
        "nan_times_mask": masked.item(),
        "nan_where": losses.velocity_loss(torch.zeros(1, 2), torch.full((1, 2), math.nan)).sum().item(),
        "smooth_l1_small": losses.smooth_l1_loss(small, torch.zeros(1)).item(),
        "smooth_l1_small_beta_1": losses.smooth_l1_loss(small, torch.zeros(1), beta=1.0).item(),
    }
