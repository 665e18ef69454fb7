// GIoU, DIoU, CIoU and EIoU on top of IoU, with gradients. The enclosing box is parallel to the sides of the target,
// the second box; GIoU also with the convex hull.
#pragma once
#include "overlap_hull.cuh"

// Extent of the enclosing box along one axis; its derivative by the target's half size is 2 - by_half
template <typename T> struct Extent { T size, by_centre, by_half; };

template <typename T> HD Extent<T> extent_along(T centre, T half, T own) {
    const T top = share_of(centre + half, own), bottom = share_of(-own, centre - half);
    const T size = max_of(centre + half, own) - min_of(centre - half, -own);
    return {size < Limits<T>::smallest ? T(0) : size, top - bottom, top + bottom};
}

// Derivatives of a term by what lies in the target's frame
template <typename T> struct FrameGradient {
    T x, y, z, turn;                             // centre and turn of the prediction
    T length, width, height;                     // its sizes
    T target_length, target_width, target_height;
};

template <typename T> struct Enclosing {
    Extent<T> x, y, z;
    T abs_c, abs_s, by_c, by_s;  // magnitudes, and their derivatives by the turn
};

template <typename T> HD Enclosing<T> enclose(const Frame<T>& r, T z, T height, T target_height) {
    Enclosing<T> e;
    e.abs_c = abs_of(r.c), e.abs_s = abs_of(r.s);
    e.by_c = r.c > T(0) ? -r.s : r.c < T(0) ? r.s : T(0);
    e.by_s = r.s > T(0) ? r.c : r.s < T(0) ? -r.c : T(0);
    e.x = extent_along(r.x, r.bx * e.abs_c + r.by * e.abs_s, r.ax);
    e.y = extent_along(r.y, r.bx * e.abs_s + r.by * e.abs_c, r.ay);
    e.z = extent_along(z, T(0.5) * height, T(0.5) * target_height);
    return e;
}

// Adds what the three extents' derivatives (wx, wy, wz) mean for the boxes
template <typename T>
HD void add_extents(FrameGradient<T>& g, const Frame<T>& r, const Enclosing<T>& e, T wx, T wy, T wz) {
    g.x += wx * e.x.by_centre, g.y += wy * e.y.by_centre, g.z += wz * e.z.by_centre;
    const T hx = wx * e.x.by_half, hy = wy * e.y.by_half, hz = wz * e.z.by_half;
    g.length += T(0.5) * (hx * e.abs_c + hy * e.abs_s);
    g.width += T(0.5) * (hx * e.abs_s + hy * e.abs_c);
    g.height += T(0.5) * hz;
    g.target_length += wx - T(0.5) * hx;
    g.target_width += wy - T(0.5) * hy;
    g.target_height += wz - T(0.5) * hz;
    g.turn += (hx * r.bx + hy * r.by) * e.by_c + (hx * r.by + hy * r.bx) * e.by_s;
}

// Adds the gradient in the target's frame to the columns of both
template <typename T>
HD void add_to_columns(PairGradient<T>& g, const FrameGradient<T>& f, const Frame<T>& r, T sin_b, T cos_b) {
    const T x = cos_b * f.x - sin_b * f.y, y = sin_b * f.x + cos_b * f.y;
    g.a.x += x, g.a.y += y, g.a.z += f.z;
    g.b.x -= x, g.b.y -= y, g.b.z -= f.z;
    g.a.length += f.length, g.a.width += f.width, g.a.height += f.height;
    g.b.length += f.target_length, g.b.width += f.target_width, g.b.height += f.target_height;
    g.a.yaw += f.turn;
    g.b.yaw += f.x * r.y - f.y * r.x - f.turn;
}

// What GIoU adds to IoU: U / C - 1, where U = (Sa + Sb) / (1 + IoU), so that one intersection serves both
template <typename T>
HD T giou_term(const Rectangle<T>& a, const Rectangle<T>& b, const Frame<T>& r, const Enclosing<T>& e, bool in_3d,
               bool by_hull, T iou, PairGradient<T>& g, FrameGradient<T>& f) {
    const T boxed = e.x.size * e.y.size;
    Hull<T> hull{boxed, 0, 0, 0, 0, 0, 0, 0};
    if (by_hull) hull = hull_of(r);
    // the hull of two lines in one is an area of rounding only
    const T area = boxed > T(0) && hull.area > Limits<T>::eps * boxed ? hull.area : T(0);
    const T enclosing = area * (in_3d ? e.z.size : T(1));
    const T sizes = extent_of(a, in_3d) + extent_of(b, in_3d);
    const T filled = enclosing > T(0) ? sizes / (T(1) + iou) / enclosing : T(0);
    if (!(enclosing > T(0))) return T(-1);
    const T keep = T(1) - filled / (T(1) + iou), weight = T(1) / ((T(1) + iou) * enclosing);
    scale(g.a, keep), scale(g.b, keep);
    add_size_gradient(g.a, a, in_3d, weight), add_size_gradient(g.b, b, in_3d, weight);
    const T wz = in_3d ? -filled / e.z.size : T(0);
    if (!by_hull) {
        add_extents(f, r, e, -filled / e.x.size, -filled / e.y.size, wz);
        return min_of(filled, T(1)) - T(1);
    }
    add_extents(f, r, e, T(0), T(0), wz);
    const T w = -filled / area;
    f.x += w * hull.x, f.y += w * hull.y, f.turn += w * hull.turn;
    f.length += T(0.5) * w * hull.length, f.width += T(0.5) * w * hull.width;
    f.target_length += T(0.5) * w * hull.target_length, f.target_width += T(0.5) * w * hull.target_width;
    return min_of(filled, T(1)) - T(1);
}

