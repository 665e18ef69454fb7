import numpy as np
import pytest

from bev3d.viz._camera import VIEWS, camera_for

EXTENT = (-20.0, -16.0, 28.0, 24.0)


@pytest.mark.parametrize("view", VIEWS)
def test_cameras_are_rigid_and_right_handed(view: str) -> None:
    turn = camera_for(view, extent=EXTENT, ground_z=-1.7, forward=0.4, size=(800, 500)).camera_from_world[:3, :3]
    np.testing.assert_allclose(turn @ turn.T, np.eye(3), atol=1e-12)
    assert np.linalg.det(turn) == pytest.approx(1)


def test_from_above_x_is_right_y_is_up_and_the_extent_fits() -> None:
    camera = camera_for("bev", extent=EXTENT, ground_z=-1.7, forward=0.0, size=(800, 500))
    middle, right, up = camera.project(np.array([[4.0, 4, -1.7], [5, 4, -1.7], [4, 5, -1.7]]))
    np.testing.assert_allclose(middle, [399.5, 249.5], atol=1e-9)
    assert right[0] > middle[0]
    assert up[1] < middle[1]
    corners = camera.project(np.array([[-20.0, -16, -1.7], [28, 24, -1.7]]))
    assert (corners > 0).all()
    assert (corners < [800, 500]).all()
    # 40 m fill 97 % of the height
    assert corners[0, 1] - corners[1, 1] == pytest.approx(0.97 * 500)


def test_from_behind_what_lies_ahead_is_in_the_middle_and_left_is_left() -> None:
    for forward in (0.0, np.pi / 2, -2.0):
        ahead = np.array([np.cos(forward), np.sin(forward), 0])
        left = np.array([-ahead[1], ahead[0], 0])
        camera = camera_for("chase", extent=EXTENT, ground_z=0, forward=forward, size=(800, 500))
        at, beside, behind = camera.project(np.stack([20 * ahead, 20 * ahead + 3 * left, -40 * ahead]))
        assert at[0] == pytest.approx(399.5)
        assert beside[0] < at[0]
        assert np.isnan(behind).all()


def test_an_unknown_view_is_named() -> None:
    with pytest.raises(ValueError, match="view: expected one of bev, chase, oblique, got 'side'"):
        camera_for("side", extent=EXTENT, ground_z=0, forward=0, size=(10, 10))
