"""The ray caster against definitions: inside tests along rays, and every ray against every primitive."""

from __future__ import annotations

import math
from typing import Any

import numpy as np
import pytest
from numba import njit

from bev3d.boxes import corners_bev
from bev3d.synth._parts import Material, cone, ellipsoid, prism
from bev3d.synth._populate import build_world
from bev3d.synth._raycast import CONE, MAX_RANGE_M, PRISM, collides, count_inside
from bev3d.synth._raycast._intersect import hit_cone, hit_ellipsoid, hit_prism
from bev3d.synth._raycast._random import normal, uniform
from bev3d.synth._scanner import HDL32E, HDL64E, Scanner, scan
from bev3d.synth._world import World, move

SOLID = Material(80.0)
PRIMITIVES = {
    "prism": prism(SOLID, (-1.5, -1.0), (2.0, 0.5), (1.2, 0.7), (0.2, 1.9), y=0.3),
    "leaning prism": prism(SOLID, (-1.0, 1.0), (0.0, 2.0), (0.4, 0.4), (-0.5, 1.5)),
    "cone": cone(SOLID, 0.4, -0.3, (1.1, 0.2), (0.1, 1.6)),
    "cylinder": cone(SOLID, 0.0, 0.0, (0.6, 0.6), (-0.4, 1.0)),
    "ellipsoid": ellipsoid(SOLID, -0.2, 0.3, (1.3, 0.6), (0.2, 1.4)),
}


def inside(row: np.ndarray, points: np.ndarray) -> np.ndarray:
    """Whether points (P, 3) lie in a primitive, by its definition."""
    x, y, z = points.T
    share = (z - row[12]) / (row[13] - row[12])
    between = (share >= 0) & (share <= 1)
    half = row[10] + share * (row[11] - row[10])
    if row[1] == PRISM:
        along = (x >= row[5] + share * (row[6] - row[5])) & (x <= row[7] + share * (row[8] - row[7]))
        return between & along & (np.abs(y - row[9]) <= half)
    if row[1] == CONE:
        return between & (np.hypot(x - row[5], y - row[9]) <= half)
    rz = 0.5 * (row[13] - row[12])
    return ((x - row[5]) / row[6]) ** 2 + ((y - row[9]) / row[10]) ** 2 + ((z - row[12] - rz) / rz) ** 2 <= 1


@pytest.mark.parametrize("name", PRIMITIVES)
def test_entry_and_exit_agree_with_the_definition(name: str) -> None:
    row = np.array(PRIMITIVES[name])
    hit = {PRISM: hit_prism, CONE: hit_cone}.get(int(row[1]), hit_ellipsoid)
    rng, hits = np.random.default_rng(0), 0
    for _ in range(400):
        origin = rng.normal(size=3)
        origin *= 6.0 / np.linalg.norm(origin)
        direction = rng.normal(scale=0.8, size=3) - origin
        direction /= np.linalg.norm(direction)
        if row[1] == CONE and abs(direction[2]) > 0.7:  # steeper than any ray of a scanner
            continue
        steps = np.linspace(0.0, 14.0, 2801)
        within = inside(row, origin + steps[:, None] * direction)
        near, far, cosine = hit(row, *origin, *direction)
        if near > far:
            assert within.sum() <= 1  # a corner may be grazed between two steps
            continue
        hits += 1
        assert 0.0 < cosine <= 1.0 + 1e-12
        if far - near > 0.01:
            assert abs(steps[within][0] - near) < 0.0051
            assert abs(steps[within][-1] - far) < 0.0051
    assert hits > 80


