"""The README tells the truth: its code runs, its files and commands exist."""

from __future__ import annotations

import re
from pathlib import Path

import pytest

from bev3d.cli._main import COMMANDS

REPOSITORY = Path(__file__).resolve().parents[2]
README = (REPOSITORY / "README.md").read_text(encoding="utf-8")


def test_the_code_runs(capsys: pytest.CaptureFixture[str]) -> None:
    (code,) = re.findall(r"```python\n(.*?)```", README, flags=re.DOTALL)
    assert len(code.strip().splitlines()) <= 14
    exec(compile(code, "README.md", "exec"), {})
    assert "tensor([[0." in capsys.readouterr().out


def test_what_it_names_exists() -> None:
    for target in re.findall(r"\]\(([^)]+)\)", README):
        assert (REPOSITORY / target).is_file(), target
    for command in re.findall(r"`bev3d ([a-z]+)`|^ {4}bev3d ([a-z]+) ", README, flags=re.MULTILINE):
        assert next(filter(None, command)) in COMMANDS
    for target in re.findall(r"^ {4}make ([a-z]+)", README, flags=re.MULTILINE):
        assert f"\n{target}:" in (REPOSITORY / "Makefile").read_text()
