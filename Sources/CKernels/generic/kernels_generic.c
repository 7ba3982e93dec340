#pragma STDC FP_CONTRACT OFF
#include "lanes.h"
#include "words.h"

#include "../operations/all.h"

const colony_kernel_table *colony_kernels_generic(void) { return &table; }
