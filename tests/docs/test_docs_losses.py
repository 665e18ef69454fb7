"""The guide to the losses is what the library says today, names everything, and names nothing that is not there."""

from __future__ import annotations

import inspect
import re
from collections.abc import Iterator
from pathlib import Path
from typing import Any, Literal, get_args, get_origin, get_type_hints

import numpy as np
import pytest
from matplotlib.image import imread

from bev3d import compat, guide, losses
from bev3d.guide._docstrings import read_entry
from bev3d.guide._facts import facts

REPOSITORY = Path(__file__).resolve().parents[2]
EXAMPLES = REPOSITORY / "tests" / "losses" / "examples"
TEXT = Path(inspect.getfile(guide)).parent / "text"
PAGE = (REPOSITORY / "docs" / "losses.md").read_text(encoding="utf-8")
FIGURES = REPOSITORY / "docs" / "losses"
# a part of the loss is held constant on purpose: its gradient is not the slope of its curve
CONSTANT_WEIGHTS = ("seesaw", "ciou", "focal_eiou")


def test_the_page_is_current() -> None:
    assert guide.guide_page(EXAMPLES) == PAGE, "run tools/make_loss_guide.py"


@pytest.mark.parametrize("name", [*losses.__all__, *compat.__all__])
def test_every_public_name_is_in_it(name: str) -> None:
    result = name.endswith("Result")
    assert f"`{name}`" in PAGE or result, f"bev3d/guide/_families.py: no family has the module of {name}"


def test_every_family_has_its_section_example_and_figures() -> None:
    stems = {family.key for family in guide.FAMILIES}
    assert {path.stem for path in EXAMPLES.glob("*.py")} == stems, "an example without a family, or a family without"
    for family in guide.FAMILIES:
        assert f"\n## {family.title}\n" in PAGE
        assert (EXAMPLES / f"{family.key}.py").read_text(encoding="utf-8").strip() in PAGE
        assert (family.figure is not None) == (f'src="losses/{family.key}.png"' in PAGE)


def test_links_lead_somewhere() -> None:
    anchors = {
        re.sub(r"[^\w\- ]", "", title.lower()).replace(" ", "-") for title in re.findall(r"^## (.+)$", PAGE, re.M)
    }
    for target in re.findall(r"\]\(#([^)]+)\)", PAGE):
        assert target in anchors
    for target in re.findall(r'(?:src|srcset)="([^"]+)"|\]\((?!http|#)([^)\s]+)\)', PAGE):
        assert (REPOSITORY / "docs" / next(filter(None, target))).is_file()


def test_figures_are_small_and_a_pair_for_light_and_dark() -> None:
    files = sorted(FIGURES.glob("*.png"))
    assert {file.name for file in files} == {
        f"{family.key}{theme}.png" for family in guide.FAMILIES if family.figure for theme in ("", "_dark")
    }
    assert sum(file.stat().st_size for file in files) < 1_500_000
    for light in (file for file in files if not file.stem.endswith("_dark")):
        bright, dim = (imread(path)[..., :3] for path in (light, light.with_name(f"{light.stem}_dark.png")))
        assert bright.shape == dim.shape
        assert bright.mean() > 0.8
        assert dim.mean() < 0.3


def test_nothing_in_a_figure_is_cut_off() -> None:
    for path in FIGURES.glob("*.png"):
        picture = imread(path)[..., :3]
        rim = np.concatenate([side.reshape(-1, 3) for side in (picture[:2], picture[:, :2], picture[:, -2:])])
        assert np.abs(rim - rim[0]).max() < 0.02, f"{path.name}: something reaches the rim"


@pytest.mark.parametrize("family", [f for f in guide.FAMILIES if f.figure], ids=lambda family: family.key)
def test_figures_show_finite_losses_whose_slopes_are_theirs(family: guide.Family) -> None:
    assert family.figure is not None
    for panel in family.figure():
        for curve in panel.curves:
            where = f"{family.key}, {panel.title}, {curve.name}"
            assert np.isfinite(curve.value).all(), where
            between = np.diff(curve.value) / np.diff(curve.at)
            middle = (curve.slope[1:] + curve.slope[:-1]) / 2
            scale = np.abs(between).max() + 1e-9
            degrees = np.pi / 180 if "degrees" in panel.axis else 1.0
            if not curve.name.startswith(CONSTANT_WEIGHTS):
                assert np.median(np.abs(between - degrees * middle)) < 0.01 * scale, where


