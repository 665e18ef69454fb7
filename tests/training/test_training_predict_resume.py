"""A prediction that was stopped goes on where it was, and says what it cannot read."""

from __future__ import annotations

import os
import signal
import subprocess
import sys
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from training_worlds import BlockWorld

from bev3d import ConfigError, DataFormatError, UserError
from bev3d.config import Config
from bev3d.data import Detections, Sample
from bev3d.training import SampleError, StageClock, detect, load_detector, make_views, predict, train
from bev3d.training import _detect as detect_module
from bev3d.training import _predict as module


@pytest.fixture
def checkpoint(small_config: Config, world: BlockWorld, tmp_path: Path) -> Path:
    return train(small_config, ".", tmp_path / "run", dataset=world, max_seconds=0.0).checkpoint


@pytest.fixture
def low(small_config: Config) -> Config:
    """An untrained detector finds something too."""
    return replace(small_config, score_threshold=0.01)


def assert_equal(one: dict[str, Detections], two: dict[str, Detections]) -> None:
    assert list(one) == list(two)
    assert sum(len(found.scores) for found in one.values()) > 10
    for token, found in one.items():
        for name in ("boxes", "scores", "labels"):
            np.testing.assert_array_equal(getattr(found, name), getattr(two[token], name))
        assert found.class_names == two[token].class_names


class Stops(BlockWorld):
    """Cannot be read past a number of samples."""

    def __init__(self, config: Config, samples: int, after: int) -> None:
        super().__init__(config, samples)
        self.after = after

    def __getitem__(self, index: int) -> Sample:
        if index >= self.after:
            raise KeyboardInterrupt
        return super().__getitem__(index)


