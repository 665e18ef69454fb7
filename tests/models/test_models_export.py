"""The exported program against the module that it came from."""

from __future__ import annotations

from pathlib import Path

import numpy as np
import pytest
import torch
from models_samples import cloud
from torch import Tensor, nn

from bev3d import UserError
from bev3d.config import Config
from bev3d.models import DensePart, Detector, build_detector, export_dense, make_inputs
from bev3d.models._export import output_names


def trained(config: Config) -> Detector:
    """A detector in training, whose statistics are not those of the start."""
    detector = build_detector(config)
    torch.manual_seed(3)
    for module in detector.modules():
        if isinstance(module, nn.BatchNorm1d | nn.BatchNorm2d):
            module.running_mean.normal_(0, 0.1)  # type: ignore[union-attr]
            module.running_var.uniform_(0.5, 2.0)  # type: ignore[union-attr]
    return detector


def expected(detector: Detector, images: Tensor) -> list[dict[str, Tensor]]:
    with torch.no_grad():
        return detector.eval().dense(images)


def test_program_equals_module_for_any_batch(any_config: Config, tmp_path: Path) -> None:
    detector = trained(any_config)
    states = {name: value.clone() for name, value in detector.state_dict().items()}
    path = export_dense(detector, any_config, tmp_path / "dense.pt2")
    assert detector.training
    assert all(torch.equal(value, states[name]) for name, value in detector.state_dict().items())
    assert [file.name for file in tmp_path.iterdir()] == ["dense.pt2"]
    loaded = torch.export.load(path)
    assert loaded.example_inputs is None, "of a full-size grid it is larger than the weights"
    program = loaded.module()
    inputs = make_inputs([cloud(any_config, 900, seed) for seed in range(3)], any_config)
    with torch.no_grad():
        images = detector.eval().encoder(inputs.tensors, 3)
    for part in (images, images[:1]):
        for maps, wanted in zip(program(part), expected(detector, part), strict=True):
            assert list(maps) == list(wanted)
            for name in wanted:
                torch.testing.assert_close(maps[name], wanted[name], rtol=1e-5, atol=1e-5)


def test_names_of_outputs_are_those_of_the_head(any_config: Config) -> None:
    detector = build_detector(any_config)
    outputs = detector(make_inputs([cloud(any_config, 300)] * 2, any_config))
    assert [list(maps) for maps in outputs] == output_names(any_config)


# warnings of the exporter itself
@pytest.mark.filterwarnings("ignore:.*LeafSpec.*:FutureWarning", "ignore::DeprecationWarning")
@pytest.mark.parametrize("fixture", ["pillar_config", "anchor_config"])
def test_onnx_equals_module(fixture: str, request: pytest.FixtureRequest, tmp_path: Path) -> None:
    onnx = pytest.importorskip("onnx", reason="needs bev3d[onnx]")
    pytest.importorskip("onnxscript", reason="needs bev3d[onnx]")
    reference = pytest.importorskip("onnx.reference")
    config: Config = request.getfixturevalue(fixture)
    detector = trained(config)
    model = onnx.load(export_dense(detector, config, tmp_path / "dense.onnx"))
    onnx.checker.check_model(model)
    names = [f"task{i}_{name}" for i, maps in enumerate(output_names(config)) for name in maps]
    assert [output.name for output in model.graph.output] == names
    assert [value.name for value in model.graph.input] == ["images"]
    columns, rows = config.grid_size
    images = torch.randn(3, DensePart(detector).in_channels, rows, columns)
    found = reference.ReferenceEvaluator(model).run(None, {"images": images.numpy()})
    wanted = [value for maps in expected(detector, images) for value in maps.values()]
    for name, one, two in zip(names, found, wanted, strict=True):
        np.testing.assert_allclose(one, two.numpy(), rtol=1e-4, atol=1e-5, err_msg=name)


def test_what_cannot_be_written_is_named(tiny_config: Config, tmp_path: Path, monkeypatch: pytest.MonkeyPatch) -> None:
    detector = build_detector(tiny_config)
    with pytest.raises(UserError, match=r"dense\.bin: expected a file that ends in \.pt2 or \.onnx"):
        export_dense(detector, tiny_config, tmp_path / "dense.bin")
    monkeypatch.setattr("importlib.util.find_spec", lambda name: None)
    with pytest.raises(UserError, match=r"expected the packages onnx and onnxscript .*, found no onnx"):
        export_dense(detector, tiny_config, tmp_path / "dense.onnx")
    assert not list(tmp_path.iterdir())
