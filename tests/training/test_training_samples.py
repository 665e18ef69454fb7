"""What a run draws: balanced classes, pasted objects that fade, frames without points or objects, absent classes."""

from __future__ import annotations

import math
import multiprocessing
from collections import Counter
from dataclasses import replace
from pathlib import Path

import numpy as np
import pytest
import torch
from training_worlds import BlockWorld, make_sample

from bev3d import ConfigError, UserError
from bev3d.augment import AugmentSettings, PasteDatabase, published_augmentation, settings_from_config
from bev3d.config import Config, load_config
from bev3d.data import Sample, open_dataset
from bev3d.synth import write_kitti
from bev3d.training import database_folder, make_paste, predict, train
from bev3d.training._batches import TrainingBatches, prepare_samples
from bev3d.training._checkpoint import load_checkpoint
from bev3d.training._sampler import RankSampler, Sampler
from bev3d.training._samples import balanced, trainable


class Rare(BlockWorld):
    """Ten samples of cars, one of a pedestrian, two without an object; no truck anywhere."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, 13)
        still = replace(config)
        for i, sample in enumerate(self._samples):
            objects = 0 if i >= 11 else 2
            made = make_sample(sample.token, still, i, objects, 50)
            labels = np.full(objects, 2 if i == 10 else 0, np.int64)
            names = tuple(config.class_names[label] for label in labels)
            self._samples[i] = replace(made, labels=labels, names=names)


@pytest.fixture
def pasting(small_config: Config, tmp_path: Path) -> Config:
    """Three objects of each class in every sample."""
    database = str(tmp_path / "objects")
    return replace(small_config, paste_counts=(3,), paste_min_points=(2,), paste_database=database)


def test_every_class_comes_as_often(small_config: Config) -> None:
    world = Rare(small_config)
    dataset = balanced(world, replace(small_config, class_balanced=True))
    drawn = Counter(dataset.tokens)
    # ten samples hold cars and one a pedestrian: 11 // 2 draws each, absent trucks none
    assert len(dataset) == 10
    assert drawn["block-10"] == 5
    assert sum(count for token, count in drawn.items() if token != "block-10") == 5
    assert not drawn.keys() & {"block-11", "block-12"}
    assert [dataset[i].token for i in range(10)] == list(dataset.tokens)
    assert [dataset.annotations(i).token for i in range(10)] == list(dataset.tokens)
    assert dataset.class_names == world.class_names
    again = balanced(Rare(small_config), replace(small_config, class_balanced=True))
    assert list(again.tokens) == list(dataset.tokens)
    other = balanced(Rare(small_config), replace(small_config, class_balanced=True, seed=1))
    assert list(other.tokens) != list(dataset.tokens)
    assert balanced(world, small_config) is world


def test_objects_that_are_not_trained_on_do_not_count(small_config: Config) -> None:
    world = Rare(small_config)
    world._samples[10] = replace(world._samples[10], num_points=np.zeros(2, np.int64))
    assert not trainable(world._samples[10], small_config).any()
    dataset = balanced(world, replace(small_config, class_balanced=True))
    assert sorted(dataset.tokens) == sorted(world.tokens[:10])


def test_nothing_to_balance(small_config: Config) -> None:
    config = replace(small_config, class_balanced=True)
    with pytest.raises(UserError, match="class_balanced: expected objects in the 4 training samples, found none"):
        balanced(BlockWorld(config, 4, objects=0), config)


def test_a_balanced_and_pasting_run_resumes_bit_for_bit(pasting: Config, tmp_path: Path) -> None:
    config = replace(pasting, epochs=1.0, class_balanced=True, paste_fade=0.3, shuffle_points=True, point_drop=0.1)
    whole = train(config, ".", tmp_path / "whole", dataset=Rare(config))
    assert whole.total_steps == 5  # ten draws
    while train(config, ".", tmp_path / "parts", dataset=Rare(config), max_seconds=0.0).steps < 5:
        pass
    one, two = (load_checkpoint(tmp_path / name / "checkpoint.pt").state["model"] for name in ("whole", "parts"))
    assert all(torch.equal(one[name], two[name]) for name in one)
    with pytest.raises(UserError, match=r"paste_fade: checkpoint 0\.3, now 0\.0"):
        train(replace(config, paste_fade=0.0), ".", tmp_path / "whole", dataset=Rare(config))


def test_pasting_fills_up_and_fades(pasting: Config) -> None:
    world = BlockWorld(pasting, 8, objects=1)
    config = replace(pasting, paste_fade=0.25, flip=False, rotate_rad=0.0, scale_range=0.0, batch_size=1)
    dataset, paste = prepare_samples(world, config)
    batches = TrainingBatches(dataset, Sampler(8, 0), config, paste)
    counts = [sum(int(task.mask.sum()) for task in batches(step).targets.tasks) for step in range(16)]
    assert all(count > 1 for count in counts[:12])
    assert counts[12:] == [1, 1, 1, 1]
    never = TrainingBatches(dataset, Sampler(8, 0), replace(config, paste_fade=1.0), paste)
    assert sum(int(task.mask.sum()) for task in never(0).targets.tasks) == 1


@pytest.mark.parametrize("fade", [0.0, 0.4, 1.0])
def test_two_processes_fade_as_one_with_twice_the_batch(pasting: Config, fade: float) -> None:
    config = replace(pasting, paste_fade=fade, batch_size=2)
    dataset, paste = prepare_samples(BlockWorld(config, 9, objects=1), config)
    steps = 9
    whole = TrainingBatches(dataset, Sampler(9, 0), config, paste, draws=2 * steps)
    alone = replace(config, batch_size=1)
    samplers = [RankSampler(Sampler(9, 0), rank=rank, ranks=2, batch_size=1) for rank in (0, 1)]
    ranks = [TrainingBatches(dataset, sampler, alone, paste, draws=steps) for sampler in samplers]
    pasted = []
    for step in range(steps):
        together, parts = whole(step), [rank(step) for rank in ranks]
        assert together.tokens == parts[0].tokens + parts[1].tokens
        counts = [sum(task.mask.sum(1) for task in batch.targets.tasks).tolist() for batch in (together, *parts)]
        assert counts[0] == counts[1] + counts[2]
        pasted.append(max(counts[0]) > 1)
    assert pasted == [step < (1 - fade) * steps for step in range(steps)]


def test_boxes_that_are_not_trained_on_keep_objects_away(pasting: Config) -> None:
    world = BlockWorld(pasting, 8, objects=1)
    blocked = world._samples[0]
    # a wall over the whole field, of no class
    wall = np.array([[0.0, 0.0, 0.0, 50.0, 50.0, 5.0, 0.0, 0.0, 0.0]])
    world._samples[0] = replace(
        blocked,
        boxes=np.concatenate([blocked.boxes, wall]),
        labels=np.append(blocked.labels, -1),
        num_points=np.append(blocked.num_points, 5),
        names=(*blocked.names, "wall"),
    )
    config = replace(pasting, batch_size=1)
    dataset, paste = prepare_samples(world, config)
    batches = TrainingBatches(dataset, Sampler(8, 0), config, paste)
    for step in range(8):
        batch = batches(step)
        count = sum(int(task.mask.sum()) for task in batch.targets.tasks)
        assert (count == 1) == (batch.tokens == ("block-0",))


def test_a_database_of_other_samples_is_refused(pasting: Config, capsys: pytest.CaptureFixture[str]) -> None:
    assert make_paste(BlockWorld(pasting, 4), replace(pasting, paste_counts=())) is None
    assert make_paste(BlockWorld(pasting, 4), replace(pasting, paste_counts=(0, 0, 0))) is None
    assert not Path(pasting.paste_database).exists()
    paste = make_paste(BlockWorld(pasting, 4), pasting)
    assert paste is not None
    told = capsys.readouterr().err
    members = dict(zip(pasting.class_names, map(len, paste.database.members), strict=True))
    assert sum(members.values()) == 8
    assert all(f"{name} {count} of {count}" in told for name, count in members.items())
    with pytest.raises(ConfigError, match="samples: 4 there, 5 now"):
        make_paste(BlockWorld(pasting, 5), pasting)
    with pytest.raises(ConfigError, match="paste_database: expected a folder, since the samples do not come from one"):
        make_paste(BlockWorld(pasting, 4), replace(pasting, paste_database=""))


def test_without_a_folder_the_cache_holds_the_training_split_alone(
    tmp_path: Path, monkeypatch: pytest.MonkeyPatch
) -> None:
    monkeypatch.setenv("BEV3D_CACHE_DIR", str(tmp_path / "cache"))
    data = tmp_path / "data"
    write_kitti(data, train_frames=3, val_frames=2)
    config = replace(load_config("kitti_3class"), paste_counts=(2,), paste_difficulties=(0, 1, 2))
    dataset = open_dataset(config, data, config.train_split)
    folder = database_folder(dataset, config)
    assert folder.parent == tmp_path / "cache" / "paste"
    paste = make_paste(dataset, config)
    assert paste is not None
    assert set(PasteDatabase(folder, min_points=1).tokens) <= set(dataset.tokens)
    assert set(paste.database.difficulty.tolist()) <= {0, 1, 2}
    built = (folder / "index.json").stat().st_mtime_ns
    make_paste(open_dataset(config, data, config.train_split), config)
    assert (folder / "index.json").stat().st_mtime_ns == built
    assert database_folder(open_dataset(config, data, config.val_split), config) != folder
    label = next(data.glob(f"training/label_2/{dataset.tokens[0]}.txt"))
    label.write_text("")  # other content under the same names
    assert database_folder(open_dataset(config, data, config.train_split), config) != folder


def build(folder: str) -> None:
    from training_worlds import make_config

    config = replace(make_config(), paste_counts=(3,), paste_database=folder)
    make_paste(BlockWorld(config, 40), config)


@pytest.mark.slow
def test_several_processes_may_ask_for_it_at_once(tmp_path: Path) -> None:
    pytest.importorskip("fcntl", reason="needs locks of files")
    folder = tmp_path / "objects"
    context = multiprocessing.get_context("spawn")
    processes = [context.Process(target=build, args=(str(folder),)) for _ in range(2)]
    for process in processes:
        process.start()
    for process in processes:
        process.join()
    assert [process.exitcode for process in processes] == [0, 0]
    assert len(PasteDatabase(folder, min_points=1)) == 80
    assert sorted(file.name for file in folder.iterdir()) == ["index.json", "job.json", "points.npy"]


PUBLISHED = {
    "nuscenes_voxel_0p075": (math.pi / 4, (0.5, 0.5, 0.5), {"car": 2, "construction_vehicle": 7, "bicycle": 6}, True),
    "nuscenes_voxel_0p1": (0.3925, (0.0, 0.0, 0.0), {"truck": 3, "trailer": 6, "traffic_cone": 2}, True),
    "nuscenes_pillar_0p2": (0.3925, (0.0, 0.0, 0.0), {"bus": 4, "barrier": 2, "pedestrian": 2}, True),
    "kitti_second": (math.pi / 4, (0.0, 0.0, 0.0), {"Car": 20, "Pedestrian": 15, "Cyclist": 15}, True),
    "kitti_pointpillars": (math.pi / 4, (0.0, 0.0, 0.0), {"Car": 15, "Pedestrian": 15, "Cyclist": 15}, False),
}


@pytest.mark.parametrize("preset", PUBLISHED)
def test_full_size_presets_augment_as_published(preset: str) -> None:
    config = load_config(preset)
    assert replace(config, **published_augmentation(config)) == config
    turn, shift, counts, fill_up = PUBLISHED[preset]
    assert settings_from_config(config) == AugmentSettings(
        flip_axes=("y",) if config.dataset == "kitti" else ("x", "y"),
        rotate_rad=turn,
        scale_range=0.05,
        translate_std_m=shift,
        shuffle=True,
    )
    pasted = dict(zip(config.class_names, config.paste_counts, strict=True))
    assert counts.items() <= pasted.items()
    assert (config.paste_fill_up, config.paste_min_points) == (fill_up, (5,))


def test_classes_that_a_publication_does_not_have_are_not_pasted() -> None:
    config = replace(load_config("kitti_3class"), tasks=(("Car", "Van"),), peak_window=(3,))
    assert published_augmentation(config)["paste_counts"] == (15, 0)


class Hollow(BlockWorld):
    """Samples without points, without objects, without either, and whole ones; no truck anywhere."""

    def __init__(self, config: Config) -> None:
        super().__init__(config, 8)
        for i, sample in enumerate(self._samples):
            objects = 0 if i in (1, 2) else 2
            made = make_sample(sample.token, config, i, objects, 50)
            points = made.points[: 0 if i in (0, 2) else None]
            self._samples[i] = replace(made, points=points, labels=made.labels // 2 * 2)


@pytest.mark.parametrize("balance", [False, True])
def test_hollow_samples_train_and_predict(pasting: Config, tmp_path: Path, balance: bool) -> None:
    config = replace(
        pasting,
        class_balanced=balance,
        point_drop=0.2,
        object_point_drop=0.2,
        shuffle_points=True,
        score_threshold=0.01,
    )
    world = Hollow(config)
    assert not any(1 in sample.labels for sample in world._samples)
    result = train(config, ".", tmp_path / "run", dataset=world)
    assert result.steps == result.total_steps
    assert all(np.isfinite(value) for value in result.losses.values())
    for double_flip in ("none", "both"):
        found = predict(result.checkpoint, ".", config=replace(config, double_flip=double_flip), dataset=world)
        assert list(found) == list(world.tokens)


def test_a_sample_stays_as_it_was_read(pasting: Config) -> None:
    config = replace(pasting, point_drop=0.3, object_point_drop=0.3, shuffle_points=True, translate_std_m=(1, 1, 1))
    world = BlockWorld(config, 2)
    dataset, paste = prepare_samples(world, config)

    def content(sample: Sample) -> bytes:
        return sample.points.tobytes() + sample.boxes.tobytes() + sample.labels.tobytes()

    before = [content(sample) for sample in world._samples]
    TrainingBatches(dataset, Sampler(2, 0), config, paste)(0)
    assert [content(sample) for sample in world._samples] == before
