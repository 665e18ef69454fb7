"""The command: what it writes, that it is the same each time, that the page has the run's numbers, what it refuses."""

from __future__ import annotations

import json
import re
from pathlib import Path
from typing import Any

import pytest
import torch
from matplotlib.text import Annotation, Text

from bev3d.cli import main
from bev3d.lab import all_losses, run_lab
from bev3d.lab._convergence_figure import convergence_figure
from bev3d.lab._field_figure import SHOWN, field_figure
from bev3d.lab._format import joined, percent, small
from bev3d.lab._page import page
from bev3d.lab._starts import KINDS
from bev3d.lab._verdict import verdict

DOCS = Path(__file__).resolve().parents[2] / "docs"
SOME = ("iou", "giou", "gwd", "corner_huber", "smooth_l1")
FILES = ("lab.md", "lab/lab.json", "lab/convergence.png", "lab/gradients.png")


@pytest.fixture(scope="module")
def written(tmp_path_factory: pytest.TempPathFactory) -> Path:
    out = tmp_path_factory.mktemp("lab")
    assert main(["lab", "--out", str(out), "--quick", "--losses", *SOME]) == 0
    return out


@pytest.fixture(scope="module")
def result(written: Path) -> dict[str, Any]:
    return json.loads((written / "lab" / "lab.json").read_text())


@pytest.fixture(scope="module")
def documented() -> dict[str, Any]:
    return json.loads((DOCS / "lab" / "lab.json").read_text())


def test_a_run_writes_page_numbers_and_pictures(written: Path, result: dict[str, Any]) -> None:
    assert sorted(str(path.relative_to(written)) for path in written.rglob("*.*")) == sorted(FILES)
    for name in FILES[2:]:
        assert (written / name).read_bytes().startswith(b"\x89PNG")
    assert result["quick"] is True
    assert result["steps"] == 60
    assert tuple(result["losses"]) == SOME
    assert set(result["losses"]["iou"]["kinds"]) == set(KINDS)


def test_the_same_seed_gives_the_same_files(written: Path, tmp_path: Path) -> None:
    threads = torch.get_num_threads()
    run_lab(tmp_path, quick=True, losses=SOME)
    assert torch.get_num_threads() == threads
    for name in FILES:
        assert (tmp_path / name).read_bytes() == (written / name).read_bytes(), name


def test_another_seed_gives_other_numbers(result: dict[str, Any], tmp_path: Path) -> None:
    other = run_lab(tmp_path, quick=True, losses=("giou",), seed=1)
    assert other["losses"]["giou"]["curve"] != result["losses"]["giou"]["curve"]


def test_the_page_has_the_numbers_of_the_run(written: Path, result: dict[str, Any]) -> None:
    text = (written / "lab.md").read_text()
    assert "A quick run" in text
    row = next(line for line in text.splitlines() if line.startswith("| **GIoU** |"))
    cells = [cell.strip() for cell in row.strip("|").split("|")]
    loss = result["losses"]["giou"]
    assert cells[1:4] == [percent(loss["reached"]), f"{loss['steps']:.0f}", percent(loss["never"])]
    for cell, figures in zip(cells[4:], loss["kinds"].values(), strict=True):
        assert cell.split(" · ")[0] == percent(figures["reached"])
    assert re.findall(r"!\[.*?\]\((.*?)\)", text) == ["lab/convergence.png", "lab/gradients.png"]


def test_what_a_run_must_find(result: dict[str, Any]) -> None:
    losses = result["losses"]
    assert losses["iou"]["kinds"]["apart"]["reached"] == 0
    assert losses["iou"]["kinds"]["apart"]["never"] == 1
    assert losses["iou"]["pulls"]["place"]["weak"] > 0.5
    assert losses["gwd"]["kinds"]["square"]["reached"] < 0.6
    assert losses["gwd"]["kinds"]["wrong yaw"]["reached"] > 0.9
    assert losses["corner_huber"]["reached"] == 1
    assert losses["iou"]["agreement"] == 1
    assert losses["smooth_l1"]["kinds"]["anywhere"]["backwards"] == 0
    best = max(losses["giou"]["by_rate"].values())
    assert losses["giou"]["by_rate"][f"{losses['giou']['rate']:g}"] >= best - 0.02


