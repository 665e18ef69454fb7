// Whether one box suppresses another; the arithmetic of cpu/_nms_pair.py, in double for boxes of every type, so that
// the keep list is the exact one.
#pragma once
#include "overlap.cuh"

enum NmsKind { NMS_BEV, NMS_CIRCLE, NMS_DIOU };

// Rows of the array (7, N) of boxes by rank: neighbouring threads read neighbouring numbers.
enum NmsRow { NMS_X, NMS_Y, NMS_RADIUS, NMS_HALF_LENGTH, NMS_HALF_WIDTH, NMS_COS, NMS_SIN, NMS_ROWS };

// Radius of what is no box, kept and met by none, and of what takes no part.
#define NMS_ALONE -1.0
#define NMS_ABSENT -2.0

struct RankedBox {
    double x, y, radius, half_length, half_width, c, s;
    i64 group;
};

HD RankedBox ranked_box(const double* __restrict__ rows, const i64* __restrict__ groups, i64 rank, i64 count) {
    return {rows[NMS_X * count + rank], rows[NMS_Y * count + rank], rows[NMS_RADIUS * count + rank],
            rows[NMS_HALF_LENGTH * count + rank], rows[NMS_HALF_WIDTH * count + rank], rows[NMS_COS * count + rank],
            rows[NMS_SIN * count + rank], groups[rank]};
}

// a * a + b * b, each operation rounded: a distance at the radius is then decided as on the CPU
HD double sum_of_squares(double a, double b) {
#if ON_DEVICE && defined(__CUDA_ARCH__)
    return __dadd_rn(__dmul_rn(a, a), __dmul_rn(b, b));
#else
    volatile double aa = a * a, bb = b * b;
    return aa + bb;
#endif
}

// IoU or DIoU of the kept box a and the box b greater than the threshold
HD bool overlaps_more(const RankedBox& a, const RankedBox& b, double dx, double dy, double threshold, i64 kind) {
    const double area_a = 4 * a.half_length * a.half_width, area_b = 4 * b.half_length * b.half_width;
    // the ratio of the areas bounds the IoU from above
    if (min_of(area_a, area_b) <= threshold * max_of(area_a, area_b) * (1 - 1e-12)) return false;
    const Frame<double> f = {a.c * dx + a.s * dy, a.c * dy - a.s * dx,   a.c * b.c + a.s * b.s, a.c * b.s - a.s * b.c,
                             a.half_length,       a.half_width,          b.half_length,         b.half_width};
    const double area = intersection_area(f);
    const double iou = ratio_of(area, area_a, area_b);
    if (kind != NMS_DIOU || !(iou > threshold)) return iou > threshold;
    const double reach_x = f.bx * abs_of(f.c) + f.by * abs_of(f.s), reach_y = f.bx * abs_of(f.s) + f.by * abs_of(f.c);
    const double width = max_of(f.ax, f.x + reach_x) - min_of(-f.ax, f.x - reach_x);
    const double height = max_of(f.ay, f.y + reach_y) - min_of(-f.ay, f.y - reach_y);
    return iou - (f.x * f.x + f.y * f.y) / (width * width + height * height) > threshold;
}

// share: how near two boxes must be, see cpu/_nms_grid.py
HD bool suppresses(const RankedBox& a, const RankedBox& b, double threshold, double share, i64 kind) {
    if (a.group != b.group || a.radius < 0 || b.radius < 0) return false;
    const double dx = b.x - a.x, dy = b.y - a.y, squared = sum_of_squares(dx, dy);
    if (kind == NMS_CIRCLE) return squared <= threshold * threshold;
    const double reach = (min_of(a.radius, b.radius) + share * max_of(a.radius, b.radius)) * (1 + 1e-9);
    return squared <= reach * reach && overlaps_more(a, b, dx, dy, threshold, kind);
}

HD double share_of(double threshold) { return max_of(0.0, 1.0 - 2.0 * threshold); }
