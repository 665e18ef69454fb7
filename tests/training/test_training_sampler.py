"""The order of the samples as a function of seed and position."""

from __future__ import annotations

import pytest

from bev3d.training._sampler import Sampler


def test_every_pass_holds_every_sample_once_in_a_new_order() -> None:
    sampler = Sampler(50, seed=3)
    passes = [[sampler.index(epoch * 50 + i) for i in range(50)] for epoch in range(3)]
    assert all(sorted(order) == list(range(50)) for order in passes)
    assert passes[0] != passes[1] != passes[2] != passes[0]


def test_position_alone_decides() -> None:
    forward, jump = Sampler(7, seed=1), Sampler(7, seed=1)
    drawn = [forward.index(i) for i in range(40)]
    assert [jump.index(i) for i in reversed(range(40))] == drawn[::-1]
    assert jump.random(5).random() == forward.random(5).random() != forward.random(6).random()


def test_seeds_differ() -> None:
    orders = {tuple(Sampler(20, seed).index(i) for i in range(20)) for seed in range(5)}
    assert len(orders) == 5


@pytest.mark.parametrize(
    ("length", "epochs", "batch", "steps"),
    [(10, 1.0, 2, 5), (11, 1.0, 2, 6), (10, 0.25, 2, 2), (3, 0.01, 8, 1), (10, 0.3, 1, 3)],
)
def test_steps_round_up(length: int, epochs: float, batch: int, steps: int) -> None:
    assert Sampler(length, 0).steps(epochs, batch) == steps


def test_an_empty_data_set_is_refused() -> None:
    with pytest.raises(ValueError, match="at least 1 sample"):
        Sampler(0, 0)
