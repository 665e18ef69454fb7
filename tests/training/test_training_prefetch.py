"""Values made ahead: in order, the same by thread and by processes, and an error instead of a wait without end."""

from __future__ import annotations

import multiprocessing
import os
import pickle
import signal
import time
from dataclasses import replace
from pathlib import Path
from typing import Any

import numpy as np
import pytest
import torch
from torch import Tensor
from training_worlds import BlockWorld, make_config

from bev3d import UserError
from bev3d.config import Config
from bev3d.data import Sample
from bev3d.training import StageClock, train
from bev3d.training._batches import TrainingBatches, prepare_samples
from bev3d.training._checkpoint import load_checkpoint
from bev3d.training._pack import pack, unpack
from bev3d.training._prefetch import prefetch
from bev3d.training._sampler import Sampler


def tensors_of(value: Any) -> list[Tensor]:
    """Every tensor, in the order in which pickling meets them."""
    found: list[Tensor] = []

    class Finder(pickle.Pickler):
        def persistent_id(self, obj: Any) -> Any:
            if isinstance(obj, Tensor):
                found.append(obj)
                return len(found)
            return None

    with open(os.devnull, "wb") as nowhere:
        Finder(nowhere).dump(value)
    return found


@pytest.mark.parametrize(
    "tensor",
    [
        torch.arange(24, dtype=torch.float32).view(1, 4, 3, 2).to(memory_format=torch.channels_last),
        torch.arange(24, dtype=torch.float64).view(2, 3, 4).transpose(0, 2),
        torch.arange(10)[::3],
        torch.tensor([True, False]),
        torch.tensor(3, dtype=torch.int16),
        torch.zeros(0, 5),
        torch.zeros(3, 1, 2)[:, :, :1],
        torch.ones(2, 1).expand(2, 3),
        torch.arange(6, dtype=torch.bfloat16).view(2, 3),
    ],
    ids=lambda tensor: f"{tuple(tensor.shape)}-{tensor.stride()}",
)
def test_packed_tensors_come_back(tensor: Tensor) -> None:
    value = {"a": [tensor, "text", 3], "b": (tensor.clone(), None)}
    again = unpack(pack(value))
    assert again["a"][1:] == ["text", 3]
    for one in (again["a"][0], again["b"][0]):
        assert one.dtype == tensor.dtype
        assert one.shape == tensor.shape
        assert torch.equal(one, tensor)
    if tensor.numel() and tensor.is_contiguous(
        memory_format=torch.channels_last if tensor.ndim == 4 else torch.contiguous_format
    ):
        assert again["a"][0].stride() == tensor.stride()


class Busy:
    """Makes tensors out of numbers, or does as the number says."""

    def __call__(self, key: int) -> dict[str, Tensor]:
        if key == 90:
            raise UserError("sample 90: nothing there")
        if key == 91:
            os.kill(os.getpid(), signal.SIGKILL)
        if key == 4 and multiprocessing.parent_process() is not None:
            os.kill(os.getpid(), signal.SIGINT)  # as Ctrl-C does, which is the parent's to answer
        time.sleep(0.02 * (key % 3))
        return {"value": torch.full((3, 2), float(key)), "threads": torch.tensor(torch.get_num_threads())}


def describe(key: int) -> str:
    return f"number {key}"


@pytest.mark.parametrize("workers", [0, 2])
def test_order_is_that_of_the_keys_and_an_error_comes_where_its_value_would_have(workers: int) -> None:
    values = prefetch(Busy(), [*range(10), 90, 3], workers=workers)
    assert [float(next(values)["value"][0, 0]) for _ in range(10)] == list(range(10))
    with pytest.raises(UserError, match="sample 90: nothing there"):
        next(values)
    assert list(prefetch(Busy(), [], workers=workers)) == []


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_process_that_dies_names_what_was_in_work() -> None:
    start = time.monotonic()
    values = prefetch(Busy(), [1, 91, 2, 3, 4, 5], workers=1, describe=describe)
    with pytest.raises(UserError, match=r"loader_workers: a process died while .* samples: .*number 91") as caught:
        list(values)
    assert "number 5" not in str(caught.value)
    assert time.monotonic() - start < 60


@pytest.mark.parametrize("workers", [0, 1])
def test_who_stops_asking_waits_for_nothing(workers: int) -> None:
    values = prefetch(Busy(), range(10**6), workers=workers)
    next(values)
    start = time.monotonic()
    values.close()
    assert time.monotonic() - start < 20


def test_waiting_is_counted() -> None:
    clock = StageClock()
    start = time.perf_counter()
    list(prefetch(Busy(), [2, 2, 2], clock=clock))  # 0.04 s each, by a thread; nobody does anything else
    assert 0.1 <= clock.waited_s <= time.perf_counter() - start


def rich_config() -> Config:
    """Everything that draws random numbers."""
    return replace(
        make_config(),
        translate_std_m=(0.2, 0.2, 0.1),
        point_drop=0.1,
        object_point_drop=0.2,
        shuffle_points=True,
        class_balanced=True,
        paste_counts=(3,),
        paste_min_points=(2,),
        paste_fade=0.5,
    )


@pytest.mark.slow
def test_batches_are_the_same_for_any_number_of_workers(tmp_path: Path) -> None:
    config = replace(rich_config(), paste_database=str(tmp_path / "objects"))
    dataset, paste = prepare_samples(BlockWorld(config), config)
    batches = TrainingBatches(dataset, Sampler(len(dataset), 3), config, paste)
    expected = [tensors_of(batches(step)) for step in range(6)]
    assert len(expected[0]) > 5
    assert not torch.equal(expected[0][0], expected[1][0])
    for workers in (0, 2):
        got = [tensors_of(batch) for batch in prefetch(batches, range(6), workers=workers)]
        for one, two in zip(expected, got, strict=True):
            assert len(one) == len(two)
            for first, second in zip(one, two, strict=True):
                assert first.stride() == second.stride()
                np.testing.assert_array_equal(first.numpy(), second.numpy())


@pytest.mark.slow
def test_a_run_with_processes_ends_with_the_same_weights(tmp_path: Path) -> None:
    states = []
    for workers in (0, 2):
        config = replace(rich_config(), loader_workers=workers, paste_database=str(tmp_path / f"objects-{workers}"))
        result = train(config, ".", tmp_path / f"run-{workers}", dataset=BlockWorld(config))
        states.append(load_checkpoint(result.checkpoint).state["model"])
    for name, values in states[0].items():
        assert torch.equal(values, states[1][name]), name


class Deadly(BlockWorld):
    """Its fourth sample kills who reads it, as one that fills the memory would."""

    def __getitem__(self, index: int) -> Sample:
        if index == 3:
            os.kill(os.getpid(), signal.SIGKILL)
        return super().__getitem__(index)


@pytest.mark.skipif(not hasattr(signal, "SIGKILL"), reason="needs SIGKILL")
def test_a_dead_worker_ends_the_run_with_an_error_that_names_the_sample(tmp_path: Path) -> None:
    config = replace(make_config(), loader_workers=1, batch_size=1)
    with pytest.raises(UserError, match=r"loader_workers: a process died .*block-3"):
        train(config, ".", tmp_path, dataset=Deadly(config))
