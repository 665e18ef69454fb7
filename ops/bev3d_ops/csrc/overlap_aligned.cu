// Overlap of pairs: row i of a with row i of b, or row index_a[i] with row index_b[i] where there are indices.
#include "overlap_family.cuh"

// The row of a pair; -1 where the index points outside
HD i64 row_of(const i64* __restrict__ index, i64 i, i64 rows) {
    if (!index) return i;
    const i64 row = index[i];
    return row >= 0 && row < rows ? row : -1;
}

HD Rectangle<real_t> row_box(const scalar_t* __restrict__ boxes, i64 row, i64 columns) {
    if (row < 0) return Rectangle<real_t>{0, 0, 0, 0, 0, 0, 0, false};
    return load_box(boxes + row * columns);
}

// value (count); a (rows_a, columns_a), b (rows_b, columns_b); index_a and index_b (count) or null
KERNEL void overlap(const scalar_t* __restrict__ a, const scalar_t* __restrict__ b, const i64* __restrict__ index_a,
                    const i64* __restrict__ index_b, scalar_t* __restrict__ value, i64 count, i64 rows_a, i64 rows_b,
                    i64 columns_a, i64 columns_b, i64 kind) {
    FOR_EACH(i, count) {
        const Rectangle<real_t> first = row_box(a, row_of(index_a, i, rows_a), columns_a);
        const Rectangle<real_t> second = row_box(b, row_of(index_b, i, rows_b), columns_b);
        PairGradient<real_t> unused;
        value[i] = from_real<scalar_t>(overlap_with_gradient(first, second, kind, unused));
    }
}

HD void store_columns(scalar_t* __restrict__ out, const scalar_t* __restrict__ box, bool is_box,
                      const Columns<real_t>& g) {
    out[0] = from_real<scalar_t>(g.x);
    out[1] = from_real<scalar_t>(g.y);
    out[2] = from_real<scalar_t>(g.z);
    // a negative size counts as 0 and does not move
    out[3] = from_real<scalar_t>(is_box && to_real(box[3]) >= real_t(0) ? g.length : real_t(0));
    out[4] = from_real<scalar_t>(is_box && to_real(box[4]) >= real_t(0) ? g.width : real_t(0));
    out[5] = from_real<scalar_t>(is_box && to_real(box[5]) >= real_t(0) ? g.height : real_t(0));
    out[6] = from_real<scalar_t>(g.yaw);
}

// as overlap, and its derivatives by the seven columns of both, (count, 7) each
KERNEL void overlap_gradient(const scalar_t* __restrict__ a, const scalar_t* __restrict__ b,
                             const i64* __restrict__ index_a, const i64* __restrict__ index_b,
                             scalar_t* __restrict__ value, scalar_t* __restrict__ grad_a,
                             scalar_t* __restrict__ grad_b, i64 count, i64 rows_a, i64 rows_b, i64 columns_a,
                             i64 columns_b, i64 kind) {
    FOR_EACH(i, count) {
        const i64 row_a = row_of(index_a, i, rows_a), row_b = row_of(index_b, i, rows_b);
        const Rectangle<real_t> first = row_box(a, row_a, columns_a), second = row_box(b, row_b, columns_b);
        PairGradient<real_t> g;
        value[i] = from_real<scalar_t>(overlap_with_gradient(first, second, kind, g));
        store_columns(grad_a + 7 * i, a + row_a * columns_a, first.is_box, g.a);
        store_columns(grad_b + 7 * i, b + row_b * columns_b, second.is_box, g.b);
    }
}
