"""The fast reader of submissions against Python's own JSON: equal columns, or the slow reader's verdict."""

from __future__ import annotations

import json
import math
import random
import struct
from pathlib import Path
from typing import Any

import numpy as np
import pytest
from hypothesis import given, settings
from hypothesis import strategies as st
from oracles.found_boxes import perfect
from oracles.tiny_nuscenes import tiny_nuscenes

from bev3d._errors import DataFormatError
from bev3d.data import DETECTION_CLASSES, NuScenesDataset
from bev3d.evaluation import write_submission
from bev3d.evaluation.nuscenes._attributes import ATTRIBUTE_NAMES
from bev3d.evaluation.nuscenes._columns import BoxColumns
from bev3d.evaluation.nuscenes._read import read_boxes, results_to_columns
from bev3d.evaluation.nuscenes._submission import detections_to_columns
from bev3d_ops.cpu._decimal import decimal_powers, parse_number

POWERS = decimal_powers()
FIELDS = ("sample", "translation", "size", "rotation", "velocity", "score", "label", "attribute", "num_points")


def parsed(text: str) -> float | None:
    """What the kernel makes of a number, None where it leaves it to others."""
    value, at, good = parse_number(np.frombuffer(text.encode() + b",", dtype=np.uint8), 0, POWERS)
    assert not good or at == len(text)
    return value if good else None


def assert_same_columns(ours: BoxColumns, theirs: BoxColumns) -> None:
    for name in FIELDS:
        np.testing.assert_array_equal(getattr(ours, name), getattr(theirs, name), err_msg=name, strict=True)
        assert np.ascontiguousarray(getattr(ours, name)).tobytes() == getattr(theirs, name).tobytes(), name


class TestNumbers:
    @settings(max_examples=2000, deadline=None)
    @given(st.one_of(st.floats(allow_nan=False, allow_infinity=False), st.floats(-2000, 2000), st.floats(0, 1)))
    def test_every_float_comes_back(self, value: float) -> None:
        ours = parsed(repr(value))
        if ours is None:
            assert value == 0 or not 1e-280 < abs(value) < 1e280
        else:
            assert struct.pack("d", ours) == struct.pack("d", value)

    @settings(max_examples=2000, deadline=None)
    @given(st.integers(0, 10**19 - 1), st.integers(-290, 270), st.booleans())
    def test_any_digits_and_exponents(self, digits: int, exponent: int, upper: bool) -> None:
        text = f"{digits}{'E' if upper else 'e'}{exponent:+d}"
        assert parsed(text) == float(text)

    def test_halves_between_two_floats_go_to_the_even_one(self) -> None:
        generator = random.Random(0)
        for _ in range(2000):
            odd, power = 2 * generator.randrange(2**52, 2**53) + 1, generator.randrange(8)
            text = str(odd << power)
            assert parsed(text) in (float(text), None if len(text) > 19 else float(text))

    def test_zeros(self) -> None:
        for text in ("0", "0.0", "-0.0", "-0", "0e5", "-0e5", "0.000"):
            assert struct.pack("d", parsed(text)) == struct.pack("d", float(json.loads(text))), text

    @pytest.mark.parametrize("text", ["01", "-", "+1", ".5", "1.", "1e", "1e+", "NaN", "Infinity", "-Infinity", "1.e3",
                                      "1e400", "1e-400", "123456789012345678901", "0x1", "", "true"])  # fmt: skip
    def test_what_is_left_to_others(self, text: str) -> None:
        _, at, good = parse_number(np.frombuffer(text.encode() + b",", dtype=np.uint8), 0, POWERS)
        assert not good or text[at:] != ""


def box(token: str, rng: np.random.Generator) -> dict[str, Any]:
    return {
        "sample_token": token,
        "translation": rng.normal(scale=1000, size=3).tolist(),
        "size": rng.uniform(0.1, 9, size=3).round(rng.integers(1, 9)).tolist(),
        "rotation": rng.normal(size=4).tolist(),
        "velocity": [float(rng.normal()), int(rng.integers(-3, 4))],
        "detection_name": str(rng.choice(DETECTION_CLASSES)),
        "detection_score": float(10.0 ** -rng.uniform(0, 40)),
        "attribute_name": str(rng.choice(["", *ATTRIBUTE_NAMES])),
    }


def submission(tokens: list[str], seed: int = 0) -> dict[str, Any]:
    rng = np.random.default_rng(seed)
    results = {token: [box(token, rng) for _ in range(rng.integers(4))] for token in tokens}
    return {"meta": {"use_lidar": True, "note": '{"]\\'}, "results": results}


TOKENS = ["a", "b", "c", "d"]


@pytest.mark.parametrize("indent", [None, 1])
@pytest.mark.parametrize("shuffle", [False, True])
def test_equal_to_the_slow_reader(tmp_path: Path, indent: int | None, shuffle: bool) -> None:
    content = submission(TOKENS[::-1])
    if shuffle:
        generator = random.Random(1)
        for boxes in content["results"].values():
            boxes[:] = [dict(generator.sample(list(one.items()), len(one))) for one in boxes]
        content = {"extra": [1, {"meta": "}"}], "results": content["results"], "meta": content["meta"]}
    path = tmp_path / "r.json"
    path.write_text(json.dumps(content, indent=indent))
    for keep_order in (True, False):
        ours = read_boxes(path, TOKENS, keep_file_order=keep_order)
        assert_same_columns(ours, results_to_columns("r", content["results"], TOKENS, (), keep_order))
    assert len(ours) == sum(map(len, content["results"].values())) > 3


def unusual_key(content: dict[str, Any]) -> None:
    content["results"]["b"][0]["mine"] = {"nested": [{}, "}"]}


