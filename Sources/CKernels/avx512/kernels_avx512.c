#pragma STDC FP_CONTRACT OFF
#include "CKernels.h"

#if defined(__x86_64__)
#include "lanes.h"
#include "words.h"

#include "../operations/all.h"

const colony_kernel_table *colony_kernels_avx512(void) {
    int supported = __builtin_cpu_supports("avx2") && __builtin_cpu_supports("fma") && __builtin_cpu_supports("f16c")
        && __builtin_cpu_supports("avx512f") && __builtin_cpu_supports("avx512bw")
        && __builtin_cpu_supports("avx512dq") && __builtin_cpu_supports("avx512vl")
        && __builtin_cpu_supports("avx512vnni");
    return supported ? &table : NULL;
}
#else
const colony_kernel_table *colony_kernels_avx512(void) { return NULL; }
#endif
