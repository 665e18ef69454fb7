"""The examples of the guide to the losses run, and are short."""

from __future__ import annotations

import runpy
from pathlib import Path

import pytest
import torch

EXAMPLES = sorted((Path(__file__).parent / "examples").glob("*.py"))


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_it_runs(example: Path, capsys: pytest.CaptureFixture[str]) -> None:
    torch.manual_seed(0)
    runpy.run_path(str(example))
    assert "nan" not in capsys.readouterr().out


@pytest.mark.parametrize("example", EXAMPLES, ids=lambda path: path.stem)
def test_it_is_short_and_asserts_or_shows_something(example: Path) -> None:
    code = [line for line in example.read_text(encoding="utf-8").splitlines() if line.strip()]
    body = [line for line in code if not line.startswith(("import ", "from "))]
    assert len(body) <= 12
    assert any(line.startswith(("assert ", "print(")) for line in body)