@pytest.mark.slow
def test_every_loss_in_two_processes_as_in_one(tmp_path: Path) -> None:
    names = tuple(all_losses())
    found = [run_lab(tmp_path / str(workers), quick=True, workers=workers, steps=10) for workers in (1, 2)]
    assert tuple(found[0]["losses"]) == names
    assert found[0] == found[1]


@pytest.mark.parametrize(
    ("arguments", "message"),
    [
        (["--steps", "5"], "steps: expected at least 10, got 5"),
        (["--seed", "-1"], "seed: expected at least 0, got -1"),
        (["--workers", "0"], "workers: expected at least 1, got 0"),
        (["--losses", "iuo"], "losses: expected names among iou, .*got 'iuo'"),
    ],
)
def test_what_it_refuses(
    arguments: list[str], message: str, tmp_path: Path, capsys: pytest.CaptureFixture[str]
) -> None:  # fmt: skip
    assert main(["lab", "--out", str(tmp_path / "new"), "--quick", *arguments]) == 2
    assert re.search("bev3d lab: " + message, capsys.readouterr().err)
    assert not (tmp_path / "new").exists()


def test_a_file_is_no_folder(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    (tmp_path / "file").write_text("kept")
    assert main(["lab", "--out", str(tmp_path / "file"), "--quick"]) == 2
    assert "expected a folder" in capsys.readouterr().err
    assert (tmp_path / "file").read_text() == "kept"


def test_the_page_in_the_docs_is_that_of_its_numbers(documented: dict[str, Any]) -> None:
    assert not documented["quick"]
    assert page(documented) == (DOCS / "lab.md").read_text()
    assert documented["absent"] == []


@pytest.mark.parametrize("draw", [convergence_figure, field_figure])
def test_nothing_is_cropped_and_no_names_overlap(draw: Any, documented: dict[str, Any]) -> None:
    figure = draw(documented["losses"])
    figure.canvas.draw()
    drawn, (width, height) = figure.get_tightbbox(), figure.get_size_inches()
    assert drawn.x0 >= 0.05
    assert drawn.y0 >= 0.05
    assert drawn.x1 <= width - 0.05
    assert drawn.y1 <= height - 0.05
    for axes in figure.axes:
        names = [Text.get_window_extent(text) for text in axes.texts if isinstance(text, Annotation)]
        for i, one in enumerate(names):
            assert not any(one.overlaps(other) for other in names[:i])


def test_the_figures_bear_few_losses(result: dict[str, Any]) -> None:
    one = {"corner_huber": result["losses"]["corner_huber"]}
    assert "corner_huber" not in SHOWN
    for draw in (convergence_figure, field_figure):
        assert any(text.get_text() == "corner Huber" for text in draw(one).findobj(Text))


def test_sentences_say_only_what_the_numbers_bear_out(result: dict[str, Any]) -> None:
    alone = {"losses": {"iou": result["losses"]["iou"]}}
    assert "No loss both brings" in verdict(alone)
    assert "Fastest" not in verdict(alone)
    assert "Boxes that are apart** mostly stay so under IoU:" in verdict(alone)
    assert "square" not in verdict(alone)
    assert "square box** is invisible to GWD:" in verdict({"losses": {"gwd": result["losses"]["gwd"]}})
    good = {**result["losses"]["iou"], "title": "best", "reached": 0.99, "steps": 3.0}
    assert "**Train with best**" in verdict({"losses": {"best": good}})


def test_numbers_as_text() -> None:
    assert [percent(share) for share in (0, 1, 0.5, 0.9996, 0.0001, None)] == [
        "0 %",
        "100 %",
        "50 %",
        "99.9 %",
        "0.1 %",
        "-",
    ]
    assert [small(1e-9), small(0.0123, 100, " %"), small(None)] == ["< 0.001", "1.2 %", "-"]
    assert [joined(["a", "b", "c"]), joined(["a"]), joined([])] == ["a, b and c", "a", ""]
