// Heatmap focal loss and its slope in one pass, for every element or summed. Half precision is read as it is;
// loss, slope and heatmap are real_t.
#include "focal.cuh"

// Loss of elements [start, stop) that this thread strides over, summed; what is not null is written.
HD double focal_range(const scalar_t* __restrict__ logits, const real_t* __restrict__ heatmap,
                      real_t* __restrict__ loss, real_t* __restrict__ slope, i64 start, i64 stop, i64 first, i64 step,
                      real_t alpha, real_t beta) {
    const bool usual = alpha == real_t(2) && beta == real_t(4);
    const bool aligned = is_aligned(logits + start) && is_aligned(heatmap + start) &&
                         (!loss || is_aligned(loss + start)) && (!slope || is_aligned(slope + start));
    const i64 fours = aligned ? (stop - start) / 4 : 0;
    double sum = 0;
    for (i64 i = first; i < fours; i += step) {
        const i64 at = start + 4 * i;
        const Four<scalar_t> x = *(const Four<scalar_t>*)(logits + at);
        const Four<real_t> y = *(const Four<real_t>*)(heatmap + at);
        Four<real_t> values, slopes;
        for (int k = 0; k < 4; ++k) {
            const Focal<real_t> one = focal_of<real_t>(to_real(x.at[k]), y.at[k], alpha, beta, usual);
            values.at[k] = one.loss;
            slopes.at[k] = one.slope;
        }
        sum += (values.at[0] + values.at[1]) + (values.at[2] + values.at[3]);
        if (loss) *(Four<real_t>*)(loss + at) = values;
        if (slope) *(Four<real_t>*)(slope + at) = slopes;
    }
    for (i64 at = start + 4 * fours + first; at < stop; at += step) {
        const Focal<real_t> one = focal_of<real_t>(to_real(logits[at]), heatmap[at], alpha, beta, usual);
        sum += one.loss;
        if (loss) loss[at] = one.loss;
        if (slope) slope[at] = one.slope;
    }
    return sum;
}

// Sum over the block's threads, at most 256, always in the same order; valid in thread 0.
HD double block_sum(double value, double* sums) {
    sums[threadIdx.x] = value;
    SYNC();
    for (unsigned count = blockDim.x; count > 1; count = (count + 1) / 2) {
        if (threadIdx.x < count / 2) sums[threadIdx.x] += sums[threadIdx.x + (count + 1) / 2];
        SYNC();
    }
    return sums[0];
}

// loss (count,), slope (count,) or null
KERNEL void focal_map(const scalar_t* __restrict__ logits, const real_t* __restrict__ heatmap,
                      real_t* __restrict__ loss, real_t* __restrict__ slope, i64 count, double alpha, double beta) {
    const i64 first = (i64)blockIdx.x * blockDim.x + threadIdx.x, step = (i64)gridDim.x * blockDim.x;
    focal_range(logits, heatmap, loss, slope, 0, count, first, step, (real_t)alpha, (real_t)beta);
}

// partial (groups, parts): sums over `chunk` elements each of a group of in_group; slope (groups * in_group,) or null
KERNEL void focal_partial(const scalar_t* __restrict__ logits, const real_t* __restrict__ heatmap,
                          double* __restrict__ partial, real_t* __restrict__ slope, i64 groups, i64 in_group,
                          i64 parts, i64 chunk, double alpha, double beta) {
    SHARED double sums[256];
    for (i64 i = blockIdx.x; i < groups * parts; i += gridDim.x) {
        const i64 group = i / parts, start = group * in_group + (i - group * parts) * chunk;
        const i64 stop = min_of(start + chunk, (group + 1) * in_group);
        const double sum = focal_range(logits, heatmap, nullptr, slope, start, stop, threadIdx.x, blockDim.x,
                                       (real_t)alpha, (real_t)beta);
        const double total = block_sum(sum, sums);
        if (threadIdx.x == 0) partial[i] = total;
        SYNC();
    }
}

// sums (groups,) of partial (groups, parts)
KERNEL void focal_finish(const double* __restrict__ partial, real_t* __restrict__ result, i64 groups, i64 parts) {
    SHARED double sums[256];
    for (i64 group = blockIdx.x; group < groups; group += gridDim.x) {
        double sum = 0;
        for (i64 i = threadIdx.x; i < parts; i += blockDim.x) sum += partial[group * parts + i];
        const double total = block_sum(sum, sums);
        if (threadIdx.x == 0) result[group] = (real_t)total;
        SYNC();
    }
}
