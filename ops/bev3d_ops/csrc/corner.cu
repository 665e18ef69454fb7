// Corner losses of aligned boxes and their slopes by both, in one pass.
#include "corner.cuh"

// loss (N), by_pred and by_target (N, 7) or null, of pred and target (N, 7); a target with a NaN gives 0
template <int VARIANT>
HD void corner_loss(const scalar_t* __restrict__ pred, const scalar_t* __restrict__ target, scalar_t* __restrict__ loss,
                    scalar_t* __restrict__ by_pred, scalar_t* __restrict__ by_target, i64 count, double flip) {
    FOR_EACH(i, count) {
        real_t p[7], t[7], by_p[7], by_t[7];
        bool known = true;
#pragma unroll
        for (int k = 0; k < 7; ++k) {
            p[k] = to_real(pred[7 * i + k]), t[k] = to_real(target[7 * i + k]);
            known = known && t[k] == t[k];
        }
        const real_t value = corner_pair<VARIANT, real_t>(p, t, (real_t)flip, by_p, by_t);
        loss[i] = from_real<scalar_t>(known ? value : real_t(0));
        if (!by_pred) continue;
#pragma unroll
        for (int k = 0; k < 7; ++k) {
            by_pred[7 * i + k] = from_real<scalar_t>(known ? by_p[k] : real_t(0));
            by_target[7 * i + k] = from_real<scalar_t>(known ? by_t[k] : real_t(0));
        }
    }
}

#define CORNER_KERNEL(name, VARIANT)                                                                              \
    KERNEL void name(const scalar_t* __restrict__ pred, const scalar_t* __restrict__ target,                      \
                     scalar_t* __restrict__ loss, scalar_t* __restrict__ by_pred, scalar_t* __restrict__ by_target, \
                     i64 count, double flip) {                                                                    \
        corner_loss<VARIANT>(pred, target, loss, by_pred, by_target, count, flip);                                \
    }

CORNER_KERNEL(per_box, PER_BOX)
CORNER_KERNEL(per_corner, PER_CORNER)
CORNER_KERNEL(huber_sum, HUBER_SUM)
