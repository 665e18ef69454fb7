// Overlap of two rotated boxes by the clamp integral; the arithmetic of cpu/_overlap_block.py in float or double.
//
// Everything happens on the difference of the centres, in the frame of one of the two boxes, and on the sine and
// cosine of the difference of the yaws: neither a place far from the origin nor a yaw of many turns costs digits.
#pragma once
#include "common.cuh"

enum OverlapKind {
    INTERSECTION_BEV, IOU_BEV, IOU_3D, GIOU_BEV, GIOU_3D, DIOU_BEV, DIOU_3D, CIOU_BEV, CIOU_3D, EIOU_BEV, EIOU_3D,
    GIOU_HULL_BEV, GIOU_HULL_3D,
};

// What is larger, in any column, describes no box; what is thinner has no extent. Products of three sizes and
// quotients by them then stay inside the type.
template <typename T> struct Limits;
template <> struct Limits<float> {
    static constexpr float eps = 1.1920929e-7f, largest = 1e12f, smallest = 1e-12f;
};
template <> struct Limits<double> {
    static constexpr double eps = 2.220446049250313e-16, largest = 1e40, smallest = 1e-40;
};

template <typename T> struct Rectangle {  // seven columns; sizes are at least 0; of what is no box all are 0
    T x, y, z, length, width, height, yaw;
    bool is_box;
};

// B in the frame of A: centre, direction, half sizes of both
template <typename T> struct Frame { T x, y, c, s, ax, ay, bx, by; };

// The angle less whole quarter turns, and their count. Exact products (fma) and three parts of pi/2: the absolute
// error is that of the type as long as neighbouring numbers are less than a quarter turn apart; beyond, 0.
HD double less_quarter_turns(double angle, double& turns) {
    if (!(fabs(angle) < 1e15)) angle = 0;
    turns = rint(angle * 0.6366197723675814);
    double rest = fma(-turns, 1.5707963267948966, angle);
    rest = fma(-turns, 6.123233995736766e-17, rest);
    return fma(-turns, -1.4973849048591833e-33, rest);
}
HD float less_quarter_turns(float angle, float& turns) {
    if (!(fabsf(angle) < 1e5f)) {
        double many;
        const double rest = less_quarter_turns((double)angle, many);
        turns = (float)(many - 4 * floor(0.25 * many));
        return (float)rest;
    }
    turns = rintf(angle * 0.63661975f);
    float rest = fmaf(-turns, 1.57079637f, angle);
    rest = fmaf(-turns, -4.37113883e-8f, rest);
    return fmaf(-turns, -1.71512489e-15f, rest);
}

HD double sine_series(double r, double q) {
    double p = 1.0 / 355687428096000.0;
    p = fma(p, q, -1.0 / 1307674368000.0);
    p = fma(p, q, 1.0 / 6227020800.0);
    p = fma(p, q, -1.0 / 39916800.0);
    p = fma(p, q, 1.0 / 362880.0);
    p = fma(p, q, -1.0 / 5040.0);
    p = fma(p, q, 1.0 / 120.0);
    p = fma(p, q, -1.0 / 6.0);
    return fma(r * q, p, r);
}
HD double cosine_series(double q) {
    double p = -1.0 / 6402373705728000.0;
    p = fma(p, q, 1.0 / 20922789888000.0);
    p = fma(p, q, -1.0 / 87178291200.0);
    p = fma(p, q, 1.0 / 479001600.0);
    p = fma(p, q, -1.0 / 3628800.0);
    p = fma(p, q, 1.0 / 40320.0);
    p = fma(p, q, -1.0 / 720.0);
    p = fma(p, q, 1.0 / 24.0);
    p = fma(p, q, -0.5);
    return fma(p, q, 1.0);
}
HD float sine_series(float r, float q) {
    float p = fmaf(1.0f / 362880.0f, q, -1.0f / 5040.0f);
    p = fmaf(p, q, 1.0f / 120.0f);
    p = fmaf(p, q, -1.0f / 6.0f);
    return fmaf(r * q, p, r);
}
HD float cosine_series(float q) {
    float p = fmaf(-1.0f / 3628800.0f, q, 1.0f / 40320.0f);
    p = fmaf(p, q, -1.0f / 720.0f);
    p = fmaf(p, q, 1.0f / 24.0f);
    p = fmaf(p, q, -0.5f);
    return fmaf(p, q, 1.0f);
}

// Sine and cosine without the stack frame that the device's own keep for large angles.
template <typename T> HD void turn_of(T angle, T& s, T& c) {
    T turns;
    const T rest = less_quarter_turns(angle, turns), square = rest * rest;
    const T sine = sine_series(rest, square), cosine = cosine_series(square);
    const T half_turns = floor(turns * T(0.5));
    const bool is_odd = turns != T(2) * half_turns, is_negative = half_turns != T(2) * floor(half_turns * T(0.5));
    s = is_odd ? cosine : sine;
    c = is_odd ? -sine : cosine;
    s = is_negative ? -s : s;
    c = is_negative ? -c : c;
}

// Direction of B in the frame of A; what rounding took from the difference of the yaws is given back.
template <typename T> HD void relative_turn(T yaw_a, T yaw_b, T& s, T& c) {
    const T turn = yaw_b - yaw_a, back = turn - yaw_b;
    const T lost = (yaw_b - (turn - back)) - (yaw_a + back);
    turn_of(turn, s, c);
    const T sine = s;
    s = s + c * lost;
    c = c - sine * lost;
}

