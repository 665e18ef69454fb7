import os
import subprocess
import sys
from pathlib import Path
from types import SimpleNamespace
from typing import Any

import numpy as np
import pytest
from matplotlib.image import imread
from viz_scenes import BOXES, RANGE_M, answers, empty, street, targets_of

from bev3d import UserError
from bev3d._errors import MissingPackageError
from bev3d.boxes import corners_3d
from bev3d.viz import _open3d, class_colours, have_open3d, render_open3d, show_open3d, view
from bev3d.viz._stage import stage_for
from bev3d.viz._style import hex_to_rgb

SIZE = (480, 320)
NOTHING: dict[str, Any] = {"detections": None, "targets": None, "heatmap": None, "task": None, "score_threshold": 0.3}


@pytest.fixture
def rendering() -> None:
    """Skips where Open3D cannot render."""
    pytest.importorskip("open3d", reason="needs Open3D", exc_type=ImportError)


def without_open3d(monkeypatch: pytest.MonkeyPatch) -> None:
    def refuse() -> None:
        raise MissingPackageError(
            "the 3D picture needs the package 'open3d'; install it with: pip install 'bev3d[viz]'"
        )

    monkeypatch.setattr(_open3d, "_import_open3d", refuse)


@pytest.mark.usefixtures("rendering")
@pytest.mark.parametrize("camera_name", ["bev", "chase"])
def test_a_box_is_rendered_at_its_place_and_changes_nothing_elsewhere(tmp_path: Path, camera_name: str) -> None:
    sample = street(points=0)
    bare = empty()
    arguments: dict[str, Any] = {"range_m": RANGE_M, "size": SIZE, "view": camera_name, "title": ""}
    with_boxes = imread(render_open3d(sample, tmp_path / "boxes.png", **arguments))[..., :3]
    without = imread(render_open3d(bare, tmp_path / "bare.png", **arguments))[..., :3]
    assert with_boxes.shape == (SIZE[1], SIZE[0], 3)
    # the ground of an empty sample is a default, so the cameras are those of each stage
    camera = stage_for(sample, range_m=RANGE_M, theme="dark", **NOTHING).camera(camera_name, SIZE)
    blue = hex_to_rgb(class_colours(sample.class_names)["car"])
    corners = corners_3d(BOXES)[0]
    for i, j in ((0, 1), (4, 5), (6, 7), (3, 7)):
        column, row = np.round(camera.project((corners[i] + corners[j])[None] / 2)[0]).astype(int)
        window = with_boxes[row - 1 : row + 2, column - 1 : column + 2]
        assert np.abs(window - blue).max(axis=-1).min() < 0.2
        assert np.abs(without[row - 1 : row + 2, column - 1 : column + 2] - blue).max(axis=-1).min() > 0.4
    changed = np.abs(with_boxes - without).max(axis=-1) > 0.1
    assert 0.0005 < changed[:, 120:].mean() < 0.1  # the legend stands left of it


@pytest.mark.usefixtures("rendering")
def test_points_detections_and_heatmap_are_rendered(tmp_path: Path) -> None:
    shown: dict[str, Any] = {"detections": answers(), "targets": targets_of(street()), "range_m": RANGE_M}
    image = imread(render_open3d(street(), tmp_path / "all.png", size=SIZE, view="oblique", **shown))[..., :3]
    hot = (image[..., 0] > 0.7) & (image[..., 2] < 0.45)  # the warm end of the heatmap, and orange
    assert hot.sum() > 20
    assert len(np.unique(np.round(image.reshape(-1, 3), 2), axis=0)) > 200


@pytest.mark.usefixtures("rendering")
def test_an_empty_sample_is_rendered_too(tmp_path: Path) -> None:
    assert render_open3d(empty(), tmp_path / "empty.png", size=SIZE).is_file()


