import base64
import html
import json
import re
import shutil
import subprocess
import zlib
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from viz_scenes import BOXES, CELL_M, RANGE_M, answers, empty, street, targets_of

from bev3d.data import Sample
from bev3d.viz import heatmap_layer, write_html

FOLDER = Path(__file__).resolve().parents[2] / "bev3d" / "viz"


def data_of(path: Path) -> dict[str, Any]:
    found = re.search(r'<script id="data" type="application/json">(.*?)</script>', path.read_text(), re.DOTALL)
    assert found is not None
    data: dict[str, Any] = json.loads(found[1])
    return data


def unpack(points: dict[str, Any]) -> tuple[np.ndarray, np.ndarray]:
    """(P, 3) places and (P, 2) intensity and relative time lag, as the page reads them."""
    planes = np.frombuffer(zlib.decompress(base64.b64decode(points["data"])), np.uint8).reshape(8, -1).astype(int)
    grid = (planes[0:6:2] + 256 * planes[1:6:2]).T
    return np.array(points["origin"]) + grid * np.array(points["step"]), planes[6:].T / 255


def wide_scan(count: int) -> Sample:
    """Points over ±60 m, not aligned with anything."""
    random = np.random.default_rng(1)
    points = np.zeros((count, 5), np.float32)
    points[:, :3] = random.uniform((-60, -60, -4), (60, 60, 12), (count, 3))
    points[:, 3] = random.uniform(0, 1, count)
    base = street()
    return Sample("wide", points, base.boxes, base.labels, base.names, base.num_points, base.class_names)


def test_points_come_back_within_a_centimetre(tmp_path: Path) -> None:
    sample = wide_scan(2000)
    xyz, extra = unpack(data_of(write_html(sample, tmp_path / "p.html"))["frames"][0]["points"])
    assert len(xyz) == 2000
    # the page orders points by place: match each by the nearest
    distance = np.linalg.norm(xyz[:, None, :2] - sample.points[None, :, :2], axis=-1)
    nearest = distance.argmin(axis=1)
    assert len(set(nearest.tolist())) == 2000
    assert np.abs(xyz - sample.points[nearest, :3]).max() < 0.01
    assert np.abs(extra[:, 0] - sample.points[nearest, 3]).max() < 1 / 255


def test_the_page_asks_nothing_of_the_network_and_is_small(tmp_path: Path) -> None:
    path = write_html(wide_scan(130_000), tmp_path / "p.html", detections=answers())
    text = path.read_text()
    assert not re.search(r"https?://|//cdn|<link|\bsrc=|@import|url\(|fetch\(|XMLHttpRequest|WebSocket", text)
    assert "default-src 'none'" in text
    # points at random places are the worst case for deflate; a real scan of this size takes two thirds of it
    assert path.stat().st_size < 1.2e6


def test_boxes_scores_offsets_and_heatmap_travel(tmp_path: Path) -> None:
    path = write_html(
        street(), tmp_path / "p.html", detections=answers(), targets=targets_of(street()), range_m=RANGE_M
    )
    data = data_of(path)
    frame = data["frames"][0]
    np.testing.assert_allclose([row["box"] for row in frame["truth"]], BOXES[:, :7], atol=5.1e-4)
    assert [row["name"] for row in frame["truth"]] == ["car", "pedestrian", "bicycle", "other"]
    assert [row.get("velocity") for row in frame["truth"]] == [[5.0, 3.0], None, [0.0, 0.0], None]
    assert [row.get("points") for row in frame["truth"]] == [40, 7, 9, None]
    assert [row["score"] for row in frame["found"]] == [0.9, 0.5, 0.1]
    heat = frame["heat"]
    values = np.frombuffer(zlib.decompress(base64.b64decode(heat["data"])), np.uint8)
    values = values.reshape(heat["rows"], heat["columns"])
    column, row = np.floor((BOXES[0, :2] - RANGE_M[:2]) / CELL_M).astype(int)
    assert values[row, column] == 255
    np.testing.assert_allclose(np.array(heat["offsets"])[:, 2:], BOXES[:3, :2], atol=6e-4)
    assert set(data["colours"]) == {"car", "pedestrian", "bicycle", "other"}


def test_several_samples_with_what_belongs_to_each(tmp_path: Path) -> None:
    layer = heatmap_layer(targets=targets_of(street()), range_m=RANGE_M)
    path = write_html(
        [street(), empty()], tmp_path / "p.html", detections={"street": answers()}, heatmap={"street": layer}
    )
    first, second = data_of(path)["frames"]
    assert (len(first["found"]), len(second["found"])) == (3, 0)
    assert first["heat"] is not None
    assert second["heat"] is None
    assert second["points"]["count"] == 0


def test_thinning_keeps_every_nth_point(tmp_path: Path) -> None:
    points = data_of(write_html(street(3000), tmp_path / "p.html", max_points=1000))["frames"][0]["points"]
    assert (points["count"], points["total"]) == (1000, 3000)


