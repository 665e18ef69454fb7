// Points in boxes: each point with each box, in float64.
//
// Every product is rounded before it is added (no fused multiply-add), so that a point on a face is inside here
// exactly where it is inside on the CPU, up to the last bit of the cosine and the sine.
#include "common.cuh"

HD double rounded_product(double a, double b) {
#if ON_DEVICE && defined(__CUDA_ARCH__)
    return __dmul_rn(a, b);
#else
    volatile double product = a * b;
    return product;
#endif
}

// what the test reads of a box, one after the other
enum { X, Y, Z, HALF_LENGTH, HALF_WIDTH, HALF_HEIGHT, COS, SIN, PREPARED };

struct Samples {  // of points and boxes, or null: then all of one
    const i64 *__restrict__ point, *__restrict__ box;
    HD bool differ(i64 i, i64 j) const { return point && box && point[i] != box[j]; }
};

struct Place {
    double x, y, z;
    HD Place(const scalar_t* point) : x(to_real(point[0])), y(to_real(point[1])), z(to_real(point[2])) {}
    // written so that a NaN fails it
    HD bool inside(const double* box) const {
        if (!(fabs(z - box[Z]) <= box[HALF_HEIGHT])) return false;
        const double dx = x - box[X], dy = y - box[Y], c = box[COS], s = box[SIN];
        return fabs(rounded_product(dx, c) + rounded_product(dy, s)) <= box[HALF_LENGTH] &&
               fabs(rounded_product(dy, c) - rounded_product(dx, s)) <= box[HALF_WIDTH];
    }
};

// rows (N, 8); what is no box gets half sizes of -1, in which no point lies
KERNEL void prepare(const scalar_t* __restrict__ boxes, double* __restrict__ rows, i64 count, i64 columns) {
    FOR_EACH(i, count) {
        const scalar_t* box = boxes + i * columns;
        double* row = rows + i * PREPARED;
        bool finite = true;
        for (int k = 0; k < 7; ++k) finite = finite && is_finite((double)to_real(box[k]));
        for (int k = 0; k < 3; ++k) {
            row[k] = finite ? (double)to_real(box[k]) : 0.0;
            row[3 + k] = finite ? 0.5 * (double)to_real(box[3 + k]) : -1.0;
        }
        sin_cos(finite ? (double)to_real(box[6]) : 0.0, row[SIN], row[COS]);
    }
}

// owner (P,): the first box of each point, or -1
KERNEL void first_box(const scalar_t* __restrict__ points, const double* __restrict__ rows, const i64* point_batch,
                      const i64* box_batch, i64* __restrict__ owner, i64 count, i64 columns, i64 boxes) {
    const Samples samples{point_batch, box_batch};
    FOR_EACH(i, count) {
        const Place place(points + i * columns);
        i64 found = -1;
        for (i64 j = 0; j < boxes && found < 0; ++j)
            if (place.inside(rows + j * PREPARED) && !samples.differ(i, j)) found = j;
        owner[i] = found;
    }
}

// mask (P, N)
KERNEL void box_mask(const scalar_t* __restrict__ points, const double* __restrict__ rows, const i64* point_batch,
                     const i64* box_batch, bool* __restrict__ mask, i64 count, i64 columns, i64 boxes) {
    const Samples samples{point_batch, box_batch};
    FOR_EACH(k, count * boxes) {
        const i64 i = k / boxes, j = k - i * boxes;
        mask[k] = Place(points + i * columns).inside(rows + j * PREPARED) && !samples.differ(i, j);
    }
}

// per_point (P,), and per_box (N,), zeroed before; either may be null. Whole numbers: the order of adding is nothing.
KERNEL void count_pairs(const scalar_t* __restrict__ points, const double* __restrict__ rows, const i64* point_batch,
                        const i64* box_batch, i64* __restrict__ per_point, u64* __restrict__ per_box, i64 count,
                        i64 columns, i64 boxes) {
    const Samples samples{point_batch, box_batch};
    FOR_EACH(i, count) {
        const Place place(points + i * columns);
        i64 found = 0;
        for (i64 j = 0; j < boxes; ++j) {
            if (!place.inside(rows + j * PREPARED) || samples.differ(i, j)) continue;
            ++found;
            if (per_box) atomic_add(per_box + j, u64(1));
        }
        if (per_point) per_point[i] = found;
    }
}

// pairs (K, 2); those of point i end before ends[i]
KERNEL void fill_pairs(const scalar_t* __restrict__ points, const double* __restrict__ rows, const i64* point_batch,
                       const i64* box_batch, const i64* __restrict__ ends, i64* __restrict__ pairs, i64 count,
                       i64 columns, i64 boxes) {
    const Samples samples{point_batch, box_batch};
    FOR_EACH(i, count) {
        i64 place_of = i ? ends[i - 1] : 0;
        const i64 end = ends[i];
        const Place place(points + i * columns);
        for (i64 j = 0; j < boxes && place_of < end; ++j) {
            if (!place.inside(rows + j * PREPARED) || samples.differ(i, j)) continue;
            pairs[2 * place_of] = i;
            pairs[2 * place_of + 1] = j;
            ++place_of;
        }
    }
}
