"""Open3D: headless PNG and a window. Imported lazily, since it takes a second and is optional.

Only the legacy ``Visualizer`` is used: it renders through EGL where no display is. ``OffscreenRenderer`` aborts the
process where a Vulkan loader stands without a driver, and no Python code can catch that.
"""

from __future__ import annotations

import contextlib
import io
import os
import sys
import tempfile
from collections.abc import Iterator, Sequence
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import numpy as np
from numpy.typing import NDArray

from bev3d._errors import MissingPackageError, UserError, require
from bev3d.data._sample import Detections, Sample
from bev3d.viz._camera import Camera
from bev3d.viz._caption import write_captioned
from bev3d.viz._stage import Stage, stage_for
from bev3d.viz._style import hex_to_rgb

__all__ = ["Availability", "has_display", "have_open3d", "render_open3d", "show_open3d"]

SUPERSAMPLING = 2
LINE_WIDTH_PX = 1.7


@dataclass(frozen=True)
class Availability:
    """Whether something can be used; true or false as a condition, with the reason in words."""

    available: bool
    reason: str

    def __bool__(self) -> bool:
        return self.available

    @property
    def problem(self) -> str:
        """Why it cannot be used; empty where it can."""
        return "" if self.available else self.reason


def have_open3d() -> Availability:
    """Whether ``import open3d`` works here, and if not, why not and what would help."""
    try:
        module = _import_open3d()
    except MissingPackageError as error:
        return Availability(False, str(error))
    return Availability(True, f"open3d {module.__version__}")


def render_open3d(
    sample: Sample,
    path: str | os.PathLike[str],
    *,
    detections: Detections | None = None,
    targets: Any = None,
    heatmap: Any = None,
    task: int | None = None,
    range_m: Sequence[float] | None = None,
    score_threshold: float = 0.3,
    size: tuple[int, int] = (1600, 1000),
    view: str = "chase",
    title: str | None = None,
    theme: str = "dark",
) -> Path:
    """Render a sample in 3D into a PNG without a display; the file appears whole or not at all.

    Args:
        sample: points and ground truth; either may be empty.
        path: the PNG to write.
        detections: drawn dashed, those from ``score_threshold`` on.
        targets, heatmap, task, range_m: as in :func:`bev_figure`; the heatmap lies on the ground.
        score_threshold: lowest score of a detection that is drawn.
        size: width and height in pixels.
        view: ``"bev"``, ``"chase"`` or ``"oblique"``.
        title: line at the top left; the token where None, nothing where empty.
        theme: ``"dark"`` or ``"light"``.

    Raises:
        MissingPackageError: Open3D or a library that it loads is absent.
        UserError: Open3D cannot open a window or an EGL context here.
        ValueError: an argument outside what is listed.
    """
    stage = stage_for(
        sample, detections=detections, targets=targets, heatmap=heatmap, task=task, range_m=range_m,
        score_threshold=score_threshold, theme=theme,
    )  # fmt: skip
    camera = stage.camera(view, size)
    image = _capture(stage, camera)
    write_captioned(image, path, stage, camera, sample.token if title is None else title)
    return Path(path)


def show_open3d(
    sample: Sample,
    *,
    detections: Detections | None = None,
    targets: Any = None,
    heatmap: Any = None,
    task: int | None = None,
    range_m: Sequence[float] | None = None,
    score_threshold: float = 0.3,
    size: tuple[int, int] = (1600, 1000),
    view: str = "chase",
    theme: str = "dark",
) -> None:
    """Open a window with the sample and return when it is closed. Arguments as in :func:`render_open3d`.

    Raises:
        UserError: there is no display, or it cannot be reached.
        MissingPackageError: Open3D or a library that it loads is absent.
    """
    if not has_display():
        raise UserError("no display for a window (DISPLAY and WAYLAND_DISPLAY are unset): write a picture instead")
    stage = stage_for(
        sample, detections=detections, targets=targets, heatmap=heatmap, task=task, range_m=range_m,
        score_threshold=score_threshold, theme=theme,
    )  # fmt: skip
    with _window(stage, stage.camera(view, size), visible=True) as window:
        window.run()


def has_display() -> bool:
    """Whether this process has somewhere to open a window."""
    if sys.platform in ("win32", "darwin"):
        return True
    return bool(os.environ.get("DISPLAY") or os.environ.get("WAYLAND_DISPLAY"))


def _import_open3d() -> Any:
    return require("open3d", extra="viz", purpose="the 3D picture")


