#pragma STDC FP_CONTRACT OFF
#include "CKernels.h"

#if defined(__aarch64__)
#include "lanes.h"
#include "words.h"

#include "../operations/all.h"

const colony_kernel_table *colony_kernels_neon(void) { return &table; }
#else
const colony_kernel_table *colony_kernels_neon(void) { return NULL; }
#endif