def test_figures_are_written(tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.setattr("bev3d.guide._write.FAMILIES", [f for f in guide.FAMILIES if f.key in ("together", "compat")])
    guide.draw_figures(tmp_path)
    assert sorted(path.name for path in tmp_path.iterdir()) == ["together.png", "together_dark.png"]
    assert np.ptp(imread(tmp_path / "together.png")) > 0.5


def test_names_in_the_prose_exist() -> None:
    known = set(_known_names())
    for path in sorted(TEXT.glob("*.md")):
        for name in re.findall(r"`([A-Za-z]\w*)(?:\(\w+=[^`]*\))?`", path.read_text(encoding="utf-8")):
            assert name in known or name in {"EIoULoss"}, f"{path.name}: {name}"


def _known_names() -> Iterator[str]:
    for module in (losses, compat):
        for name in module.__all__:
            yield name
            thing: Any = getattr(module, name)
            function = thing.__init__ if inspect.isclass(thing) else thing
            yield from inspect.signature(function).parameters
            for hint in get_type_hints(function).values():
                for part in (hint, *get_args(hint)):
                    if get_origin(part) is Literal:
                        yield from get_args(part)


def test_what_is_told_is_so() -> None:
    """The claims of "Often told wrongly", as inequalities of the numbers that it quotes."""
    every = facts()
    told = {name: float(every[name]) for name in every if re.fullmatch(r"-?[\d.e-]+", every[name])}
    assert told["focal_negative"] == pytest.approx(3 * told["focal_positive"], rel=0.01)
    assert told["bce_all_negatives"] > 100 * told["bce_one_positive"]
    assert told["focal_one_positive"] > 10 * told["focal_all_negatives"]
    for precision in ("fp32", "bf16", "fp16"):
        assert told[f"heatmap_ours_{precision}"] == 12
        assert told[f"heatmap_ours_{precision}_slope"] == 1
    assert told["heatmap_openpcdet_fp32_slope"] == told["heatmap_mmdet3d_bf16_slope"] == 0
    assert every["heatmap_openpcdet_fp16"] == every["heatmap_mmdet3d_fp16"] == "∞"
    assert told["giou_centred"] == told["giou_aside"]
    assert told["diou_centred"] < told["diou_aside"]
    assert min(told["giou_near_side"], told["giou_far_side"]) > 0
    assert told["v_slope"] == -told["v_slope_printed"] < 0
    assert told["ciou_aaai"] > told["ciou_tcyb"] == 0
    assert told["eiou"] != told["mmdet_eiou"]
    assert told["focal_eiou_touching"] < told["focal_eiou_half"]
    assert told["quarter_without_yaw"] == 1 > told["quarter_iou"]
    assert told["giou_90"] < told["giou_75"]
    assert told["giou_85_step"] > 0 > told["iou_85_step"]
    assert told["mgiou_44"] < told["mgiou_37"]
    assert told["dice_sum_soft_best"] > 0.95
    assert told["dice_squared_soft_best"] == 0.6
    assert told["tversky_slope_good"] > told["tversky_slope_bad"]
    assert told["centerness_rest"] > 0.5
    assert told["disc_40_iou"] - told["disc_10_iou"] > 0.1
    assert abs(told["disc_40_boundary_iou"] - told["disc_10_boundary_iou"]) < 0.02
    assert told["smooth_l1_small"] > 5 * told["smooth_l1_small_beta_1"]


def test_a_docstring_is_read_as_it_is_meant() -> None:
    def example(pred: int, *, alpha: float = 4 / 3, kind: str = "a", reduction: str = "none") -> int:
        """Some loss (Someone, ICCV 2017, 1708.02002), with ``code``.

            a + b
            c * d

        ======= ========= ======
        kind    loss      source
        ======= ========= ======
        ``a``   |x|       none
        ======= ========= ======

        More words.

        Args:
            pred: something.
        """
        return pred

    entry = read_entry("example", example)
    assert entry.summary == "Some loss, with ``code``."
    assert entry.source == "Someone, ICCV 2017, [1708.02002](https://arxiv.org/abs/1708.02002)"
    assert entry.formula == ("a + b", "c * d")
    assert entry.table == (("kind", "loss", "source"), ("``a``", "|x|", "none"))
    assert entry.defaults == '`alpha=4/3`, `kind="a"`'
    assert entry.rest == ("More words.",)
    with pytest.raises(ValueError, match=r"bare: expected a docstring, got none"):
        read_entry("bare", lambda: None)
