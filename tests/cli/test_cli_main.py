"""The command: help everywhere, 2 and one clear line on what the user has to change, 130 when stopped."""

from __future__ import annotations

import subprocess
import sys
from pathlib import Path

import pytest
import yaml

from bev3d import UserError, __version__
from bev3d.cli import main
from bev3d.cli._main import COMMANDS
from bev3d.cli._parse import parse_with_config
from bev3d.cli._train import Options


@pytest.mark.parametrize("command", sorted(COMMANDS))
def test_every_command_has_help(command: str, capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main([command, "--help"])
    assert exit_.value.code == 0
    assert "usage: bev3d " + command in capsys.readouterr().out


def test_help_names_every_command(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["--help"]) == 0
    text = capsys.readouterr().out
    assert all(f"  {name} " in text for name in COMMANDS)
    assert main(["--version"]) == 0
    assert capsys.readouterr().out.strip() == f"bev3d {__version__}"
    assert main([]) == 2


def test_an_unknown_command_or_option_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["trian"]) == 2
    assert "unknown command 'trian'; known: demo" in capsys.readouterr().err
    with pytest.raises(SystemExit) as exit_:
        main(["synth", "--out", "x", "--sceens", "3"])
    assert exit_.value.code == 2
    assert "--sceens" in capsys.readouterr().err


def test_a_missing_option_is_named(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["train", "--dataroot", "x"])
    assert exit_.value.code == 2
    assert "--config" in capsys.readouterr().err


def test_flags_override_single_fields_of_the_preset() -> None:
    argv = ["--config", "synthetic_nuscenes", "--dataroot", "d", "--out", "o", "--epochs", "0.5", "--flip"]
    classes = ["--tasks", "car", "truck,bus", "--nms-radius-m", "2", "--peak-window", "3"]
    options, config = parse_with_config(Options, "train", [*argv, *classes])
    assert (options.dataroot, options.out, config.epochs, config.flip) == (Path("d"), Path("o"), 0.5, True)
    assert config.tasks == (("car",), ("truck", "bus"))
    numbers = ["--anchor-sizes-m", "4", "2", "1.5", "1", "1", "2", "--sparse-strides", "2", "2", "2"]
    numbers += ["--sparse-channels", "8", "8", "--sparse-blocks", "1", "1", "--sparse-paddings", "1", "1", "1"]
    _, config = parse_with_config(Options, "train", [*argv, *numbers])
    assert config.anchor_sizes_m == ((4.0, 2.0, 1.5), (1.0, 1.0, 2.0))
    assert config.sparse_strides == ((2, 2, 2),)
    _, untouched = parse_with_config(Options, "train", argv[:6])
    assert untouched.epochs != 0.5


def test_an_impossible_flag_is_refused(capsys: pytest.CaptureFixture[str]) -> None:
    with pytest.raises(SystemExit) as exit_:
        main(["train", "--config", "synthetic_nuscenes", "--dataroot", "d", "--out", "o", "--epochs", "-1"])
    assert exit_.value.code == 2
    assert "epochs: expected a number > 0, got -1.0" in " ".join(capsys.readouterr().err.split())


def test_a_preset_with_an_unknown_key_is_refused(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    preset = tmp_path / "preset.yaml"
    preset.write_text(yaml.safe_dump({"lerning_rate": 1}))
    assert main(["train", "--config", str(preset), "--dataroot", "d", "--out", str(tmp_path / "o")]) == 2
    message = capsys.readouterr().err
    assert f"{preset}: lerning_rate: expected a known key" in message
    assert not (tmp_path / "o").exists()


def test_a_missing_folder_is_refused_and_nothing_is_written(tmp_path: Path, capsys: pytest.CaptureFixture[str]) -> None:
    missing = tmp_path / "nowhere"
    for command in ("train", "targets"):
        argv = [command, "--config", "synthetic_nuscenes", "--dataroot", str(missing), "--out", str(tmp_path / "out")]
        assert main(argv) == 2
        assert str(missing) in capsys.readouterr().err
    assert not (tmp_path / "out").exists()


def test_evaluate_wants_one_of_two_data_sets(capsys: pytest.CaptureFixture[str]) -> None:
    assert main(["evaluate", "--kitti-labels", "x"]) == 2
    assert "expected either --dataroot and --predictions" in capsys.readouterr().err


def test_errors_become_a_line_and_a_status(monkeypatch: pytest.MonkeyPatch, capsys: pytest.CaptureFixture[str]) -> None:
    import bev3d.cli._synth as command

    def fail(argv: list[str]) -> None:
        raise UserError("file.txt: expected 3, got 2")

    monkeypatch.setattr(command, "run", fail)
    assert main(["synth"]) == 2
    assert capsys.readouterr().err == "bev3d synth: file.txt: expected 3, got 2\n"

    def stop(argv: list[str]) -> None:
        raise KeyboardInterrupt

    monkeypatch.setattr(command, "run", stop)
    assert main(["synth"]) == 130

    def bug(argv: list[str]) -> None:
        raise ZeroDivisionError

    monkeypatch.setattr(command, "run", bug)
    with pytest.raises(ZeroDivisionError):  # a defect of ours shows its traceback
        main(["synth"])


def test_help_is_quick_because_nothing_heavy_is_imported() -> None:
    code = "import sys; from bev3d.cli import main; main(['--help']); sys.exit('torch' in sys.modules)"
    assert subprocess.run([sys.executable, "-c", code], capture_output=True, check=False).returncode == 0


def test_a_reader_that_goes_away_is_no_defect() -> None:
    script = """
import sys, types
from bev3d.cli import main
def run(argv):
    for _ in range(100_000):
        print("a line")
sys.modules["bev3d.cli._synth"] = types.SimpleNamespace(run=run)
sys.exit(main(["synth"]))
"""
    process = subprocess.Popen([sys.executable, "-c", script], stdout=subprocess.PIPE, stderr=subprocess.PIPE)
    assert process.stdout is not None
    assert process.stderr is not None
    process.stdout.readline()
    process.stdout.close()
    assert process.wait(timeout=60) == 141
    assert process.stderr.read() == b""
    process.stderr.close()