// -d^2 / c^2: distance of the centres by the diagonal of the enclosing box
template <typename T>
HD T distance_term(const Frame<T>& r, T z, const Enclosing<T>& e, bool in_3d, FrameGradient<T>& f) {
    const T ez = in_3d ? e.z.size : T(0);
    z = in_3d ? z : T(0);
    const T distance = r.x * r.x + r.y * r.y + z * z, diagonal = e.x.size * e.x.size + e.y.size * e.y.size + ez * ez;
    if (!(diagonal > T(0))) return T(0);
    const T q = distance / diagonal, w = T(2) / diagonal;
    f.x -= w * r.x, f.y -= w * r.y, f.z -= w * z;
    add_extents(f, r, e, w * q * e.x.size, w * q * e.y.size, w * q * ez);
    return -min_of(q, T(1));
}

// -alpha v, v = 4 / pi^2 (atan(l_t / w_t) - atan(l / w))^2, alpha = v / (1 - IoU + v) taken as constant; the
// divisor of the slope is bounded from below by a share of the other box's
template <typename T>
HD T aspect_term(const Rectangle<T>& a, const Rectangle<T>& b, T iou, FrameGradient<T>& f) {
    const T four_by_pi_squared = T(0.4052847345693511), least_share = T(1e-6);
    const T apart = atan2(b.length * a.width - a.length * b.width, b.width * a.width + b.length * a.length);
    const T v = four_by_pi_squared * apart * apart, all = T(1) - iou + v;
    const T alpha = all > T(0) ? v / all : T(0);
    const T square_a = a.length * a.length + a.width * a.width, square_b = b.length * b.length + b.width * b.width;
    const T least_a = max_of(square_a, least_share * square_b), least_b = max_of(square_b, least_share * square_a);
    const T w = T(2) * four_by_pi_squared * alpha * apart;
    const T wa = least_a > T(0) ? w / least_a : T(0), wb = least_b > T(0) ? w / least_b : T(0);
    f.length += wa * a.width, f.width -= wa * a.length;
    f.target_length -= wb * b.width, f.target_width += wb * b.length;
    return -alpha * v;
}

// -((p - t) / max(extent, p, t))^2 of one size. Returns the derivative by the extent.
template <typename T> HD T size_term(T p, T t, T extent, T& value, T& by_p, T& by_t) {
    const T larger = max_of(p, t), divisor = max_of(extent, larger);
    if (!(divisor > T(0))) return T(0);
    const T share = (p - t) / divisor, by_size = T(2) * share / divisor, by_divisor = by_size * share;
    const T by_extent = by_divisor * share_of(extent, larger), by_larger = by_divisor - by_extent;
    const T of_p = share_of(p, t);
    value -= share * share;
    by_p += by_larger * of_p - by_size;
    by_t += by_larger * (T(1) - of_p) + by_size;
    return by_extent;
}

template <typename T>
HD T sizes_term(const Rectangle<T>& a, const Rectangle<T>& b, const Frame<T>& r, const Enclosing<T>& e, bool in_3d,
                FrameGradient<T>& f) {
    T value = 0;
    const T wx = size_term(a.length, b.length, e.x.size, value, f.length, f.target_length);
    const T wy = size_term(a.width, b.width, e.y.size, value, f.width, f.target_width);
    const T wz = in_3d ? size_term(a.height, b.height, e.z.size, value, f.height, f.target_height) : T(0);
    add_extents(f, r, e, wx, wy, wz);
    return value;
}

HD bool is_3d(i64 kind) { return kind > 0 && kind % 2 == 0; }

// Any kind of overlap and its gradient; what is no box gives the least value that the kind has, and gradient 0
template <typename T>
HD T overlap_with_gradient(const Rectangle<T>& a, const Rectangle<T>& b, i64 kind, PairGradient<T>& g) {
    g = PairGradient<T>{};
    if (!a.is_box || !b.is_box) return kind <= IOU_3D ? T(0) : T(-1);
    const bool in_3d = is_3d(kind);
    const T guard = angle_guard(a.yaw, b.yaw);
    T s, c;
    turn_of(a.yaw, s, c);
    const Frame<T> f = frame_of(a, b, s, c);
    T value = plain_gradient(a, b, f, guard, s, c, kind == INTERSECTION_BEV, in_3d, g);
    if (kind <= IOU_3D) return value;
    Frame<T> r = reversed(f);  // the prediction in the frame of the target
    r.c = abs_of(r.c) < guard ? T(0) : r.c, r.s = abs_of(r.s) < guard ? T(0) : r.s;
    const Enclosing<T> e = enclose(r, a.z - b.z, a.height, b.height);
    FrameGradient<T> by_frame{};
    if (kind == GIOU_BEV || kind == GIOU_3D || kind >= GIOU_HULL_BEV) {
        value += giou_term(a, b, r, e, in_3d, kind >= GIOU_HULL_BEV, value, g, by_frame);
    } else {
        const T iou = value;
        value += distance_term(r, a.z - b.z, e, in_3d, by_frame);
        if (kind == CIOU_BEV || kind == CIOU_3D) value += aspect_term(a, b, iou, by_frame);
        if (kind == EIOU_BEV || kind == EIOU_3D) value += sizes_term(a, b, r, e, in_3d, by_frame);
    }
    turn_of(b.yaw, s, c);
    add_to_columns(g, by_frame, r, s, c);
    return value;
}
