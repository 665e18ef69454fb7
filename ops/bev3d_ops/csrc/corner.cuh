// Corner losses of one pair of boxes and their slopes by both, as ops/bev3d_ops/cpu/_corner_variants.py derives them:
// in the frame of the target, four differences of corners e_k = (x, y) + sigma_k U + tau_k V at two heights.
#pragma once
#include "common.cuh"

enum CornerVariant { PER_BOX, PER_CORNER, HUBER_SUM };

template <typename T> HD T not_negative(T value) { return value < T(0) ? T(0) : value; }  // NaN stays
template <typename T> HD T inverse_or_1(T value) { return T(1) / (value == T(0) ? T(1) : value); }
template <typename T> HD T at_most_1(T value) { return value > T(1) ? T(1) : value; }
// h(r) for r >= 0; at_most_1(r) is its slope
template <typename T> HD T huber(T r) {
    const T q = at_most_1(r);
    return q * (r - T(0.5) * q);
}
template <typename T> HD T huber_slope(T e) { return e < T(0) ? -at_most_1(-e) : at_most_1(e); }

template <typename T> struct Vector { T x, y; };
template <typename T> HD Vector<T> turned(Vector<T> v, T c, T s) { return {c * v.x - s * v.y, s * v.x + c * v.y}; }

// The differences of the corners, seen from above, for one heading of the target.
template <typename T> struct Corners {
    Vector<T> e[4];
    HD Corners(Vector<T> shift, Vector<T> u, Vector<T> v) {
        e[0] = {shift.x + u.x + v.x, shift.y + u.y + v.y};
        e[1] = {shift.x - u.x + v.x, shift.y - u.y + v.y};
        e[2] = {shift.x - u.x - v.x, shift.y - u.y - v.y};
        e[3] = {shift.x + u.x - v.x, shift.y + u.y - v.y};
    }
};

// Sums of d loss / d e_k: plain, with the signs of U, with those of V; by the prediction and by the target, whose U
// and V carry the sign of the heading.
template <typename T> struct CornerSlopes {
    Vector<T> shift{0, 0}, u{0, 0}, v{0, 0}, u_target{0, 0}, v_target{0, 0};
    T low = 0, high = 0;
    HD void add(int k, Vector<T> g, T heading) {
        const T a = k == 0 || k == 3 ? T(1) : T(-1), b = k < 2 ? T(1) : T(-1);
        shift = {shift.x + g.x, shift.y + g.y};
        u = {u.x + a * g.x, u.y + a * g.y};
        v = {v.x + b * g.x, v.y + b * g.y};
        u_target = {u_target.x + heading * a * g.x, u_target.y + heading * a * g.y};
        v_target = {v_target.x + heading * b * g.x, v_target.y + heading * b * g.y};
    }
};

template <typename T> HD T squared(Vector<T> e) { return e.x * e.x + e.y * e.y; }

template <typename T> HD T sum_of_lengths(const Corners<T>& corners, T low, T high) {
    T sum = 0;
#pragma unroll
    for (int k = 0; k < 4; ++k) {
        const T flat = squared(corners.e[k]);
        sum += sqrt(flat + low * low) + sqrt(flat + high * high);
    }
    return sum;
}

template <typename T>
HD T loss_per_box(const Corners<T>& own, const Corners<T>& other, T low, T high, T flip, CornerSlopes<T>& slopes) {
    const T own_sum = sum_of_lengths(own, low, high), other_sum = sum_of_lengths(other, low, high);
    const bool is_turned = other_sum < own_sum;
    T at_low = 0, at_high = 0;
#pragma unroll
    for (int k = 0; k < 4; ++k) {
        const Vector<T> e = is_turned ? other.e[k] : own.e[k];
        const T a = inverse_or_1(sqrt(squared(e) + low * low)), b = inverse_or_1(sqrt(squared(e) + high * high));
        at_low += a, at_high += b;
        slopes.add(k, {(a + b) * e.x, (a + b) * e.y}, is_turned ? flip : T(1));
    }
    slopes.low = low * at_low, slopes.high = high * at_high;
    return is_turned ? other_sum : own_sum;
}

template <typename T>
HD T loss_per_corner(const Corners<T>& own, const Corners<T>& other, T low, T high, T flip, CornerSlopes<T>& slopes) {
    T sum = 0, at_low = 0, at_high = 0;
#pragma unroll
    for (int k = 0; k < 4; ++k) {
        const T own_flat = squared(own.e[k]), other_flat = squared(other.e[k]);
        const bool is_turned = other_flat < own_flat;  // at both heights alike
        const Vector<T> e = is_turned ? other.e[k] : own.e[k];
        const T flat = is_turned ? other_flat : own_flat;
        const T bottom = sqrt(flat + low * low), top = sqrt(flat + high * high);
        sum += huber(bottom) + huber(top);
        const T a = T(0.125) * at_most_1(bottom) * inverse_or_1(bottom);
        const T b = T(0.125) * at_most_1(top) * inverse_or_1(top);
        at_low += a, at_high += b;
        slopes.add(k, {(a + b) * e.x, (a + b) * e.y}, is_turned ? flip : T(1));
    }
    slopes.low = low * at_low, slopes.high = high * at_high;
    return T(0.125) * sum;
}

