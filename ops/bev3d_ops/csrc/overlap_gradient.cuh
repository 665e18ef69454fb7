// Gradient of area, volume and IoU: the boundary's normal velocity, integrated over what of it is inside the other
// box (formulas in reference/_intersection.py).
#pragma once
#include "overlap.cuh"

template <typename T> struct Columns { T x, y, z, length, width, height, yaw; };
template <typename T> struct PairGradient { Columns<T> a, b; };

template <typename T> struct Span { T low, high; };

// The part of the span, in metres from the middle of an edge, over which |middle + t / inverse| <= half
template <typename T> HD Span<T> inside_of(T middle, T inverse, T half, Span<T> span) {
    const T one = (-half - middle) * inverse, other = (half - middle) * inverse;
    return {clamp_to(min_of(one, other), span.low, span.high), clamp_to(max_of(one, other), span.low, span.high)};
}

template <typename T> struct BoundaryGradient { T x, y, length, width, yaw; };

// Adds one edge of B: (nx, ny) its outward normal, (ix, iy) one over its direction. Returns the length inside A.
template <typename T>
HD T add_edge(BoundaryGradient<T>& g, const Frame<T>& f, T offset, T half, T nx, T ny, T ix, T iy) {
    Span<T> span = inside_of(f.x + offset * nx, ix, f.ax, Span<T>{-half, half});
    span = inside_of(f.y + offset * ny, iy, f.ay, span);
    const T length = span.high - span.low;
    g.x += length * nx;
    g.y += length * ny;
    g.yaw -= T(0.5) * length * (span.high + span.low);
    return length;
}

// Derivative of the area by B's centre (in A's frame), length, width and yaw. A sine or cosine below the guard is only
// rounding and counts as the positive guard: coincident edges are then inside by half, one end on one side and the
// other end on the opposite side, and the gradient of equal boxes is 0.
template <typename T> HD BoundaryGradient<T> boundary_gradient(const Frame<T>& f, T guard) {
    const bool flat_c = abs_of(f.c) < guard, flat_s = abs_of(f.s) < guard;
    const T ic = T(1) / (flat_c ? guard : f.c), is = T(1) / (flat_s ? guard : f.s);
    const T minus_ic = flat_c ? ic : -ic, minus_is = flat_s ? is : -is;
    BoundaryGradient<T> g{0, 0, 0, 0, 0};
    const T top = add_edge(g, f, f.by, f.bx, -f.s, f.c, minus_ic, minus_is);
    const T left = add_edge(g, f, f.bx, f.by, -f.c, -f.s, is, minus_ic);
    const T bottom = add_edge(g, f, f.by, f.bx, f.s, -f.c, ic, is);
    const T right = add_edge(g, f, f.bx, f.by, f.c, f.s, minus_is, ic);
    g.length = T(0.5) * (left + right);
    g.width = T(0.5) * (top + bottom);
    return g;
}

// The sine or cosine below which a turn is only the rounding of the yaws that it comes from. In float no more than the
// rounding of a sine: what two yaws differ by is exact here, and slender boxes notice the rest.
HD double angle_guard(double yaw_a, double yaw_b) {
    return 4 * Limits<double>::eps * (1 + max_of(abs_of(yaw_a), abs_of(yaw_b)));
}
HD float angle_guard(float, float) { return 4 * Limits<float>::eps; }

// A in the frame of B, from B in the frame of A
template <typename T> HD Frame<T> reversed(const Frame<T>& f) {
    return {-(f.c * f.x + f.s * f.y), -(f.c * f.y - f.s * f.x), f.c, -f.s, f.bx, f.by, f.ax, f.ay};
}

