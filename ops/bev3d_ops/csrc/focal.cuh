// Heatmap focal loss and its slope, see reference/_focal.py for the formulas.
#pragma once
#include "common.cuh"

// log(1 + e) for e in [0, 1]; minimax by relative error, 3e-8
HD float log_one_plus(float e) {
    float sum = 0.00523269003f;
    sum = sum * e - 0.0295052199f;
    sum = sum * e + 0.0782259175f;
    sum = sum * e - 0.136632425f;
    sum = sum * e + 0.191060050f;
    sum = sum * e - 0.248429817f;
    sum = sum * e + 0.333190967f;
    sum = sum * e - 0.499994931f;
    sum = sum * e + 0.99999996988f;
    return sum * e;
}
HD double log_one_plus(double e) { return log1p(e); }

template <typename T> struct Focal { T loss, slope; };

// x: logit, y: heatmap. The usual exponents, 2 and 4, take no power; no value that is finite overflows.
template <typename T> HD Focal<T> focal_of(T x, T y, T alpha, T beta, bool usual) {
    const bool positive = y == T(1);
    const T t = positive ? -x : x;
    const T e = exp(-fabs(t));
    const T large = T(1) / (T(1) + e), small = e * large, log_term = log_one_plus(e);
    const T softplus = (t > T(0) ? t : T(0)) + log_term;
    const T p = t > T(0) ? large : small, q = t > T(0) ? small : large;
    const T rest = T(1) - y;
    T scaled;
    if (usual) {
        scaled = p * p * (positive ? T(1) : rest * rest * rest * rest);
    } else {
        const T log_p = (t < T(0) ? t : T(0)) - log_term;
        // 0 * infinity where alpha is 0
        const T power = alpha == T(0) ? T(1) : exp(alpha * log_p);
        scaled = power * (positive ? T(1) : pow(rest, beta));
    }
    const T slope = scaled * (p + alpha * q * softplus);
    return Focal<T>{scaled * softplus, positive ? -slope : slope};
}

// Four numbers that are moved at once.
template <typename T> struct alignas(4 * sizeof(T)) Four { T at[4]; };

template <typename T> HD bool is_aligned(const T* address) { return (u64)address % (4 * sizeof(T)) == 0; }