template <typename T> HD T sum_of_hubers(const Corners<T>& corners) {
    T sum = 0;
#pragma unroll
    for (int k = 0; k < 4; ++k) sum += huber(fabs(corners.e[k].x)) + huber(fabs(corners.e[k].y));
    return sum;
}

template <typename T>
HD T loss_huber_sum(const Corners<T>& own, const Corners<T>& other, T low, T high, T flip, CornerSlopes<T>& slopes) {
    const T own_sum = sum_of_hubers(own), other_sum = sum_of_hubers(other);
    const bool is_turned = other_sum < own_sum;
#pragma unroll
    for (int k = 0; k < 4; ++k) {
        const Vector<T> e = is_turned ? other.e[k] : own.e[k];
        slopes.add(k, {T(2) * huber_slope(e.x), T(2) * huber_slope(e.y)}, is_turned ? flip : T(1));
    }
    slopes.low = T(4) * huber_slope(low), slopes.high = T(4) * huber_slope(high);
    return T(2) * (is_turned ? other_sum : own_sum) + T(4) * (huber(fabs(low)) + huber(fabs(high)));
}

// 8 sum_k max(0, m/1000 - size_k), m the target's smallest size; and no other slope by a negative size, which counts as 0
template <typename T> HD T penalise_collapse(const T* p, const T* t, T* by_p, T* by_t) {
    const T least = min_of(min_of(t[3], t[4]), t[5]), floor = T(1e-3) * max_of(least, T(0));
    T penalty = 0, lacking = 0, equal = 0;
#pragma unroll
    for (int k = 3; k < 6; ++k) {
        if (p[k] < T(0)) by_p[k] = 0;
        if (t[k] < T(0)) by_t[k] = 0;
        equal += t[k] == least ? T(1) : T(0);
        if (p[k] < floor) penalty += T(8) * (floor - p[k]), by_p[k] -= T(8), lacking += T(1);
    }
#pragma unroll
    for (int k = 3; k < 6; ++k)
        if (least > T(0) && t[k] == least) by_t[k] += T(8e-3) * lacking / equal;
    return penalty;
}

// Loss of the pair p, t (x, y, z, length, width, height, yaw) and its slopes; flip is -1 to turn the target, else 1.
template <int VARIANT, typename T> HD T corner_pair(const T* p, const T* t, T flip, T* by_p, T* by_t) {
    T c, s, ct, st;
    sin_cos(p[6] - t[6], s, c);
    sin_cos(t[6], st, ct);
    const T half_length = T(0.5) * not_negative(p[3]), half_width = T(0.5) * not_negative(p[4]);
    const T a = T(0.5) * not_negative(t[3]), b = T(0.5) * not_negative(t[4]);
    const T grown = T(0.5) * (not_negative(p[5]) - not_negative(t[5])), dz = p[2] - t[2];
    const T low = dz - grown, high = dz + grown;
    const Vector<T> u{half_length * c, half_length * s}, v{-half_width * s, half_width * c};
    Vector<T> shift{p[0] - t[0], p[1] - t[1]};
    Vector<T> own_u{u.x - a, u.y}, own_v{v.x, v.y - b}, other_u{u.x - flip * a, u.y}, other_v{v.x, v.y - flip * b};
    if (VARIANT == HUBER_SUM) {  // along the axes of the world
        own_u = turned(own_u, ct, st), own_v = turned(own_v, ct, st);
        other_u = turned(other_u, ct, st), other_v = turned(other_v, ct, st);
    } else {
        shift = turned(shift, ct, -st);
    }
    const Corners<T> own(shift, own_u, own_v), other(shift, other_u, other_v);
    CornerSlopes<T> g;
    const T loss = VARIANT == PER_BOX      ? loss_per_box(own, other, low, high, flip, g)
                   : VARIANT == PER_CORNER ? loss_per_corner(own, other, low, high, flip, g)
                                           : loss_huber_sum(own, other, low, high, flip, g);
    if (VARIANT == HUBER_SUM) {
        g.u = turned(g.u, ct, -st), g.v = turned(g.v, ct, -st);
        g.u_target = turned(g.u_target, ct, -st), g.v_target = turned(g.v_target, ct, -st);
    } else {
        g.shift = turned(g.shift, ct, st);
    }
    by_p[0] = g.shift.x, by_p[1] = g.shift.y, by_p[2] = g.low + g.high;
    by_p[3] = T(0.5) * (g.u.x * c + g.u.y * s);
    by_p[4] = T(0.5) * (g.v.y * c - g.v.x * s);
    by_p[5] = T(0.5) * (g.high - g.low);
    by_p[6] = half_length * (g.u.y * c - g.u.x * s) - half_width * (g.v.x * c + g.v.y * s);
    by_t[0] = -by_p[0], by_t[1] = -by_p[1], by_t[2] = -by_p[2];
    by_t[3] = T(-0.5) * g.u_target.x, by_t[4] = T(-0.5) * g.v_target.y, by_t[5] = -by_p[5];
    by_t[6] = b * g.v_target.x - a * g.u_target.y;
    return loss + penalise_collapse(p, t, by_p, by_t);
}
