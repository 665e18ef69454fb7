"""nuScenes tables of any size, without sensor files: made to be read, at the size of v1.0-trainval by default."""

from __future__ import annotations

from collections.abc import Iterable
from contextlib import ExitStack
from pathlib import Path
from typing import TextIO

import numpy as np

from bev3d.data.nuscenes import DETECTION_CLASS_OF_CATEGORY, TABLE_NAMES
from bev3d.data.nuscenes._official import official_scenes

__all__ = ["TRAINVAL_SAMPLES", "write_large_tables"]

TRAINVAL_SAMPLES = 34_149
CHANNELS = ("LIDAR_TOP", *(f"CAM_{place}" for place in ("FRONT", "FRONT_RIGHT", "BACK_RIGHT", "BACK", "BACK_LEFT",
            "FRONT_LEFT")), *(f"RADAR_{place}" for place in ("FRONT", "FRONT_LEFT", "FRONT_RIGHT", "BACK_LEFT",
            "BACK_RIGHT")))  # fmt: skip
FILES_A_SAMPLE = 77  # 2.63 million in all, the key frames included
SAMPLE_US = 500_000
START_US = 1_532_402_927_612_460
TRACKS, TRACK_LENGTH = 34, 18  # objects that a sample shows, samples that one is in
ATTRIBUTES = ("vehicle.moving", "vehicle.parked", "vehicle.stopped", "pedestrian.moving", "pedestrian.standing",
              "pedestrian.sitting_lying_down", "cycle.with_rider", "cycle.without_rider")  # fmt: skip
RACK = "static_object.bicycle_rack"


