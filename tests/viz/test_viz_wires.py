import numpy as np
from viz_scenes import BOXES

from bev3d.viz._wires import box_edges, dashes, heading_marks, rings


def test_edges_have_the_lengths_of_the_box() -> None:
    lengths = np.linalg.norm(np.diff(box_edges(BOXES), axis=2)[:, :, 0], axis=-1)
    for row, box in zip(lengths, BOXES, strict=True):
        np.testing.assert_allclose(np.sort(row), np.sort(np.repeat(box[3:6], 4)))


def test_heading_marks_run_over_the_roof_beyond_the_front() -> None:
    marks = heading_marks(BOXES)
    np.testing.assert_allclose(marks[:, 0], BOXES[:, :3] + [[0, 0, h / 2] for h in BOXES[:, 5]])
    way = marks[:, 1] - marks[:, 0]
    np.testing.assert_allclose(np.arctan2(way[:, 1], way[:, 0]), BOXES[:, 6])
    assert (np.linalg.norm(way, axis=1) > BOXES[:, 3] / 2).all()


def test_dashes_cover_about_half_of_a_segment_and_both_ends() -> None:
    segments = np.array([[[0.0, 0, 0], [9, 0, 0]], [[0, 0, 0], [0, 0.2, 0]]])
    pieces, owners = dashes(segments, dash_m=0.5)
    long = pieces[owners == 0]
    np.testing.assert_allclose(long[0, 0], segments[0, 0])
    np.testing.assert_allclose(long[-1, 1], segments[0, 1])
    assert 4 < np.linalg.norm(long[:, 1] - long[:, 0], axis=1).sum() < 5
    np.testing.assert_allclose(pieces[owners == 1], segments[1:])
    assert dashes(np.zeros((0, 2, 3)))[0].shape == (0, 2, 3)


def test_rings() -> None:
    lines = rings(45, -1.7)
    np.testing.assert_allclose(np.unique(np.round(np.linalg.norm(lines[..., :2], axis=-1), 9)), [20, 40])
    np.testing.assert_array_equal(lines[..., 2], -1.7)
    assert rings(5, 0).shape == (0, 2, 3)
