// Gaussians of objects on heatmaps.
#include "common.cuh"

// Raise *address to value >= 0. Read as integers with a sign, numbers >= 0 are in order, and any number below 0 is
// below them; a positive NaN stays.
HD void raise_to(float* address, float value) {
#if ON_DEVICE && defined(__CUDA_ARCH__)
    atomicMax((int*)address, __float_as_int(value));
#else
    if (*address < value) *address = value;
#endif
}
HD void raise_to(double* address, double value) {
#if ON_DEVICE && defined(__CUDA_ARCH__)
    atomicMax((long long*)address, __double_as_longlong(value));
#else
    if (*address < value) *address = value;
#endif
}
// 16 bits: the word of 32 bits around them is exchanged. An allocation ends on a whole word.
HD void raise_bits(unsigned short* address, unsigned short bits) {
#if ON_DEVICE && defined(__CUDA_ARCH__)
    const bool upper = (u64)address & 2u;
    unsigned* word = (unsigned*)((u64)address & ~(u64)3u);
    unsigned seen = *word;
    for (;;) {
        if ((short)(upper ? seen >> 16 : seen & 0xffffu) >= (short)bits) return;
        const unsigned wanted = upper ? (seen & 0xffffu) | ((unsigned)bits << 16) : (seen & 0xffff0000u) | bits;
        const unsigned found = atomicCAS(word, seen, wanted);
        if (found == seen) return;
        seen = found;
    }
#else
    if ((short)*address < (short)bits) *address = bits;
#endif
}
HD void raise_to(half_t* address, float value) { raise_bits(&address->bits, from_real<half_t>(value).bits); }
HD void raise_to(bfloat_t* address, float value) { raise_bits(&address->bits, from_real<bfloat_t>(value).bits); }

// Where the table of radius r starts: those before it have (k + 1) (2 k + 1) numbers each.
HD i64 table_start(i64 r) { return r * (r - 1) * (2 * r - 1) / 3 + 3 * r * (r - 1) / 2 + r; }

HD double gaussian_of(i64 dx, i64 dy, i64 radius) {
    const double sigma = (2.0 * (double)radius + 1.0) / 6.0, x = (double)dx, y = (double)dy;
    return exp(-(x * x + y * y) / (2.0 * sigma * sigma));
}

// planes (count_planes, rows, columns) raised to one Gaussian for each of count objects: a block for each, in turn.
// tables: of radii 0 to widest, rows dy = 0 .. r of columns dx = -r .. r, as cpu/_heatmap.py makes them.
KERNEL void splat_gaussians(scalar_t* __restrict__ planes, const i64* __restrict__ plane_index,
                            const i64* __restrict__ cells_xy, const i64* __restrict__ radii,
                            const float* __restrict__ tables, i64 widest, i64 count, i64 count_planes, i64 rows,
                            i64 columns) {
    for (i64 i = blockIdx.x; i < count; i += gridDim.x) {
        const i64 plane = plane_index[i], u = cells_xy[2 * i], v = cells_xy[2 * i + 1], r = radii[i];
        const bool inside = plane >= 0 && plane < count_planes && u >= 0 && u < columns && v >= 0 && v < rows;
        if (!inside || r < 0) continue;
        const i64 left = min_of(r, u), above = min_of(r, v);
        const i64 width = left + 1 + min_of(r, columns - 1 - u), height = above + 1 + min_of(r, rows - 1 - v);
        const bool tabled = r <= widest && sizeof(scalar_t) != sizeof(double);
        const float* table = tabled ? tables + table_start(r) : nullptr;
        scalar_t* corner = planes + (plane * rows + v - above) * columns + u - left;
        for (i64 k = threadIdx.x; k < width * height; k += blockDim.x) {
            const i64 row = k / width, column = k - row * width, dx = column - left, dy = row - above;
            const real_t value =
                tabled ? (real_t)table[abs_of(dy) * (2 * r + 1) + dx + r] : (real_t)gaussian_of(dx, dy, r);
            raise_to(corner + row * columns + column, value);
        }
    }
}

// First and one past the last cell within reach of the centre, the object's own among them.
HD void span_of(double centre, double reach, i64 own, i64 size, i64& first, i64& end) {
    first = (i64)min_of(max_of(-floor(reach - centre), 0.0), (double)own);
    end = (i64)max_of(min_of(floor(centre + reach), (double)size - 1.0), (double)own) + 1;
}

// planes as above, raised to one elliptical Gaussian for each object. shapes (count, 6): column and row of the centre,
// radii along the heading and across it, its cosine and sine. stretch: what a column and a row are worth in the unit of
// the radii. All in double, as on the CPU: what lies on the rim is in or out alike.
KERNEL void splat_ellipses(scalar_t* __restrict__ planes, const i64* __restrict__ plane_index,
                           const i64* __restrict__ cells_xy, const double* __restrict__ shapes, i64 count,
                           i64 count_planes, i64 rows, i64 columns, double stretch_x, double stretch_y) {
    for (i64 i = blockIdx.x; i < count; i += gridDim.x) {
        const i64 plane = plane_index[i], own_u = cells_xy[2 * i], own_v = cells_xy[2 * i + 1];
        const double *shape = shapes + 6 * i, centre_u = shape[0], centre_v = shape[1], c = shape[4], s = shape[5];
        const bool inside = plane >= 0 && plane < count_planes && own_u >= 0 && own_u < columns && own_v >= 0 &&
                            own_v < rows;
        if (!inside || !(shape[2] >= 0.0 && shape[3] >= 0.0)) continue;
        const double end_u = shape[2] + 0.5, end_v = shape[3] + 0.5;
        const double by_u = 2.0 * (end_u / 3.0) * (end_u / 3.0), by_v = 2.0 * (end_v / 3.0) * (end_v / 3.0);
        // a little wide: the exact test is below
        const double reach_x = (end_u * fabs(c) + end_v * fabs(s)) / stretch_x * (1.0 + 1e-9);
        const double reach_y = (end_u * fabs(s) + end_v * fabs(c)) / stretch_y * (1.0 + 1e-9);
        i64 left, right, top, bottom;
        span_of(centre_u, reach_x, own_u, columns, left, right);
        span_of(centre_v, reach_y, own_v, rows, top, bottom);
        const i64 width = right - left;
        for (i64 k = threadIdx.x; k < width * (bottom - top); k += blockDim.x) {
            const i64 row = top + k / width, column = left + k % width;
            const double dx = ((double)column - centre_u) * stretch_x, dy = ((double)row - centre_v) * stretch_y;
            const double u = dx * c + dy * s, v = dy * c - dx * s;
            const bool own = column == own_u && row == own_v;
            if (!own && !(fabs(u) <= end_u && fabs(v) <= end_v)) continue;
            const double value = own ? 1.0 : exp(-(u * u / by_u + v * v / by_v));
            raise_to(planes + (plane * rows + row) * columns + column, (real_t)value);
        }
    }
}
