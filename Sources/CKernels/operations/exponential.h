// exp(x) of 16 lanes, at most 1 ulp from the true value for every x whose result is a normal number.
//
// The canonical order:
//   c = x clamped to [LOWEST, 89]                      (a NaN stays)
//   t = fma(c, log2(e), 1.5 * 2^23); n = t - 1.5 * 2^23 (n = c / ln 2 rounded to an integer)
//   r = fma(n, -ln2_high, c); r = fma(n, -ln2_low, r)
//   p = C6; p = fma(p, r, C5); ... C4, C3, C2, then 1, then 1
//   result = (p * 2^(n >> 1)) * 2^(n - (n >> 1))       (overflows to +inf by itself)
//   result = x < LOWEST ? 0 : result
// LOWEST is the smallest float whose exponential is a normal number: a result below that is flushed to zero, because
// one denormal that reaches a multiply-add costs hundreds of cycles on some processors.
#pragma STDC FP_CONTRACT OFF

#define EXP_LOWEST (-0x1.5d589ep6f)
#define EXP_HIGHEST 89.0f
#define EXP_LOG2_E 0x1.715476p+0f
#define EXP_ROUNDER 0x1.8p23f
#define EXP_LN2_HIGH 0x1.62e430p-1f
#define EXP_LN2_LOW (-0x1.05c610p-29f)

INLINE lanes lanes_exponential(lanes x) {
    lanes clamped = lanes_at_most(lanes_at_least(x, EXP_LOWEST), EXP_HIGHEST);
    lanes rounded = lanes_fma(clamped, lanes_splat(EXP_LOG2_E), lanes_splat(EXP_ROUNDER));
    lanes n = lanes_subtract(rounded, lanes_splat(EXP_ROUNDER));
    lanes r = lanes_fma(n, lanes_splat(-EXP_LN2_HIGH), clamped);
    r = lanes_fma(n, lanes_splat(-EXP_LN2_LOW), r);
    lanes p = lanes_splat(0x1.6d10fcp-10f);
    p = lanes_fma(p, r, lanes_splat(0x1.120b62p-7f));
    p = lanes_fma(p, r, lanes_splat(0x1.55551ap-5f));
    p = lanes_fma(p, r, lanes_splat(0x1.5554dep-3f));
    p = lanes_fma(p, r, lanes_splat(0.5f));
    p = lanes_fma(p, r, lanes_splat(1.0f));
    p = lanes_fma(p, r, lanes_splat(1.0f));
    return lanes_zero_where_less(lanes_scale_by_power(p, rounded), x, EXP_LOWEST);
}

KERNEL static void exponential(const float *input, float *output, size_t count) {
    for (size_t i = 0; i < count; i += COLONY_LANES) {
        lanes_store_some(output + i, lanes_exponential(lanes_load_some(input + i, count - i, 0)), count - i);
    }
}
