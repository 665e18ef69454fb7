from itertools import combinations

import numpy as np
import pytest

from bev3d.viz import class_colours
from bev3d.viz._style import colour_ramp, hex_to_rgb, mix

NUSCENES = ("car", "truck", "bus", "trailer", "construction_vehicle", "pedestrian", "motorcycle", "bicycle",
            "traffic_cone", "barrier")  # fmt: skip
# What is seen without red, green and blue cones: Machado, Oliveira and Fernandes 2009, severity 1, on linear RGB.
CONES = {
    "none": [[1, 0, 0], [0, 1, 0], [0, 0, 1]],
    "protan": [[0.152286, 1.052583, -0.204868], [0.114503, 0.786281, 0.099216], [-0.003882, -0.048116, 1.051998]],
    "deutan": [[0.367322, 0.860646, -0.227968], [0.280085, 0.672501, 0.047413], [-0.011820, 0.042940, 0.968881]],
    "tritan": [[1.255528, -0.076749, -0.178779], [-0.078411, 0.930809, 0.147602], [0.004733, 0.691367, 0.303900]],
}  # fmt: skip


def cie_lab(colour: str, cones: str) -> np.ndarray:
    rgb = hex_to_rgb(colour)
    linear = np.where(rgb <= 0.04045, rgb / 12.92, ((rgb + 0.055) / 1.055) ** 2.4)
    seen = np.clip(np.array(CONES[cones]) @ linear, 0, 1)
    xyz = np.array([[0.4124, 0.3576, 0.1805], [0.2126, 0.7152, 0.0722], [0.0193, 0.1192, 0.9505]]) @ seen
    f = np.cbrt(np.maximum(xyz / [0.9505, 1, 1.089], 0.008856))
    return np.array([116 * f[1] - 16, 500 * (f[0] - f[1]), 200 * (f[1] - f[2])])


@pytest.mark.parametrize("cones", CONES)
@pytest.mark.parametrize(("theme", "least"), [("dark", 20), ("light", 13)])
def test_no_two_classes_look_alike_to_anyone(theme: str, least: float, cones: str) -> None:
    colours = {name: cie_lab(colour, cones) for name, colour in class_colours(NUSCENES, theme=theme).items()}
    nearest = min((float(np.linalg.norm(colours[a] - colours[b])), a, b) for a, b in combinations(colours, 2))
    assert nearest[0] > least, nearest


def test_a_class_keeps_its_colour_and_unknown_ones_get_their_own() -> None:
    nuscenes = class_colours(NUSCENES)
    kitti = class_colours(("Car", "Pedestrian", "Cyclist"))
    assert [kitti[n] for n in ("Car", "Pedestrian", "Cyclist")] == [
        nuscenes[n] for n in ("car", "pedestrian", "bicycle")
    ]
    strange = class_colours(("car", "sheep", "goat"))
    assert len(set(strange.values())) == 4  # with "other"


def test_ramp_and_mix() -> None:
    ramp = colour_ramp(np.array([-1.0, 0.0, 0.25, 0.5, 1.0, 2.0, np.nan]), ("#000000", "#ff0000", "#ffffff"))
    np.testing.assert_allclose(ramp[:, 0], [0, 0, 0.5, 1, 1, 1, 0])
    np.testing.assert_allclose(ramp[:, 1], [0, 0, 0, 0, 1, 1, 0])
    assert mix("#000000", "#ffffff", 0.5) == "#808080"
