"""Pictures of the worst samples say which scores they show."""

from __future__ import annotations

import numpy as np
import pytest
from matplotlib.text import Text

from bev3d.data import Detections, Sample
from bev3d.evalpage._worst import Shown, draw_shown

BOX = [5.0, 3, 0, 4, 2, 1.5, 0.1, 0, 0]


@pytest.mark.parametrize(("scores", "said"), [([186.9, 13.667], "13.66"), ([-0.5], "-0.5"), ([0.4], "0.4"), ([], "0")])
def test_scores_need_not_lie_between_0_and_1(scores: list[float], said: str) -> None:
    count = len(scores)
    none = np.zeros(0, dtype=np.int64)
    sample = Sample("a", np.zeros((0, 5), np.float32), np.array([BOX]), np.zeros(1, np.int64), ("Car",), none, ("Car",))
    found = Detections("a", np.tile(BOX, (count, 1)), np.array(scores), np.zeros(count, np.int64), ("Car",))
    figure = draw_shown(Shown(sample, found, np.ones(1, dtype=bool), np.ones(count, dtype=bool)), "light")
    words = " ".join(text.get_text() for text in figure.findobj(Text))  # type: ignore[attr-defined]
    assert f"{count} detection" in words
    assert f"with score ≥ {said}" in words
    assert len([patch for patch in figure.axes[0].patches if patch.get_gid() == "mistake"]) == 1 + count
