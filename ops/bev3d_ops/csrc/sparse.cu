// Sparse convolution around dense matrix products, and pooling. Pairs become a table (rows, K) of the row that each
// offset reads, or -1; every result has one owner, which adds up in the order of the offsets: no atomics.
#include "common.cuh"

// table (targets, K), filled with -1 before
KERNEL void fill_table(const int* __restrict__ source, const int* __restrict__ target,
                       const i64* __restrict__ offsets, int* __restrict__ table, i64 pairs, i64 volume, i64 sources,
                       i64 targets) {
    FOR_EACH(i, pairs) {
        i64 low = 0, high = volume;  // the offset k with offsets[k] <= i < offsets[k + 1]
        while (high - low > 1) {
            const i64 middle = (low + high) / 2;
            if (offsets[middle] <= i) low = middle;
            else high = middle;
        }
        const int from = source[i], to = target[i];
        if (from >= 0 && from < sources && to >= 0 && to < targets) table[to * volume + low] = from;
    }
}

template <typename T>
HD void gather(const T* __restrict__ rows, const int* __restrict__ table, T* __restrict__ out, i64 entries, i64 width,
               T zero) {
    FOR_EACH(i, entries * width) {
        const i64 entry = i / width;
        const int row = table[entry];
        out[i] = row < 0 ? zero : rows[row * width + (i - entry * width)];
    }
}

struct alignas(16) Sixteen { u64 low, high; };

// out (entries, C) = features[table], 0 where the table holds -1
KERNEL void gather_rows(const scalar_t* __restrict__ features, const int* __restrict__ table,
                        scalar_t* __restrict__ out, i64 entries, i64 channels) {
    gather(features, table, out, entries, channels, from_real<scalar_t>(0));
}

// The same, sixteen bytes at once: rows and both pointers are multiples of them. `chunks` a row.
KERNEL void gather_chunks(const Sixteen* __restrict__ features, const int* __restrict__ table,
                          Sixteen* __restrict__ out, i64 entries, i64 chunks) {
    gather(features, table, out, entries, chunks, Sixteen{0, 0});
}

// best, winner (targets, C): the largest of features[table[.]] and its row; NaN wins, and of equals the first
KERNEL void max_pool(const scalar_t* __restrict__ features, const int* __restrict__ table,
                     scalar_t* __restrict__ best, int* __restrict__ winner, i64 targets, i64 volume, i64 channels) {
    FOR_EACH(i, targets * channels) {
        const i64 target = i / channels, channel = i - target * channels;
        real_t largest = 0;
        int from = -1;
        for (i64 k = 0; k < volume; ++k) {
            const int row = table[target * volume + k];
            if (row < 0) continue;
            const real_t value = to_real(features[row * channels + channel]);
            const bool better = value > largest || (value != value && largest == largest);
            if (from < 0 || better) largest = value, from = row;
        }
        best[i] = from_real<scalar_t>(largest);
        winner[i] = from;
    }
}

// out (sources, C) = sum over the results o in table (sources, K) whose winner is this row, of grad[o]
KERNEL void max_pool_grad(const scalar_t* __restrict__ grad, const int* __restrict__ winner,
                          const int* __restrict__ table, scalar_t* __restrict__ out, i64 sources, i64 volume,
                          i64 channels) {
    FOR_EACH(i, sources * channels) {
        const i64 source = i / channels, channel = i - source * channels;
        real_t sum = 0;
        for (i64 k = 0; k < volume; ++k) {
            const int row = table[source * volume + k];
            if (row >= 0 && winner[row * channels + channel] == source) sum += to_real(grad[row * channels + channel]);
        }
        out[i] = from_real<scalar_t>(sum);
    }
}
