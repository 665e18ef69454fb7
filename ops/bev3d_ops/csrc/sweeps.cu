// LiDAR sweeps moved to another frame, and which of their points are not on the vehicle itself.
#include "common.cuh"

// The last sweep that starts at or before the point; -1 where there is none. Any offsets stay inside the arrays.
HD i64 sweep_of(const i64* __restrict__ offsets, i64 sweeps, i64 point) {
    i64 low = 0, high = sweeps + 1;  // the offsets before low are <= point, those from high on are above it
    while (low < high) {
        const i64 middle = (low + high) / 2;
        if (offsets[middle] <= point) low = middle + 1;
        else high = middle;
    }
    return low - 1;
}

// out (count, columns + 1) and keep (count) of points (count, width), offsets (sweeps + 1), transforms (sweeps, 4, 4)
// and lags (sweeps). Positions in double, rounded once: poses are in the thousands of metres.
KERNEL void transform_sweeps(const scalar_t* __restrict__ points, const i64* __restrict__ offsets,
                             const double* __restrict__ transforms, const double* __restrict__ lags,
                             scalar_t* __restrict__ out, bool* __restrict__ keep, i64 count, i64 sweeps, i64 width,
                             i64 columns, double half_width, double intensity_scale) {
    FOR_EACH(i, count) {
        const i64 sweep = sweep_of(offsets, sweeps, i);
        scalar_t* const row = out + i * (columns + 1);
        if (sweep < 0 || sweep >= sweeps) {
            for (i64 column = 0; column <= columns; ++column) row[column] = from_real<scalar_t>(0);
            keep[i] = false;
            continue;
        }
        const scalar_t* const point = points + i * width;
        const double x = to_real(point[0]), y = to_real(point[1]), z = to_real(point[2]);
        const double* const transform = transforms + 16 * sweep;
#pragma unroll
        for (int axis = 0; axis < 3; ++axis) {
            const double* const to = transform + 4 * axis;
            row[axis] = from_real<scalar_t>((real_t)(to[0] * x + to[1] * y + to[2] * z + to[3]));
        }
        if (columns > 3) row[3] = from_real<scalar_t>(to_real(point[3]) * (real_t)intensity_scale);
        for (i64 column = 4; column < columns; ++column) row[column] = point[column];
        row[columns] = from_real<scalar_t>((real_t)lags[sweep]);
        keep[i] = !(fabs(x) < half_width && fabs(y) < half_width);
    }
}
