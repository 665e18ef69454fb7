// Area of the convex hull of two rectangles, with its gradient.
//
// The outer normals of both, sorted, are known beforehand: those of the target are the axes of its frame, those of
// the other lie one in each quadrant. Between two neighbours each rectangle is supported by one corner, and at each
// normal the farther of the two supports is a comparison of two numbers. So the hull is walked without a sort, a
// tolerance or a list, and a wrong decision between equal supports moves the area by rounding only.
#pragma once
#include "overlap_gradient.cuh"

// By the centre of the other rectangle in the target's frame, by the half sizes of both, by the turn
template <typename T> struct Hull { T area, x, y, length, width, target_length, target_width, turn; };

// f: the other rectangle (bx, by) in the frame of the target (ax, ay), its direction in the first quadrant
template <typename T> struct HullCorner { T x, y, sign_x, sign_y; bool is_target; };

template <typename T> HD HullCorner<T> hull_corner(const Frame<T>& f, int interval, bool is_target) {
    if (is_target) {
        const T sign_x = interval < 2 || interval >= 6 ? T(1) : T(-1), sign_y = interval < 4 ? T(1) : T(-1);
        return {sign_x * f.ax, sign_y * f.ay, sign_x, sign_y, true};
    }
    const int corner = ((interval + 1) >> 1) & 3;
    const T sign_x = corner < 2 ? T(1) : T(-1), sign_y = corner == 1 || corner == 2 ? T(1) : T(-1);
    const T p = sign_x * f.bx, q = sign_y * f.by;
    return {f.x + p * f.c - q * f.s, f.y + p * f.s + q * f.c, sign_x, sign_y, false};
}

// An edge's two ends move with their rectangles: half of its normal each
template <typename T> HD void add_hull_end(Hull<T>& h, const Frame<T>& f, const HullCorner<T>& corner, T nx, T ny) {
    if (corner.is_target) {
        h.target_length += corner.sign_x * nx;
        h.target_width += corner.sign_y * ny;
        return;
    }
    h.x += nx;
    h.y += ny;
    h.length += corner.sign_x * (nx * f.c + ny * f.s);
    h.width += corner.sign_y * (ny * f.c - nx * f.s);
    h.turn += ny * (corner.x - f.x) - nx * (corner.y - f.y);
}

template <typename T>
HD void add_hull_edge(Hull<T>& h, const Frame<T>& f, const HullCorner<T>& start, const HullCorner<T>& end) {
    const T dx = end.x - start.x, dy = end.y - start.y;
    // the arm to the end that belongs to the target is short, however far apart the two are
    const bool by_end = end.is_target && !start.is_target;
    const T arm_x = by_end ? end.x : start.x, arm_y = by_end ? end.y : start.y;
    h.area += T(0.5) * (arm_x * dy - arm_y * dx);
    add_hull_end(h, f, start, T(0.5) * dy, T(-0.5) * dx);
    add_hull_end(h, f, end, T(0.5) * dy, T(-0.5) * dx);
}

// winners: bit k is set where the target's support is the farther one at normal k
template <typename T> HD void walk_hull(Hull<T>& h, const Frame<T>& f, unsigned winners) {
    HullCorner<T> last = hull_corner(f, 7, winners & 1u);
#pragma unroll 1
    for (int k = 0; k < 8; ++k) {
        const bool now = (winners >> k) & 1u, next = (winners >> ((k + 1) & 7)) & 1u;
        HullCorner<T> corner = hull_corner(f, k, now);
        add_hull_edge(h, f, last, corner);
        last = corner;
        if (next == now) continue;
        corner = hull_corner(f, k, next);
        add_hull_edge(h, f, last, corner);
        last = corner;
    }
}

template <typename T> HD void add_winner(unsigned& farther, unsigned& ties, unsigned bit, T target, T other) {
    farther |= target > other ? 1u << bit : 0u;
    ties |= target == other ? 1u << bit : 0u;
}

// f: the other rectangle in the target's frame. Where supports are equal, half of the target's and half of the other's
// gradient: that of equal rectangles is then that of their mean.
template <typename T> HD Hull<T> hull_of(Frame<T> f) {
    // whole quarter turns of a rectangle exchange its sides
    const bool is_swapped = (f.c >= T(0)) != (f.s >= T(0));
    const T c = abs_of(is_swapped ? f.s : f.c), s = abs_of(is_swapped ? f.c : f.s);
    const T bx = is_swapped ? f.by : f.bx, by = is_swapped ? f.bx : f.by;
    f.c = c, f.s = s, f.bx = bx, f.by = by;
    const T wide = bx * c + by * s, high = bx * s + by * c, far_x = f.ax * c + f.ay * s, far_y = f.ax * s + f.ay * c;
    const T along = f.x * c + f.y * s, across = f.y * c - f.x * s;
    unsigned farther = 0, ties = 0;
    add_winner(farther, ties, 0, f.ax, wide + f.x), add_winner(farther, ties, 1, far_x, bx + along);
    add_winner(farther, ties, 2, f.ay, high + f.y), add_winner(farther, ties, 3, far_y, by + across);
    add_winner(farther, ties, 4, f.ax, wide - f.x), add_winner(farther, ties, 5, far_x, bx - along);
    add_winner(farther, ties, 6, f.ay, high - f.y), add_winner(farther, ties, 7, far_y, by - across);
    Hull<T> h{0, 0, 0, 0, 0, 0, 0, 0};
    walk_hull(h, f, farther);
    walk_hull(h, f, farther | ties);
    h = {T(0.5) * h.area, T(0.5) * h.x, T(0.5) * h.y, T(0.5) * h.length, T(0.5) * h.width, T(0.5) * h.target_length,
         T(0.5) * h.target_width, T(0.5) * h.turn};
    if (is_swapped) {
        const T length = h.length;
        h.length = h.width, h.width = length;
    }
    return h;
}
