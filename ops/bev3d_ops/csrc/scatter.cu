// Sums and maxima of rows by segment, on rows sorted by segment: one thread for each value of the result takes the
// rows of its segment in their order, so that there are no atomics and every run gives the same bits.
//
// order (n,): row indices, ascending within a segment; starts (V + 1,): where those of each segment begin.
#include "common.cuh"

// sums (V, C)
KERNEL void sum_segments(const scalar_t* __restrict__ features, const i64* __restrict__ order,
                         const i64* __restrict__ starts, scalar_t* __restrict__ sums, i64 segments, i64 channels) {
    FOR_EACH(k, segments * channels) {
        const i64 segment = k / channels, channel = k - segment * channels, end = starts[segment + 1];
        real_t sum = 0;
        for (i64 i = starts[segment]; i < end; ++i) sum += to_real(features[order[i] * channels + channel]);
        sums[k] = from_real<scalar_t>(sum);
    }
}

// maxima (V, C), 0 where a segment is empty, and the first row that has each, -1 where it is empty. A NaN is the
// greatest of all.
KERNEL void max_segments(const scalar_t* __restrict__ features, const i64* __restrict__ order,
                         const i64* __restrict__ starts, scalar_t* __restrict__ maxima, int* __restrict__ source,
                         i64 segments, i64 channels) {
    FOR_EACH(k, segments * channels) {
        const i64 segment = k / channels, channel = k - segment * channels, end = starts[segment + 1];
        real_t best = 0;
        i64 from = -1;
        for (i64 i = starts[segment]; i < end; ++i) {
            const real_t value = to_real(features[order[i] * channels + channel]);
            if (from >= 0 && (value <= best || best != best)) continue;
            best = value;
            from = order[i];
        }
        maxima[k] = from_real<scalar_t>(best);
        source[k] = (int)from;
    }
}

// out (P, C): rows of values (V, C) at index (P,), 0 where there is no such row
KERNEL void gather_rows(const scalar_t* __restrict__ values, const i64* __restrict__ index,
                        scalar_t* __restrict__ out, i64 rows, i64 channels, i64 segments) {
    FOR_EACH(k, rows * channels) {
        const i64 i = k / channels, channel = k - i * channels, segment = index[i];
        out[k] = segment >= 0 && segment < segments ? values[segment * channels + channel] : from_real<scalar_t>(0);
    }
}

// out (P, C): grad (V, C) at index (P,) where max_segments named the row for this value, 0 elsewhere
KERNEL void spread_max(const scalar_t* __restrict__ grad, const int* __restrict__ source,
                       const i64* __restrict__ index, scalar_t* __restrict__ out, i64 rows, i64 channels,
                       i64 segments) {
    FOR_EACH(k, rows * channels) {
        const i64 i = k / channels, channel = k - i * channels, segment = index[i];
        const bool named = segment >= 0 && segment < segments && source[segment * channels + channel] == i;
        out[k] = named ? grad[segment * channels + channel] : from_real<scalar_t>(0);
    }
}
