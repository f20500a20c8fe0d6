#define LANES 8
#define REGISTERS 2
#define ROWS 6
#define PANELS 1
#define NAME avx2_kernels
#include "kernels.inc"