@njit
def every_ray(prims: Any, poses: Any, rotation: Any, origin: Any, elevations: Any, azimuths: Any) -> Any:
    """Nearest solid primitive of every ray, without windows."""
    rings = elevations.size
    owners = np.full(azimuths[2] * rings, -1)
    for ray in range(owners.size):
        azimuth, elevation = azimuths[0] + azimuths[1] * (ray // rings), elevations[ray % rings]
        local = np.array(
            [math.cos(elevation) * math.cos(azimuth), math.cos(elevation) * math.sin(azimuth), math.sin(elevation)]
        )
        world = rotation @ local
        best = MAX_RANGE_M
        for p in range(prims.shape[0]):
            pose = poses[int(prims[p, 0])]
            c, s = math.cos(pose[3]), math.sin(pose[3])
            rx, ry = origin[0] - pose[0], origin[1] - pose[1]
            place = (c * rx + s * ry, c * ry - s * rx, origin[2] - pose[2])
            way = (c * world[0] + s * world[1], c * world[1] - s * world[0], world[2])
            if prims[p, 1] == PRISM:
                near, far, _ = hit_prism(prims[p], place[0], place[1], place[2], way[0], way[1], way[2])
            elif prims[p, 1] == CONE:
                near, far, _ = hit_cone(prims[p], place[0], place[1], place[2], way[0], way[1], way[2])
            else:
                near, far, _ = hit_ellipsoid(prims[p], place[0], place[1], place[2], way[0], way[1], way[2])
            if 0.0 < near <= far and near < best:
                best, owners[ray] = near, int(prims[p, 0])
    return owners


@pytest.mark.parametrize("scanner", [HDL32E, HDL64E], ids=["whole turn", "sector"])
def test_windows_lose_no_ray(scanner: Scanner) -> None:
    from dataclasses import replace

    coarse = replace(scanner, azimuths=(scanner.azimuths[0], 4 * scanner.azimuths[1], scanner.azimuths[2] // 4))
    for seed in range(3):
        world = build_world(np.random.SeedSequence(seed), np.zeros(1))
        solid = replace(world, prims=world.prims[world.prims[:, 4] == 0.0])
        solid.ground.waves[:, 0] = 0.0
        solid.prims[:, 12] = solid.prims[:, 12].clip(min=0.0)  # the ground hides what scenery has below it
        rotation, place = coarse.pose(solid, 0.0)
        expected = every_ray(solid.prims, solid.poses(0.0), rotation, place, coarse.elevations, coarse.azimuths)
        found = np.bincount(expected[expected >= 0], minlength=len(solid.bodies))
        np.testing.assert_array_equal(scan_counts(solid, coarse), found)
        assert found.sum() > 1000


def scan_counts(world: World, scanner: Scanner) -> np.ndarray:
    """Rays that each body stops, with the phase of the sweep at 0."""
    from bev3d.synth._raycast import scan_kernel

    rotation, place = scanner.pose(world, 0.0)
    return scan_kernel(
        world.prims, world.poses(0.0), world.ground.waves, world.ground.road, rotation, place,
        scanner.elevations, scanner.azimuths, 0.0, np.uint64(0),
    )[3]  # fmt: skip


def test_returns_lie_on_their_owner_and_nothing_shines_through() -> None:
    own = inside_all = 0
    for seed in range(6):
        world = build_world(np.random.SeedSequence([7, seed]), np.zeros(1))
        seen = scan(world, HDL32E, 0.0, seed)
        assert np.isfinite(seen.points).all()
        assert set(np.unique(seen.points[:, 4])) <= set(range(32))
        assert seen.points[:, 3].min() >= 0
        assert seen.points[:, 3].max() <= 255
        assert np.nanmax(seen.visible) <= 1.0
        boxes = world.boxes(0.0)[:, :7]
        for i, box in enumerate(boxes):
            within = points_within(seen.points, seen.rotation, seen.place, box)
            own += int((seen.owners[within] == i).sum())
            inside_all += int(within.sum())
            mine = seen.points[seen.owners == i]
            grown = box + np.array([0, 0, 0, 0.2, 0.2, 0.2, 0])  # range noise has a standard deviation of 0.015
            assert points_within(mine, seen.rotation, seen.place, grown).all()
    assert inside_all > 2000
    assert own > 0.97 * inside_all


def points_within(points: np.ndarray, rotation: np.ndarray, place: np.ndarray, box: np.ndarray) -> np.ndarray:
    """Mask of the points in one upright box."""
    offset = points[:, :3].astype(np.float64) @ rotation.T + place - box[:3]
    c, s = math.cos(box[6]), math.sin(box[6])
    turned = np.column_stack([c * offset[:, 0] + s * offset[:, 1], c * offset[:, 1] - s * offset[:, 0], offset[:, 2]])
    return (np.abs(turned) <= 0.5 * box[3:6]).all(axis=1)


def test_count_inside_equals_the_mask() -> None:
    world = build_world(np.random.SeedSequence(11), np.zeros(1))
    seen = scan(world, HDL32E, 0.0, 4)
    boxes = world.boxes(0.0)[:, :7]
    counts = count_inside(seen.points, seen.rotation, seen.place, boxes)
    expected = [points_within(seen.points, seen.rotation, seen.place, box).sum() for box in boxes]
    np.testing.assert_array_equal(counts, expected)
    assert counts.sum() > 100


def test_bodies_never_overlap_on_their_way() -> None:
    shapely = pytest.importorskip("shapely")
    times = np.linspace(0.0, 2.0, 9)
    for seed in range(3):
        world = build_world(np.random.SeedSequence([3, seed]), times)
        for time in times[::4]:
            shapes = shapely.polygons(corners_bev(world.boxes(time)))
            ego = world.ego.copy()[None]
            x, y, yaw = move(ego, time)
            ego_box = np.array([[x[0], y[0], 0.0, ego[0, 5], ego[0, 6], 1.0, yaw[0]]])
            assert not shapely.intersects(shapes, shapely.polygons(corners_bev(ego_box))[0]).any()
            tree = shapely.STRtree(shapes)
            pairs = tree.query(shapes, predicate="intersects").T
            assert [pair for pair in pairs if pair[0] != pair[1]] == []


@pytest.mark.parametrize(
    ("body", "expected"),
    [
        ([4.1, 0.0, 0.0, 0.0, 0.0, 4.0, 2.0], False),
        ([3.9, 0.0, 0.0, 0.0, 0.0, 4.0, 2.0], True),
        ([0.0, 3.1, math.pi / 2, 0.0, 0.0, 4.0, 2.0], False),
        ([0.0, 2.9, math.pi / 2, 0.0, 0.0, 4.0, 2.0], True),
        ([10.0, 0.0, math.pi, 5.0, 0.0, 4.0, 2.0], True),  # arrives within two seconds
        ([10.0, 0.0, 0.0, 5.0, 0.0, 4.0, 2.0], False),
    ],
)
def test_collides(body: list[float], expected: bool) -> None:
    other = np.array([[0.0, 0.0, 0.0, 0.0, 0.0, 4.0, 2.0]])
    assert collides(np.array(body), other, 1, np.linspace(0.0, 2.0, 9), 0.0) is expected


def test_turning_bodies_follow_their_heading() -> None:
    body = np.array([[3.0, -2.0, 0.4, 5.0, 0.3, 4.0, 2.0]])
    before, after = np.array(move(body, 1.0 - 1e-5)), np.array(move(body, 1.0 + 1e-5))
    yaw = move(body, 1.0)[2][0]
    velocity = (after[:2] - before[:2])[:, 0] / 2e-5
    np.testing.assert_allclose(velocity, [5.0 * math.cos(yaw), 5.0 * math.sin(yaw)], rtol=1e-6)
    assert yaw == pytest.approx(0.7)


def test_random_numbers_are_uniform_and_normal() -> None:
    seed = np.uint64(9)
    flat = np.array([uniform(seed, 1, i) for i in range(20_000)])
    bell = np.array([normal(seed, 5, i) for i in range(20_000)])
    assert 0.0 < flat.min() < flat.max() < 1.0
    np.testing.assert_allclose(np.histogram(flat, 10, (0, 1))[0], 2000, atol=200)
    assert abs(bell.mean()) < 0.02
    assert abs(bell.std() - 1.0) < 0.02
    assert abs(np.corrcoef(flat[1:], flat[:-1])[0, 1]) < 0.03
