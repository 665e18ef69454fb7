"""The settings that decide about targets, from a preset of bev3d or from a configuration of another project."""

from __future__ import annotations

import ast
from collections.abc import Iterator, Mapping
from dataclasses import dataclass
from pathlib import Path
from typing import Any

import yaml

from bev3d._errors import ConfigError
from bev3d.config import Config, load_config, preset_path
from bev3d.targets._radius import RadiusKind

__all__ = ["Settings", "read_settings", "settings_of"]

# names of the box code, in the order of the targets that each project makes
OPENPCDET = ("offset",) * 2 + ("height",) + ("log_size",) * 3 + ("heading",) * 2 + ("velocity",) * 2
MMDET3D = OPENPCDET
CENTERPOINT = ("offset",) * 2 + ("height",) + ("log_size",) * 3 + ("velocity",) * 2 + ("heading",) * 2


@dataclass(frozen=True)
class Settings:
    """What the doctor reads in a configuration; None or empty where it is not there.

    Attributes:
        source: whose configuration it is.
        weights: name of a regression target -> its weights, one for each component.
        code_weights: the positional list that they come from; empty with weights by name.
        radius: rule of the Gaussian radius.
        min_overlap, min_radius: of the Gaussians; the radius in cells.
        cell_m: output cell along x and y.
        class_names: of all heads.
        range_m: x0, y0, z0, x1, y1, z1.
        dataset: name of the data set.
    """

    source: str
    weights: Mapping[str, tuple[float, ...]]
    code_weights: tuple[float, ...] = ()
    radius: RadiusKind = "cornernet"
    min_overlap: float | None = None
    min_radius: int | None = None
    cell_m: tuple[float, float] | None = None
    class_names: tuple[str, ...] = ()
    range_m: tuple[float, ...] | None = None
    dataset: str = ""