def test_texts_cannot_break_out_of_the_page(tmp_path: Path) -> None:
    token = "</script><script>alert(1)</script>"
    base = street()
    sample = Sample(token, base.points, base.boxes, base.labels, base.names, base.num_points, base.class_names)
    text = write_html(sample, tmp_path / "p.html").read_text()
    assert token not in text
    assert html.escape(token) in text
    assert data_of(tmp_path / "p.html")["frames"][0]["token"] == token


def test_bad_arguments_write_nothing(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="samples: expected at least one sample"):
        write_html([], tmp_path / "p.html")
    with pytest.raises(ValueError, match="max_points: expected a number > 0, got 0"):
        write_html(street(), tmp_path / "p.html", max_points=0)
    with pytest.raises(ValueError):
        write_html(street(), tmp_path / "p.html", score_threshold=float("nan"))
    assert list(tmp_path.iterdir()) == []


def test_every_id_that_the_script_uses_exists() -> None:
    page = (FOLDER / "_viewer.html").read_text()
    script = (FOLDER / "_viewer.js").read_text()
    used = set(re.findall(r'\$\("([\w-]+)"\)', script)) | {
        f"show-{name}" for name in ("points", "truth", "found", "heat")
    }
    assert used <= set(re.findall(r'id="([\w-]+)"', page))


node = pytest.mark.skipif(shutil.which("node") is None, reason="needs node")


@node
@pytest.mark.parametrize("name", ["_viewer_math.js", "_viewer_gl.js", "_viewer.js"])
def test_scripts_parse(name: str) -> None:
    done = subprocess.run(["node", "--check", str(FOLDER / name)], capture_output=True, text=True, timeout=60)
    assert done.returncode == 0, done.stderr


@node
def test_the_pages_arithmetic_agrees_with_ours(tmp_path: Path) -> None:
    """Unpacked points, corners of boxes and projection, computed by the page's own functions."""
    points = data_of(write_html(street(500), tmp_path / "p.html"))["frames"][0]["points"]
    expected, _ = unpack(points)
    job = """
    const points = JSON.parse(process.argv[1]), box = JSON.parse(process.argv[2]);
    inflate(points.data).then((planes) => {
      const bytes = interleave(planes, points.count), view = new DataView(bytes.buffer), xyz = [];
      const at = (i, a) => points.origin[a] + points.step[a] * view.getUint16(i * 8 + 2 * a, true);
      for (let i = 0; i < points.count; i++) xyz.push([0, 1, 2].map((a) => at(i, a)));
      const camera = { target: [1, 2, 0], yaw: 0.3, pitch: 0.4, distance: 20 };
      const matrix = multiply(perspective(0.75, 1.5, 0.3, 3000), viewMatrix(camera));
      const lines = [];
      pushBox(lines, { box, velocity: [3, 0] }, [1, 0, 0], 0, 1);
      console.log(JSON.stringify({ xyz, corners: boxCorners(box), middle: project(matrix, camera.target, 600, 400),
        above: project(matrix, [1, 2, 1], 600, 400), floats: lines.length / LINE_FLOATS }));
    });
    """
    script = (FOLDER / "_viewer_math.js").read_text() + job
    arguments = ["node", "-e", script, json.dumps(points), json.dumps(BOXES[0, :7].tolist())]
    done = subprocess.run(arguments, capture_output=True, text=True, timeout=60, check=True)
    answer = json.loads(done.stdout)
    np.testing.assert_allclose(answer["xyz"], expected, atol=1e-9)
    from bev3d.boxes import corners_3d

    np.testing.assert_allclose(answer["corners"], corners_3d(BOXES)[0], atol=1e-12)
    np.testing.assert_allclose(answer["middle"], [300, 200], atol=1e-3)
    assert answer["above"][1] < 199
    assert answer["floats"] == 14  # twelve edges, a heading, a motion


CHROMIUM = shutil.which("chromium") or shutil.which("chromium-browser") or shutil.which("google-chrome")


@pytest.mark.slow
@pytest.mark.skipif(CHROMIUM is None, reason="needs chromium")
def test_a_browser_shows_it(tmp_path: Path) -> None:
    """The page starts, compiles its shaders, draws, and reports no error."""
    page = write_html(
        [street(), empty()], tmp_path / "p.html", detections={"street": answers()},
        targets={"street": targets_of(street())}, range_m=RANGE_M,
    )  # fmt: skip
    flags = ["--headless", "--no-sandbox", "--use-gl=angle", "--use-angle=swiftshader", "--enable-unsafe-swiftshader",
             "--disable-background-networking", "--disable-component-update", "--disable-sync", "--no-first-run",
             f"--user-data-dir={tmp_path / 'profile'}", "--virtual-time-budget=8000", "--dump-dom"]  # fmt: skip
    done = subprocess.run([str(CHROMIUM), *flags, page.as_uri()], capture_output=True, text=True, timeout=120)
    assert 'data-ready="yes"' in done.stdout
    assert re.search(r'<p id="error" hidden="">\s*</p>', done.stdout)
    assert "3,000 points" in done.stdout
