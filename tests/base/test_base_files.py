"""Files appear whole or not at all; optional packages are asked for by the extra that brings them."""

from __future__ import annotations

import os
from pathlib import Path

import pytest

from bev3d._errors import MissingPackageError, require
from bev3d._files import atomic_path, write_json, write_text
from bev3d._progress import track


def test_a_failed_write_leaves_the_old_file_and_nothing_else(tmp_path: Path) -> None:
    target = tmp_path / "deep" / "file.txt"
    write_text(target, "old")

    def fail() -> None:
        with atomic_path(target) as temporary:
            temporary.write_text("half")
            raise RuntimeError("stop")

    with pytest.raises(RuntimeError, match="stop"):
        fail()
    assert target.read_text() == "old"
    assert [entry.name for entry in target.parent.iterdir()] == ["file.txt"]


def test_a_written_file_has_ordinary_permissions(tmp_path: Path) -> None:
    write_text(tmp_path / "a.txt", "x")
    (tmp_path / "b.txt").write_text("x")
    assert os.stat(tmp_path / "a.txt").st_mode == os.stat(tmp_path / "b.txt").st_mode


def test_json_refuses_nan(tmp_path: Path) -> None:
    with pytest.raises(ValueError, match="JSON"):
        write_json(tmp_path / "a.json", {"x": float("nan")})
    assert not list(tmp_path.iterdir())


def test_require_names_the_extra() -> None:
    with pytest.raises(MissingPackageError, match=r"a test needs the package 'no_such_module'.*bev3d\[viz\]"):
        require("no_such_module", extra="viz", purpose="a test")


def test_track_yields_everything_off_a_terminal() -> None:
    assert list(track(range(5), "counting")) == [0, 1, 2, 3, 4]
    assert list(track(iter([1, 2]), "counting", total=2, unit="things")) == [1, 2]