def read_settings(path: str | Path) -> tuple[Settings, Config | None]:
    """A preset of bev3d, an OpenPCDet YAML file, or a CenterPoint or mmdet3d Python file, which is never run.

    Returns:
        The settings, and the preset where it is one of bev3d.

    Raises:
        ConfigError: no such file, or nothing in it that says how targets are made.
    """
    if Path(path).suffix == ".py":
        return _from_python(Path(path)), None
    file = preset_path(path)
    try:
        content = yaml.safe_load(file.read_text(encoding="utf-8"))
    except (yaml.YAMLError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: expected a YAML file, got: {error}") from error
    if isinstance(content, dict) and any(_find(content, key) for key in ("DENSE_HEAD", "LOSS_CONFIG", "DATA_CONFIG")):
        return _from_openpcdet(file, content), None
    config = load_config(file)
    return settings_of(config), config


def settings_of(config: Config) -> Settings:
    """The settings of a preset of bev3d."""
    return Settings(
        source="bev3d",
        weights={name: (weight,) for name, weight in config.regression_weights.items()},
        radius=config.radius,
        min_overlap=config.min_overlap,
        min_radius=config.min_radius,
        cell_m=(config.voxel_size_m[0] * config.stride, config.voxel_size_m[1] * config.stride),
        class_names=config.class_names,
        range_m=config.range_m,
        dataset=config.dataset,
    )


def _from_openpcdet(file: Path, content: Mapping[str, Any]) -> Settings:
    weights = _numbers(_first(content, "code_weights"))
    voxel, stride = _numbers(_first(content, "VOXEL_SIZE")), _first(content, "FEATURE_MAP_STRIDE")
    classes = _first(content, "CLASS_NAMES")
    found = Settings(
        source="OpenPCDet",
        weights=_by_name(weights, OPENPCDET),
        code_weights=weights,
        radius="legacy",
        min_overlap=_number(_first(content, "GAUSSIAN_OVERLAP")),
        min_radius=_whole(_first(content, "MIN_RADIUS")),
        cell_m=_cell(voxel, stride),
        class_names=tuple(map(str, classes)) if isinstance(classes, list) else (),
        range_m=_numbers(_first(content, "POINT_CLOUD_RANGE")) or None,
    )
    return _checked(file, found)


def _from_python(file: Path) -> Settings:
    try:
        tree = ast.parse(file.read_text(encoding="utf-8"))
    except FileNotFoundError:
        raise ConfigError(f"config: expected a file, but {file} does not exist") from None
    except (SyntaxError, UnicodeDecodeError) as error:
        raise ConfigError(f"{file}: expected a Python file, got: {error}") from error
    content: dict[str, Any] = {}
    for statement in tree.body:
        if isinstance(statement, ast.Assign) and isinstance(statement.targets[0], ast.Name):
            content[statement.targets[0].id] = _literal(statement.value, content)
    weights = _numbers(_first(content, "code_weights"))
    # CenterPoint keeps the weights in its head, mmdet3d in train_cfg beside a box coder
    ours = bool(_find(content, "bbox_coder")) or bool(_find(content.get("train_cfg"), "code_weights"))
    tasks = _first(content, "tasks")
    names = [name for task in tasks if isinstance(task, dict) for name in task.get("class_names", [])] if tasks else []
    stride = _first(content, "out_size_factor")
    found = Settings(
        source="mmdet3d" if ours else "CenterPoint",
        weights=_by_name(weights, MMDET3D if ours else CENTERPOINT),
        code_weights=weights,
        radius="legacy",
        min_overlap=_number(_first(content, "gaussian_overlap")),
        min_radius=_whole(_first(content, "min_radius")),
        cell_m=_cell(_numbers(_first(content, "voxel_size")), stride),
        class_names=tuple(map(str, names)),
        range_m=_numbers(_first(content, "point_cloud_range")) or None,
    )
    return _checked(file, found)


def _checked(file: Path, settings: Settings) -> Settings:
    if not settings.code_weights and settings.min_radius is None:
        raise ConfigError(f"{file}: expected code_weights or a least radius of Gaussians, got neither")
    return settings


def _by_name(weights: tuple[float, ...], order: tuple[str, ...]) -> dict[str, tuple[float, ...]]:
    """Weights by the name of what they fall on; a code without velocities has 8 places."""
    places = order if len(weights) == 10 else OPENPCDET[:8] if len(weights) == 8 else ()
    found: dict[str, tuple[float, ...]] = dict.fromkeys(places, ())
    for name, weight in zip(places, weights, strict=False):
        found[name] += (weight,)
    return found


def _literal(node: ast.AST, known: Mapping[str, Any]) -> Any:
    """Value of a literal, of ``dict(...)``, or of a name that was assigned before; None for all else."""
    if isinstance(node, ast.Call) and isinstance(node.func, ast.Name) and node.func.id == "dict":
        return {word.arg: _literal(word.value, known) for word in node.keywords if word.arg}
    if isinstance(node, ast.Name):
        return known.get(node.id)
    if isinstance(node, ast.List | ast.Tuple):
        return [_literal(entry, known) for entry in node.elts]
    if isinstance(node, ast.Dict):
        keys = [_literal(key, known) if key else None for key in node.keys]
        return {str(key): _literal(value, known) for key, value in zip(keys, node.values, strict=True)}
    try:
        return ast.literal_eval(node)
    except (ValueError, TypeError):
        return None


def _find(content: Any, key: str) -> list[Any]:
    """All values of a key, however deep."""
    return list(_walk(content, key))


def _walk(content: Any, key: str) -> Iterator[Any]:
    rows = enumerate(content) if isinstance(content, list) else ()
    for name, value in content.items() if isinstance(content, Mapping) else rows:
        if name == key and value is not None:
            yield value
        yield from _walk(value, key)


def _first(content: Any, key: str) -> Any:
    return next(_walk(content, key), None)


def _numbers(value: Any) -> tuple[float, ...]:
    if not isinstance(value, list) or not all(isinstance(entry, int | float) for entry in value):
        return ()
    return tuple(float(entry) for entry in value)


def _number(value: Any) -> float | None:
    return float(value) if isinstance(value, int | float) else None


def _whole(value: Any) -> int | None:
    return int(value) if isinstance(value, int | float) else None


def _cell(voxel: tuple[float, ...], stride: Any) -> tuple[float, float] | None:
    stride = stride[0] if isinstance(stride, list) and stride else stride
    if len(voxel) < 2 or not isinstance(stride, int | float):
        return None
    return voxel[0] * stride, voxel[1] * stride