def test_the_quads_of_the_heatmap_lie_under_the_boxes() -> None:
    stage = stage_for(street(), range_m=RANGE_M, theme="dark", **{**NOTHING, "targets": targets_of(street())})
    brightest = stage.quads[stage.quad_colours.sum(axis=1) > 2.5]
    for box in BOXES[:3]:
        low, high = brightest[:, 0, :2], brightest[:, 2, :2]
        assert ((low <= box[:2]) & (box[:2] < high)).all(axis=1).sum() == 1


def test_without_open3d_the_reason_is_given(monkeypatch: pytest.MonkeyPatch, tmp_path: Path) -> None:
    without_open3d(monkeypatch)
    probe = have_open3d()
    assert not probe
    assert "pip install 'bev3d[viz]'" in probe.problem
    with pytest.raises(MissingPackageError, match="bev3d\\[viz\\]"):
        render_open3d(street(), tmp_path / "picture.png")
    assert list(tmp_path.iterdir()) == []


def test_view_falls_back_to_matplotlib_with_one_line(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    without_open3d(monkeypatch)
    assert view(street(), png=tmp_path / "picture.png") == [tmp_path / "picture.png"]
    notice = capsys.readouterr().err
    assert notice.startswith("drawing with matplotlib: ")
    assert notice.count("\n") == 1
    with pytest.raises(MissingPackageError):
        view(street(), png=tmp_path / "other.png", backend="open3d")
    assert [path.name for path in tmp_path.iterdir()] == ["picture.png"]


def test_a_window_that_cannot_be_made_is_an_error_and_view_falls_back(
    monkeypatch: pytest.MonkeyPatch, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:
    class NoWindow:
        def create_window(self, *_: object, **__: object) -> bool:
            print("[Open3D WARNING] Failed to create window")
            return True

        def get_render_option(self) -> None:
            return None

    fake = SimpleNamespace(visualization=SimpleNamespace(Visualizer=NoWindow), __version__="0")
    monkeypatch.setattr(_open3d, "_import_open3d", lambda: fake)
    with pytest.raises(UserError, match=r"cannot open a window or an EGL context here: .*Failed to create window"):
        render_open3d(street(), tmp_path / "picture.png")
    assert list(tmp_path.iterdir()) == []
    view(street(), png=tmp_path / "picture.png")
    assert "Failed to create window" in capsys.readouterr().err
    assert (tmp_path / "picture.png").is_file()


@pytest.mark.skipif(sys.platform in ("win32", "darwin"), reason="these always have a display")
def test_without_a_display_a_window_is_refused(monkeypatch: pytest.MonkeyPatch) -> None:
    monkeypatch.delenv("DISPLAY", raising=False)
    monkeypatch.delenv("WAYLAND_DISPLAY", raising=False)
    with pytest.raises(UserError, match="DISPLAY and WAYLAND_DISPLAY are unset"):
        show_open3d(street())
    with pytest.raises(UserError, match="give --png FILE or --html FILE"):
        view(street())


@pytest.mark.usefixtures("rendering")
@pytest.mark.skipif(sys.platform != "linux", reason="an X display that is not there")
def test_a_display_that_is_not_there_is_refused_instead_of_a_hidden_window() -> None:
    """Open3D falls back to off-screen rendering in silence; its window would then stay open for ever, unseen."""
    here = str(Path(__file__).parent)
    code = "from viz_scenes import street; from bev3d.viz import show_open3d; show_open3d(street())"
    environment = {**os.environ, "DISPLAY": ":4711", "WAYLAND_DISPLAY": "", "PYTHONPATH": here}
    done = subprocess.run([sys.executable, "-c", code], env=environment, capture_output=True, text=True, timeout=120)
    assert done.returncode == 1
    assert "the display ':4711' cannot be reached" in done.stderr


def test_a_bad_backend_is_named() -> None:
    with pytest.raises(ValueError, match="backend: expected one of auto, open3d, matplotlib, got 'vtk'"):
        view(street(), png="x.png", backend="vtk")
