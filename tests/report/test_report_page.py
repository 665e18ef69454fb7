"""The page says what was scored."""

from __future__ import annotations

from dataclasses import replace

import pytest

from bev3d.config import load_config
from bev3d.report import Score
from bev3d.report._write import _page


@pytest.mark.parametrize(
    ("split", "said"), [("val", "2 samples of val."), ("train", "of train, the samples it was tra")]
)
def test_a_score_on_the_training_split_says_so(split: str, said: str) -> None:
    config = replace(load_config("kitti_3class"), val_split=split)
    score = Score("a metric", (("AP", "0.5"),), ("class", "AP"), (("Car", 0.5),), {"Car": 0.5}, None)
    text = _page("run", config, [0, 1], score, score.facts).render(".")  # type: ignore[arg-type]
    assert said in text
