"""The form of fixed shape: in the order of the boxes, in one graph, with the kernels of CUDA run on the host."""

from __future__ import annotations

from typing import Literal

import numpy as np
import pytest
import torch
from nms_worlds import clusters
from oracles import adversarial
from oracles.host_kernels import host_launch

from bev3d.nms import batched_nms, nms_mask
from bev3d_ops.cuda import _nms as cuda
from bev3d_ops.registered import _nms as registered

Kind = Literal["bev", "circle", "diou"]

THRESHOLDS = {"bev": 0.1, "circle": 0.5, "diou": 0.3}


def tensors(seed: int, n: int = 600) -> tuple[torch.Tensor, torch.Tensor, torch.Tensor]:
    boxes, scores, labels = (torch.from_numpy(value) for value in clusters(seed, n))
    return boxes, scores, labels


@pytest.mark.parametrize("kind", THRESHOLDS)
def test_says_of_each_box_what_batched_nms_keeps(kind: Kind, device: torch.device) -> None:
    boxes, scores, labels = (value.to(device) for value in tensors(30))
    kept = batched_nms(boxes, scores, labels, THRESHOLDS[kind], kind)
    mask = nms_mask(boxes, scores, THRESHOLDS[kind], groups=labels, kind=kind)
    assert mask.dtype is torch.bool
    assert mask.device == boxes.device
    assert mask.nonzero()[:, 0].tolist() == sorted(kept.tolist())


@pytest.mark.parametrize("dynamic", [False, True])
def test_compiles_into_one_graph(dynamic: bool) -> None:
    boxes, scores, labels = tensors(31)

    def best(boxes: torch.Tensor, scores: torch.Tensor, labels: torch.Tensor) -> torch.Tensor:
        return scores * nms_mask(boxes, scores, 0.2, groups=labels)

    compiled = torch.compile(best, fullgraph=True, backend="aot_eager", dynamic=dynamic)
    for n in (600, 500):
        arguments = boxes[:n], scores[:n].clone().requires_grad_(), labels[:n]
        result = compiled(*arguments)
        assert torch.equal(result, best(*arguments))
        (grad,) = torch.autograd.grad(result.sum(), arguments[1])
        assert torch.equal(grad, nms_mask(boxes[:n], scores[:n], 0.2, groups=labels[:n]).double())


def test_wrong_arguments_are_named() -> None:
    boxes, scores, labels = tensors(32)
    with pytest.raises(TypeError, match="boxes: expected a torch tensor, got ndarray"):
        nms_mask(boxes.numpy(), scores.numpy(), 0.2)  # type: ignore[arg-type]
    with pytest.raises(ValueError, match=r"groups: expected shape \(600,\) as boxes, got \(599,\)"):
        nms_mask(boxes, scores, 0.2, groups=labels[1:])
    with pytest.raises(ValueError, match="scores: expected the device of boxes"):
        nms_mask(boxes, scores.to("meta"), 0.2)
    with pytest.raises(ValueError, match="threshold"):
        nms_mask(boxes, scores, 1.1)


@pytest.mark.parametrize("name", ["nms_mask", "nms_kept", "nms_owner"])
def test_the_operations_read_nothing_beyond_the_end(name: str) -> None:
    op = getattr(torch.ops.bev3d, name)
    boxes, scores, groups = torch.zeros(3, 7), torch.zeros(3), torch.zeros(3, dtype=torch.int64)
    for arguments, named in (
        ((boxes[:, :6], scores, groups, 0.5, 0), r"boxes: .*got \(3, 6\) torch.float32"),
        ((boxes.int(), scores, groups, 0.5, 0), r"boxes: .*got \(3, 7\) torch.int32"),
        ((boxes, scores[:2], groups, 0.5, 0), r"scores: expected \(3,\) .*got \(2,\)"),
        ((boxes, scores, groups[:2], 0.5, 0), r"groups: expected \(3,\) .*got \(2,\)"),
        ((boxes, scores, groups.int(), 0.5, 0), r"groups: expected \(3,\) torch.int64 .*got \(3,\) torch.int32"),
        ((boxes, scores, groups, 0.5, 3), "kind: expected one of 0, 1, 2, got 3"),
        ((boxes[:1].expand(2**31, 7), scores[:1].expand(2**31), None, 0.5, 0), "boxes: expected at most 2147483647"),
    ):
        with pytest.raises(ValueError, match=named):
            op(*arguments)


@pytest.mark.parametrize("chunk", [64, 192, 4096])
@pytest.mark.parametrize("kind", [registered.BEV, registered.CIRCLE, registered.DIOU])
def test_the_cuda_kernels_keep_the_same_in_chunks_of_any_size(chunk: int, kind: int) -> None:
    boxes, scores, labels = tensors(33, n=1_000)
    for groups in (None, labels):
        arguments = boxes, scores, groups, (0.2, 0.7, 0.2)[kind], kind
        for name in ("nms_mask", "nms_kept", "nms_owner"):
            ours = getattr(cuda, name)(host_launch, *arguments, chunk=chunk)
            expected = getattr(registered, name)(*arguments)
            torch.testing.assert_close(ours, expected, rtol=0, atol=0)


@pytest.mark.parametrize("name", adversarial.SETS)
@pytest.mark.parametrize("dtype", ["float32", "float64"])
def test_the_cuda_kernels_keep_the_same_of_adversarial_pairs(name: str, dtype: str) -> None:
    a, b = adversarial.pairs(name, dtype)
    boxes = torch.from_numpy(np.concatenate([a[:150], b[:150]]))
    scores = torch.rand(300, generator=torch.Generator().manual_seed(3))
    for threshold in (0.03, 0.4, 0.93, 1.0):
        arguments = boxes, scores, None, threshold, registered.BEV
        kept, count = cuda.nms_kept(host_launch, *arguments, chunk=128)
        expected, expected_count = registered.nms_kept(*arguments)
        assert torch.equal(kept, expected), f"threshold {threshold}"
        assert count == expected_count


def test_the_cuda_kernels_take_nothing_and_one() -> None:
    boxes, scores, _ = tensors(34)
    for n in (0, 1, 63, 64, 65):
        arguments = boxes[:n], scores[:n], None, 0.2, registered.BEV
        assert torch.equal(cuda.nms_mask(host_launch, *arguments, chunk=64), registered.nms_mask(*arguments))


@pytest.mark.cuda
def test_a_hundred_thousand_boxes_on_the_device() -> None:
    boxes, scores, _ = clusters(35, n=100_000, centres=5_000)
    boxes[:, :2] *= 4
    expected = torch.from_numpy(boxes), torch.from_numpy(scores)
    on_device = [value.cuda() for value in expected]
    torch.cuda.reset_peak_memory_stats()
    before = torch.cuda.memory_allocated()
    kept = batched_nms(*on_device, None, 0.2)
    assert torch.cuda.max_memory_allocated() - before < 100e6
    assert kept.tolist() == batched_nms(*expected, None, 0.2).tolist()
