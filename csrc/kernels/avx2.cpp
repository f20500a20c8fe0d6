#define LANES 8
#define ROWS 6
#define NAME avx2_kernels
#include "kernels.inc"