def write_large_tables(
    folder: Path, *, version: str = "v1.0-trainval", samples: int = TRAINVAL_SAMPLES, scenes: int = 850
) -> Path:
    """Write the 13 tables, row by row, so that memory stays small; the devkit loads them.

    Args:
        folder: the data set's; made if need be.
        version: name of the tables' folder.
        samples: how many; each has 77 files of twelve sensors with a pose each, and 34 annotations (35 in every
            seventh), so that 34,149 samples have 2.63 million files and 1.166 million annotations.
        scenes: how many, named like those of train and val.

    Returns:
        The folder.
    """
    (folder / version).mkdir(parents=True)
    (folder / "maps").mkdir()
    (folder / "maps" / "map.png").write_bytes(b"")
    names = sorted((*official_scenes("train"), *official_scenes("val")))[:scenes]
    edges = [samples * k // len(names) for k in range(len(names) + 1)]
    with ExitStack() as stack:
        tables = {name: _Writer(stack, folder / version / f"{name}.json") for name in TABLE_NAMES}
        _small_tables(tables)
        for k, name in enumerate(names):
            _Scene(tables, k, name, edges[k], edges[k + 1]).write()
        for table in tables.values():
            table.close()
    return folder


class _Writer:
    """A table that grows; laid out as nuScenes has it, a line for every value."""

    def __init__(self, stack: ExitStack, path: Path) -> None:
        # closed by the stack
        self.handle: TextIO = stack.enter_context(open(path, "w", encoding="ascii", buffering=1 << 20))  # noqa: SIM115
        self.handle.write("[")
        self.comma = "\n"

    def add(self, *fields: str) -> None:
        self.handle.write(f"{self.comma}{{\n" + ",\n".join(fields) + "\n}")
        self.comma = ",\n"

    def close(self) -> None:
        self.handle.write("\n]")


def _text(name: str, value: str) -> str:
    return f'"{name}": "{value}"'


def _list(name: str, values: Iterable[float]) -> str:
    return f'"{name}": [\n' + ",\n".join(map(repr, values)) + "\n]"


def _token(kind: int, number: int) -> str:
    """32 hexadecimal digits that look as random as a real token's."""
    return f"{(kind << 40 | number) * 0x9E3779B97F4A7C15F39CC0605CEDC835 % (1 << 128):032x}"


SCENE, SAMPLE, FILE, ANNOTATION, INSTANCE, SENSOR, CALIBRATION, CATEGORY, ATTRIBUTE, LOG = range(1, 11)
CATEGORIES = (*DETECTION_CLASS_OF_CATEGORY, RACK, "animal")


def _small_tables(tables: dict[str, _Writer]) -> None:
    for k, name in enumerate(CATEGORIES):
        tables["category"].add(_text("token", _token(CATEGORY, k)), _text("name", name), _text("description", ""))
    for k, name in enumerate(ATTRIBUTES):
        tables["attribute"].add(_text("token", _token(ATTRIBUTE, k)), _text("name", name), _text("description", ""))
    for k in range(1, 5):
        tables["visibility"].add(_text("token", str(k)), _text("level", f"v{k}"), _text("description", ""))
    for k, name in enumerate(CHANNELS):
        modality = {"L": "lidar", "C": "camera", "R": "radar"}[name[0]]
        tables["sensor"].add(_text("token", _token(SENSOR, k)), _text("channel", name), _text("modality", modality))
    log = _token(LOG, 0)
    tables["log"].add(_text("token", log), _text("logfile", "n015-2018-07-24-11-22-45+0800"), _text("vehicle", "n015"),
                      _text("date_captured", "2018-07-24"), _text("location", "singapore-onenorth"))  # fmt: skip
    tables["map"].add(_text("token", _token(LOG, 1)), f'"log_tokens": ["{log}"]', _text("category", "semantic_prior"),
                      _text("filename", "maps/map.png"))  # fmt: skip


class _Scene:
    """Rows of the samples ``first`` to ``last``."""

    def __init__(self, tables: dict[str, _Writer], number: int, name: str, first: int, last: int) -> None:
        self.tables, self.number, self.name = tables, number, name
        self.samples = range(first, last)
        self.rng = np.random.default_rng(number)

    def write(self) -> None:
        first, last = self.samples[0], self.samples[-1]
        self.tables["scene"].add(
            _text("token", _token(SCENE, self.number)), _text("log_token", _token(LOG, 0)),
            f'"nbr_samples": {len(self.samples)}', _text("first_sample_token", _token(SAMPLE, first)),
            _text("last_sample_token", _token(SAMPLE, last)), _text("name", self.name), _text("description", "Made."),
        )  # fmt: skip
        for sample in self.samples:
            self.tables["sample"].add(
                _text("token", _token(SAMPLE, sample)), f'"timestamp": {START_US + SAMPLE_US * sample}',
                *self._links(SAMPLE, sample, self.samples), _text("scene_token", _token(SCENE, self.number)),
            )  # fmt: skip
        self._calibrations()
        self._files()
        self._tracks()

    @staticmethod
    def _links(kind: int, number: int, among: range) -> tuple[str, str]:
        before, after = number - among.step, number + among.step
        return (_text("prev", _token(kind, before) if before in among else ""),
                _text("next", _token(kind, after) if after in among else ""))  # fmt: skip

    def _calibrations(self) -> None:
        for k, channel in enumerate(CHANNELS):
            camera = [[1266.417203046554, 0.0, 816.2670197447984], [0.0, 1266.417203046554, 491.50706579294757],
                      [0.0, 0.0, 1.0]] if channel.startswith("CAM") else []  # fmt: skip
            self.tables["calibrated_sensor"].add(
                _text("token", _token(CALIBRATION, self.number * len(CHANNELS) + k)),
                _text("sensor_token", _token(SENSOR, k)), *self._pose(1.0), f'"camera_intrinsic": {camera}',
            )  # fmt: skip

    def _pose(self, scale: float) -> tuple[str, str]:
        rotation = self.rng.normal(size=4)
        rotation /= np.linalg.norm(rotation)
        return (_list("translation", (scale * self.rng.normal(size=3)).tolist()),
                _list("rotation", rotation.tolist()))  # fmt: skip

    def _files(self) -> None:
        """Files of a channel follow one another; the first twelve of a sample are the key frames."""
        last_of = [-1] * len(CHANNELS)
        for sample in self.samples:
            for k in range(FILES_A_SAMPLE):
                channel = k % len(CHANNELS)
                number = sample * FILES_A_SAMPLE + k
                following = k + len(CHANNELS) < FILES_A_SAMPLE
                after = number + len(CHANNELS) if following else (sample + 1) * FILES_A_SAMPLE + channel
                if not following and sample == self.samples[-1]:
                    after = -1
                self._file(number, sample, channel, k, last_of[channel], after)
                last_of[channel] = number

    def _file(self, number: int, sample: int, channel: int, k: int, before: int, after: int) -> None:
        name, token = CHANNELS[channel], _token(FILE, number)
        stamp = START_US + SAMPLE_US * sample + SAMPLE_US * (k // len(CHANNELS)) // 7 + channel
        kind, ending = ("jpg", "jpg") if name.startswith("CAM") else ("pcd", "pcd.bin")
        key = k < len(CHANNELS)
        place = f"{'samples' if key else 'sweeps'}/{name}/n015-2018-07-24-11-22-45+0800__{name}__{stamp}.{ending}"
        self.tables["ego_pose"].add(_text("token", token), f'"timestamp": {stamp}', *reversed(self._pose(1000.0)))
        self.tables["sample_data"].add(
            _text("token", token), _text("sample_token", _token(SAMPLE, sample)), _text("ego_pose_token", token),
            _text("calibrated_sensor_token", _token(CALIBRATION, self.number * len(CHANNELS) + channel)),
            f'"timestamp": {stamp}', _text("fileformat", kind), f'"is_key_frame": {str(key).lower()}',
            '"height": 900', '"width": 1600', _text("filename", place),
            _text("prev", _token(FILE, before) if before >= 0 else ""),
            _text("next", _token(FILE, after) if after >= 0 else ""),
        )  # fmt: skip

    def _tracks(self) -> None:
        """One track after another, as the real table has them; each sample shows the same number of objects."""
        slots = [range(first, min(first + TRACK_LENGTH, len(self.samples))) for first in
                 range(0, len(self.samples), TRACK_LENGTH)]  # fmt: skip
        for track in range(TRACKS + 1):
            for part, within in enumerate(slots):
                shown = [i for i in within if track < TRACKS or (self.samples[0] + i) % 7 == 0]
                if shown:
                    self._track((self.number * (TRACKS + 1) + track) * 10 + part, shown)

    def _track(self, number: int, shown: list[int]) -> None:
        rng = self.rng
        category = int(rng.integers(len(CATEGORIES)))
        tokens = [_token(ANNOTATION, (self.samples[0] + i) * (TRACKS + 1) + number // 10 % (TRACKS + 1)) for i in shown]
        start, speed, yaw = rng.normal(scale=500.0, size=2), rng.normal(size=2), float(rng.uniform(-2, 2))
        size = rng.uniform(0.5, 5, size=3).round(3).tolist()
        rotation = [float(np.cos(yaw)), 0.0, 0.0, float(np.sin(yaw))]
        for n, i in enumerate(shown):
            place = [*(start + 0.5 * i * speed).round(3).tolist(), 1.017]
            self.tables["sample_annotation"].add(
                _text("token", tokens[n]), _text("sample_token", _token(SAMPLE, self.samples[i])),
                _text("instance_token", _token(INSTANCE, number)), _text("visibility_token", "4"),
                f'"attribute_tokens": [\n"{_token(ATTRIBUTE, number % len(ATTRIBUTES))}"\n]',
                _list("translation", place), _list("size", size), _list("rotation", rotation),
                _text("prev", tokens[n - 1] if n else ""), _text("next", (*tokens, "")[n + 1]),
                f'"num_lidar_pts": {int(rng.integers(100))}', f'"num_radar_pts": {n % 3}',
            )  # fmt: skip
        self.tables["instance"].add(
            _text("token", _token(INSTANCE, number)), _text("category_token", _token(CATEGORY, category)),
            f'"nbr_annotations": {len(shown)}', _text("first_annotation_token", tokens[0]),
            _text("last_annotation_token", tokens[-1]),
        )  # fmt: skip