def escape(content: dict[str, Any]) -> None:
    content["results"]["caf\u00e9 \n"] = content["results"].pop("b")
    for one in content["results"]["caf\u00e9 \n"]:
        one["sample_token"] = "caf\u00e9 \n"


def subnormal(content: dict[str, Any]) -> None:
    content["results"]["b"][0]["detection_score"] = 5e-324


def points(content: dict[str, Any]) -> None:
    content["results"]["b"][0]["num_pts"] = 0


def long_number(content: dict[str, Any]) -> None:
    content["results"]["b"][0]["velocity"] = [10**25, 0.5]


@pytest.mark.parametrize("edit", [unusual_key, escape, subnormal, points, long_number])
def test_unusual_samples_between_usual_ones(tmp_path: Path, edit: Any) -> None:
    content = submission(TOKENS, seed=3)
    content["results"] = {t: [box(t, np.random.default_rng(k)) for k in range(3)] for t in TOKENS}
    edit(content)
    tokens = list(content["results"])
    path = tmp_path / "r.json"
    path.write_text(json.dumps(content))
    assert_same_columns(read_boxes(path, tokens), results_to_columns("r", content["results"], tokens))


def test_others_are_not_even_looked_at(tmp_path: Path) -> None:
    content = submission(TOKENS)
    content["results"]["c"] = "nonsense"
    (tmp_path / "r.json").write_text(json.dumps(content))
    ours = read_boxes(tmp_path / "r.json", ["d", "a"], others={"b", "c"}, keep_file_order=False)
    wanted = {token: content["results"][token] for token in ("d", "a")}
    assert_same_columns(ours, results_to_columns("r", wanted, ["d", "a"]))


@settings(max_examples=300, deadline=None)
@given(data=st.data())
def test_a_damaged_file_is_refused_or_read_as_json_reads_it(tmp_path_factory: Any, data: st.DataObject) -> None:
    """Cut, a byte changed, left out or put in: the fast reader never accepts what the slow one would not."""
    text = json.dumps(submission(["a", "b"], seed=5))
    at = data.draw(st.integers(0, len(text) - 1))
    put = data.draw(st.sampled_from([*'{}[],:"\\ 0-.eE1n\n', "", "NaN", "\u00e9"]))
    kind = data.draw(st.sampled_from(["cut", "replace", "insert"]))
    text = {"cut": text[:at], "replace": text[:at] + put + text[at + 1 :], "insert": text[:at] + put + text[at:]}[kind]
    path = tmp_path_factory.getbasetemp() / "damaged.json"
    path.write_text(text)
    try:
        ours = read_boxes(path, ["a", "b"])
    except DataFormatError:
        return
    assert_same_columns(ours, results_to_columns("r", json.loads(text)["results"], ["a", "b"]))


@pytest.mark.parametrize(
    ("text", "message"),
    [
        ('{"meta": {}, "results": {"a": [], "a": []}}', "sample a appears twice"),
        ('{"meta": {}, "results": {}, "results": {"a": []}}', "'results' appears twice in one object"),
        ('{"meta": {}, "results": {"a": [{"size": 1, "size": 2}]}}', "sample a: 'size' appears twice in one object"),
        ('{"meta": {}, "results": {"a": [', "expected a submission in JSON"),
        ('{"meta": {}, "results": {"a": []}', "expected a submission in JSON"),
        ('{"meta": {}, "results": {"a": []}}}', "expected a submission in JSON"),
        ('{"meta": {}, "results": {"a": [1 2]}}', "sample a: expected JSON"),
        ('{"meta": {}, "results": {"a": [],}}', "expected a submission in JSON"),
        ('{"meta": {,}, "results": {"a": []}}', "meta: expected JSON"),
        ('{"meta": [], "results": {"a": []}}', "'meta' is missing"),
        ('{"meta": {}, "results": []}', "'results' is missing"),
        ("[]", "'meta' is missing"),
        ("", "expected a submission in JSON"),
        ("\x00", "expected a submission in JSON"),
        ('{"meta": {}, "results": {"a": null}}', "sample a: expected a list of boxes, got NoneType"),
        ('{"meta": {}, "results": {"a": [null]}}', "sample a, box 0: missing sample_token"),
    ],
)
def test_refusals(tmp_path: Path, text: str, message: str) -> None:
    (tmp_path / "r.json").write_text(text)
    with pytest.raises(DataFormatError, match=rf"r\.json.*{message}"):
        read_boxes(tmp_path / "r.json", ["a"])


def test_detections_become_what_their_file_reads_as(tmp_path: Path) -> None:
    dataset = NuScenesDataset(tiny_nuscenes(tmp_path / "t", samples=3, sweeps=1), split="mini_val")
    found = perfect(dataset)
    write_submission(tmp_path / "r.json", found, dataset=dataset)
    assert_same_columns(
        detections_to_columns(found, dataset, dataset.tokens), read_boxes(tmp_path / "r.json", dataset.tokens)
    )


def test_detections_are_checked_like_files(tmp_path: Path) -> None:
    dataset = NuScenesDataset(tiny_nuscenes(tmp_path / "t", samples=2, sweeps=1), split="mini_val")
    for change, message in ((("scores", 0, 1.5), r"box 0: expected a detection_score in \[0, 1\], got 1.5"),
                            (("boxes", (9, 3), -1.0), "box 9: expected a size > 0"),
                            (("boxes", (9, 7), math.inf), "box 9: expected a velocity in m/s or NaN")):  # fmt: skip
        found = perfect(dataset)
        name, at, value = change
        getattr(found[dataset.tokens[1]], name)[at] = value
        with pytest.raises(DataFormatError, match=f"sample {dataset.tokens[1]}, {message}"):
            detections_to_columns(found, dataset, dataset.tokens)
