#define LANES 16
#define ROWS 8
#define NAME avx512_kernels
#include "kernels.inc"