template <typename T> HD Rectangle<T> make_box(T x, T y, T z, T length, T width, T height, T yaw) {
    const T most = Limits<T>::largest, least = Limits<T>::smallest;
    // comparisons that a NaN fails
    const bool is_box = abs_of(x) <= most && abs_of(y) <= most && abs_of(z) <= most && abs_of(length) <= most &&
                        abs_of(width) <= most && abs_of(height) <= most && abs_of(yaw) <= most;
    if (!is_box) return {0, 0, 0, 0, 0, 0, 0, false};
    return {x, y, z, length < least ? T(0) : length, width < least ? T(0) : width, height < least ? T(0) : height,
            yaw, true};
}

template <typename S> HD Rectangle<typename Real<S>::type> load_box(const S* row) {
    return make_box(to_real(row[0]), to_real(row[1]), to_real(row[2]), to_real(row[3]), to_real(row[4]),
                    to_real(row[5]), to_real(row[6]));
}

template <typename T> HD Frame<T> frame_of(const Rectangle<T>& a, const Rectangle<T>& b, T sin_a, T cos_a) {
    const T dx = b.x - a.x, dy = b.y - a.y;
    Frame<T> f;
    f.x = cos_a * dx + sin_a * dy;
    f.y = cos_a * dy - sin_a * dx;
    relative_turn(a.yaw, b.yaw, f.s, f.c);
    f.ax = T(0.5) * a.length, f.ay = T(0.5) * a.width;
    f.bx = T(0.5) * b.length, f.by = T(0.5) * b.width;
    return f;
}

// Twice the integral of clamp(y, -ay, ay) dx along an edge, x clamped to [-ax, ax]. Both ordinates start at their own
// end point, so that an edge inside is exact; the quotient is multiplied by what vanishes with its denominator.
template <typename T> HD T edge_integral(T x0, T y0, T x1, T y1, T slope, T ax, T ay) {
    const T xa = clamp_to(x0, -ax, ax), xb = clamp_to(x1, -ax, ax);
    const T ya = y0 + (xa - x0) * slope, yb = y1 + (xb - x1) * slope;
    const T ca = clamp_to(ya, -ay, ay), cb = clamp_to(yb, -ay, ay);
    const T rise = yb - ya;
    const T g = (cb - ca) / (rise != T(0) ? rise : T(1));
    return (xb - xa) * ((ca + cb) + g * ((ya - ca) + (yb - cb)));
}

// The four separating axes: disjoint or only touching.
template <typename T> HD bool are_apart(const Frame<T>& f) {
    const T c = abs_of(f.c), s = abs_of(f.s);
    return abs_of(f.x) >= f.ax + f.bx * c + f.by * s || abs_of(f.y) >= f.ay + f.bx * s + f.by * c ||
           abs_of(f.x * f.c + f.y * f.s) >= f.bx + f.ax * c + f.ay * s ||
           abs_of(f.y * f.c - f.x * f.s) >= f.by + f.ax * s + f.ay * c;
}

template <typename T> HD T intersection_area(const Frame<T>& f) {
    if (are_apart(f)) return T(0);
    const T guard = T(4) * Limits<T>::eps;
    const T ux = f.bx * f.c, uy = f.bx * f.s, vx = -f.by * f.s, vy = f.by * f.c;
    const T slope_u = f.s / (abs_of(f.c) > guard ? f.c : guard), slope_v = -f.c / (abs_of(f.s) > guard ? f.s : guard);
    const T x0 = f.x + ux + vx, y0 = f.y + uy + vy, x1 = f.x - ux + vx, y1 = f.y - uy + vy;
    const T x2 = f.x - ux - vx, y2 = f.y - uy - vy, x3 = f.x + ux - vx, y3 = f.y + uy - vy;
    T twice = edge_integral(x0, y0, x1, y1, slope_u, f.ax, f.ay);
    twice += edge_integral(x1, y1, x2, y2, slope_v, f.ax, f.ay);
    twice += edge_integral(x2, y2, x3, y3, slope_u, f.ax, f.ay);
    twice += edge_integral(x3, y3, x0, y0, slope_v, f.ax, f.ay);
    return clamp_to(T(-0.5) * twice, T(0), min_of(T(4) * f.ax * f.ay, T(4) * f.bx * f.by));
}

// Length that two boxes share along z, from the difference of their centres
template <typename T> HD T common_height(T z, T half_a, T half_b) {
    const T common = min_of(half_a, z + half_b) - max_of(-half_a, z - half_b);
    return clamp_to(common, T(0), T(2) * min_of(half_a, half_b));
}

template <typename T> HD T ratio_of(T both, T one, T other) {
    const T all = one + other - both;
    return all > T(0) ? min_of(both / all, T(1)) : T(0);
}

template <typename T> HD T footprint(const Rectangle<T>& box) { return box.length * box.width; }
template <typename T> HD T volume(const Rectangle<T>& box) { return box.length * box.width * box.height; }

// INTERSECTION_BEV, IOU_BEV or IOU_3D from the area that the footprints share
template <typename T> HD T plain_overlap(const Rectangle<T>& a, const Rectangle<T>& b, T area, i64 kind) {
    if (kind == INTERSECTION_BEV) return area;
    if (kind == IOU_BEV) return ratio_of(area, footprint(a), footprint(b));
    const T both = area * common_height(b.z - a.z, T(0.5) * a.height, T(0.5) * b.height);
    return ratio_of(both, volume(a), volume(b));
}