def test_what_is_finished_is_not_done_again(
    low: Config, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    monkeypatch.setattr(module, "SAMPLES_PER_PART", 4)
    whole = predict(checkpoint, ".", config=low, dataset=BlockWorld(low, 11))
    parts = tmp_path / "parts"
    with pytest.raises(KeyboardInterrupt):
        predict(checkpoint, ".", config=low, dataset=Stops(low, 11, 10), parts=parts)
    assert sorted(file.name for file in parts.glob("*.npz")) == ["part-00000000.npz", "part-00000004.npz"]
    (parts / "part-00000004.npz").write_bytes(b"torn")
    world = BlockWorld(low, 11)
    resumed = predict(checkpoint, ".", config=low, dataset=world, parts=parts)
    assert sorted(world.read) == list(range(4, 11))
    assert "4 of 11 samples are done already" in capsys.readouterr().err
    assert_equal(resumed, whole)
    world = BlockWorld(low, 11)
    assert_equal(predict(checkpoint, ".", config=low, dataset=world, parts=parts), whole)
    assert world.read == []
    monkeypatch.setattr(module, "SAMPLES_PER_PART", 8)  # as another version might
    world = BlockWorld(low, 11)
    assert_equal(predict(checkpoint, ".", config=low, dataset=world, parts=parts), whole)
    assert sorted(world.read) == list(range(8))  # the last part is the same in both


KILLED = """
import os, signal, sys
from dataclasses import replace
from pathlib import Path
sys.path.insert(0, sys.argv[3])
from training_worlds import BlockWorld, make_config
from bev3d.training import _predict as module, predict
module.SAMPLES_PER_PART = 2
config = replace(make_config(), score_threshold=0.01)
class Deadly(BlockWorld):
    def __getitem__(self, index):
        if index == 6:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)
predict(sys.argv[1], ".", config=config, dataset=Deadly(config, 8), parts=Path(sys.argv[2]))
"""


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_killed_and_continued(low: Config, checkpoint: Path, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    parts, here = tmp_path / "parts", str(Path(__file__).parent)
    arguments = [sys.executable, "-c", KILLED, str(checkpoint), str(parts), here]
    done = subprocess.run(arguments, capture_output=True, env=os.environ.copy())
    assert done.returncode == -signal.SIGKILL, done.stderr.decode()
    before = len(list(parts.glob("part-*.npz")))
    assert before < 4
    monkeypatch.setattr(module, "SAMPLES_PER_PART", 2)
    world = BlockWorld(low, 8)
    resumed = predict(checkpoint, ".", config=low, dataset=world, parts=parts)
    assert sorted(world.read) == list(range(2 * before, 8))
    assert_equal(resumed, predict(checkpoint, ".", config=low, dataset=BlockWorld(low, 8)))


def test_parts_of_other_settings_are_refused(low: Config, checkpoint: Path, tmp_path: Path) -> None:
    parts = tmp_path / "parts"
    predict(checkpoint, ".", config=low, dataset=BlockWorld(low, 3), parts=parts)
    predict(checkpoint, ".", config=replace(low, loader_workers=0), dataset=BlockWorld(low, 3), parts=parts)
    with pytest.raises(ConfigError, match="config: '"):
        predict(checkpoint, ".", config=replace(low, nms="none"), dataset=BlockWorld(low, 3), parts=parts)
    with pytest.raises(ConfigError, match="tokens_sha256: '"):
        predict(checkpoint, ".", config=low, dataset=BlockWorld(low, 4), parts=parts)
    train(low, ".", checkpoint.parent, dataset=BlockWorld(low))
    with pytest.raises(ConfigError, match="checkpoint_sha256: '"):
        predict(checkpoint, ".", config=low, dataset=BlockWorld(low, 3), parts=parts)


def test_no_samples_at_all(low: Config, checkpoint: Path, tmp_path: Path) -> None:
    assert predict(checkpoint, ".", config=low, dataset=BlockWorld(low, 0), parts=tmp_path / "parts") == {}


def test_mirror_images_and_processes_change_nothing_but_the_time(low: Config, checkpoint: Path, tmp_path: Path) -> None:
    config = replace(low, double_flip="both")
    clock = StageClock()
    found = predict(checkpoint, ".", config=config, dataset=BlockWorld(low, 5), clock=clock)
    detector, _ = load_detector(checkpoint, config)
    samples = [BlockWorld(low, 5)[i] for i in range(2)]
    views = make_views([sample.points for sample in samples], config)
    by_hand = detect(detector, views, [sample.token for sample in samples], config)
    assert_equal({one.token: one for one in by_hand}, {one.token: found[one.token] for one in by_hand})
    processes = replace(config, loader_workers=1)
    assert_equal(predict(checkpoint, ".", config=processes, dataset=BlockWorld(low, 5)), found)
    assert clock.samples == 5
    assert all(clock.seconds[name] > 0 for name in ("read", "encode", "network", "decode", "suppression"))
    assert sum(clock.seconds.values()) < 2 * clock.elapsed_s
    lines = clock.report().splitlines()
    assert [line.split()[0] for line in lines[1:7]] == list(clock.seconds)
    assert sum(float(line.split()[2].rstrip("%")) for line in lines[1:7]) == pytest.approx(100, abs=0.4)
    assert "samples/s" in lines[8]


class Unreadable(BlockWorld):
    """One sample's file is gone."""

    def __getitem__(self, index: int) -> Sample:
        if index == 2:
            raise DataFormatError("scans/two.bin: no such file")
        return super().__getitem__(index)


def test_an_unreadable_sample_is_named_with_its_file(low: Config, checkpoint: Path, tmp_path: Path) -> None:
    with pytest.raises(SampleError, match=r"sample block-2: .*scans/two\.bin: no such file"):
        train(low, ".", tmp_path / "other", dataset=Unreadable(low))
    with pytest.raises(DataFormatError, match=r"sample block-2: scans/two\.bin: no such file"):
        predict(checkpoint, ".", config=low, dataset=Unreadable(low))


def test_outputs_that_are_no_numbers_name_the_sample(low: Config, checkpoint: Path) -> None:
    world = BlockWorld(low, 4)
    world._samples[3].points[:, 3] = np.float32("inf")
    with pytest.raises(UserError, match=r"samples block-3: expected numbers from the network, got NaN"):
        predict(checkpoint, ".", config=low, dataset=world)


def test_boxes_without_end_are_left_out_and_told(
    low: Config, checkpoint: Path, monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]
) -> None:
    boxes = torch.tensor([[0, 0, 0, 1, 1, 1, 0, 0, 0], [0, 0, 0, torch.inf, 1, 1, 0, 0, 0]])  # exp has overflowed
    found = boxes, torch.tensor([0.5, 0.9]), torch.tensor([0, 1])
    monkeypatch.setattr(detect_module, "decode_outputs", lambda outputs, config: [found, found])
    results = predict(checkpoint, ".", config=low, dataset=BlockWorld(low, 2))
    assert [one.scores.tolist() for one in results.values()] == [[0.5], [0.5]]
    assert "predicting: 2 boxes whose numbers are not finite were left out" in capsys.readouterr().err


@pytest.mark.skipif(torch.cuda.is_available(), reason="needs a machine without a GPU")
def test_a_gpu_that_is_not_there(low: Config, checkpoint: Path) -> None:
    with pytest.raises(UserError, match=r"device: expected cpu or auto, since .*, got cuda"):
        load_detector(checkpoint, replace(low, device="cuda"))