// Gradient of the area of intersection; 0 where the boxes are apart or touch. The shift is taken from one boundary, so
// that what moves A and what moves B cancel exactly.
template <typename T>
HD PairGradient<T> area_gradient(const Frame<T>& f, T guard, T sin_a, T cos_a) {
    PairGradient<T> g{};
    if (are_apart(f)) return g;
    const BoundaryGradient<T> by_b = boundary_gradient(f, guard), by_a = boundary_gradient(reversed(f), guard);
    g.b.x = cos_a * by_b.x - sin_a * by_b.y;
    g.b.y = sin_a * by_b.x + cos_a * by_b.y;
    g.b.length = by_b.length, g.b.width = by_b.width, g.b.yaw = by_b.yaw;
    g.a.x = -g.b.x, g.a.y = -g.b.y;
    g.a.length = by_a.length, g.a.width = by_a.width, g.a.yaw = by_a.yaw;
    return g;
}

// 1 where one > other, 1/2 where equal, 0 below: the derivative of max(one, other) by the first
template <typename T> HD T share_of(T one, T other) { return one > other ? T(1) : one == other ? T(0.5) : T(0); }

template <typename T> HD void scale(Columns<T>& g, T by) {
    g.x *= by, g.y *= by, g.z *= by, g.length *= by, g.width *= by, g.height *= by, g.yaw *= by;
}

// From the area and its gradient to the volume and its gradient
template <typename T>
HD T lift_to_volume(const Rectangle<T>& a, const Rectangle<T>& b, T area, PairGradient<T>& g) {
    const T z = b.z - a.z, half_a = T(0.5) * a.height, half_b = T(0.5) * b.height;
    const T common = common_height(z, half_a, half_b);
    scale(g.a, common), scale(g.b, common);
    // apart along z: constant; touching counts as meeting, so that a flat box grows
    const bool meet = min_of(half_a, z + half_b) >= max_of(-half_a, z - half_b);
    const T weight = meet ? area : T(0);
    const T top_is_b = share_of(half_a, z + half_b), bottom_is_b = share_of(z - half_b, -half_a);
    g.b.z = weight * (top_is_b - bottom_is_b);
    g.a.z = -g.b.z;
    g.b.height = T(0.5) * weight * (top_is_b + bottom_is_b);
    g.a.height = weight - g.b.height;
    return area * common;
}

template <typename T> HD void add_size_gradient(Columns<T>& g, const Rectangle<T>& box, bool in_3d, T weight) {
    const T height = in_3d ? box.height : T(1);
    g.length += weight * box.width * height;
    g.width += weight * box.length * height;
    g.height += in_3d ? weight * box.length * box.width : T(0);
}

template <typename T> HD T extent_of(const Rectangle<T>& box, bool in_3d) {
    return box.length * box.width * (in_3d ? box.height : T(1));
}

// From what is shared and its gradient to IoU and its gradient: dIoU = ((1 + IoU) dI - IoU (dSa + dSb)) / U
template <typename T>
HD T turn_to_iou(const Rectangle<T>& a, const Rectangle<T>& b, bool in_3d, T both, PairGradient<T>& g) {
    const T all = extent_of(a, in_3d) + extent_of(b, in_3d) - both;
    const T inverse = all > T(0) ? T(1) / all : T(0), raw = all > T(0) ? both / all : T(0);
    scale(g.a, (T(1) + raw) * inverse), scale(g.b, (T(1) + raw) * inverse);
    add_size_gradient(g.a, a, in_3d, -raw * inverse), add_size_gradient(g.b, b, in_3d, -raw * inverse);
    return min_of(raw, T(1));  // what rounding puts above 1 has no part in the gradient
}

// Intersection, IoU or IoU of the volumes, and the gradient
template <typename T>
HD T plain_gradient(const Rectangle<T>& a, const Rectangle<T>& b, const Frame<T>& f, T guard, T sin_a, T cos_a,
                    bool is_area, bool in_3d, PairGradient<T>& g) {
    T both = intersection_area(f);
    g = area_gradient(f, guard, sin_a, cos_a);
    if (is_area) return both;
    if (in_3d) both = lift_to_volume(a, b, both, g);
    return turn_to_iou(a, b, in_3d, both, g);
}