def _capture(stage: Stage, camera: Camera) -> NDArray[np.float64]:
    """(H, W, 3) in [0, 1]: rendered larger and averaged, since the off-screen context does not smooth lines."""
    factor = SUPERSAMPLING
    width, height = camera.size
    large = Camera(camera.camera_from_world, camera.focal_px * factor, (width * factor, height * factor))
    with _window(stage, large, visible=False, scale=factor) as window:
        window.poll_events()
        window.update_renderer()
        image = np.asarray(window.capture_screen_float_buffer(True), dtype=np.float64)
    if image.shape != (height * factor, width * factor, 3):
        raise UserError(
            f"Open3D rendered a picture of shape {image.shape} instead of {(height, width, 3)} times {factor}"
        )
    return image.reshape(height, factor, width, factor, 3).mean(axis=(1, 3))


@contextlib.contextmanager
def _window(stage: Stage, camera: Camera, *, visible: bool, scale: int = 1) -> Iterator[Any]:
    """A window that holds the stage, seen through the camera; destroyed at the end."""
    o3d = _import_open3d()
    window = o3d.visualization.Visualizer()
    with _captured_output() as said:
        opened = window.create_window("bev3d", width=camera.size[0], height=camera.size[1], visible=visible)
    options = window.get_render_option() if opened else None
    if options is None:  # a window that failed still looks like one, but has no options
        raise UserError(f"Open3D cannot open a window or an EGL context here: {_last_line(said.getvalue())}")
    try:
        if visible and "falling back to EGL" in said.getvalue():
            raise UserError(f"the display {os.environ.get('DISPLAY', '')!r} cannot be reached: write a picture instead")
        options.background_color = hex_to_rgb(stage.theme.panel)
        options.line_width = LINE_WIDTH_PX * scale
        options.point_size = stage.point_size * scale
        options.light_on = False
        options.mesh_show_back_face = True
        for geometry in _geometries(o3d, stage):
            window.add_geometry(geometry)
        _aim(o3d, window, camera)
        yield window
    finally:
        window.destroy_window()


def _geometries(o3d: Any, stage: Stage) -> Iterator[Any]:
    vectors, colours = o3d.utility.Vector3dVector, o3d.utility.Vector3dVector
    if len(stage.points):
        cloud = o3d.geometry.PointCloud(vectors(stage.points))
        cloud.colors = colours(stage.point_colours)
        yield cloud
    if len(stage.lines):
        ends = vectors(stage.lines.reshape(-1, 3))
        pairs = o3d.utility.Vector2iVector(np.arange(2 * len(stage.lines)).reshape(-1, 2))
        lines = o3d.geometry.LineSet(ends, pairs)
        lines.colors = colours(stage.line_colours)
        yield lines
    if len(stage.quads):
        count = len(stage.quads)
        halves = np.array([[0, 1, 2], [0, 2, 3]])
        triangles = (4 * np.arange(count)[:, None, None] + halves).reshape(-1, 3)
        mesh = o3d.geometry.TriangleMesh(vectors(stage.quads.reshape(-1, 3)), o3d.utility.Vector3iVector(triangles))
        mesh.vertex_colors = colours(np.repeat(stage.quad_colours, 4, axis=0))
        yield mesh


def _aim(o3d: Any, window: Any, camera: Camera) -> None:
    width, height = camera.size
    parameters = o3d.camera.PinholeCameraParameters()
    parameters.intrinsic = o3d.camera.PinholeCameraIntrinsic(
        width, height, camera.focal_px, camera.focal_px, width / 2 - 0.5, height / 2 - 0.5
    )
    parameters.extrinsic = camera.camera_from_world
    control = window.get_view_control()
    control.convert_from_pinhole_camera_parameters(parameters, True)
    control.set_constant_z_near(0.5)
    control.set_constant_z_far(5000.0)


@contextlib.contextmanager
def _captured_output() -> Iterator[io.StringIO]:
    """What Open3D says through Python and what the graphics libraries write to file descriptor 2, kept for errors."""
    said = io.StringIO()
    sys.stderr.flush()
    saved = os.dup(2)
    with tempfile.TemporaryFile() as errors:
        os.dup2(errors.fileno(), 2)
        try:
            with contextlib.redirect_stdout(said):
                yield said
        finally:
            os.dup2(saved, 2)
            os.close(saved)
            errors.seek(0)
            said.write(errors.read().decode(errors="replace"))


def _last_line(text: str) -> str:
    lines = [line.strip() for line in text.splitlines() if line.strip()]
    return lines[-1] if lines else "it gives no reason"
