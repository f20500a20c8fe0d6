#define LANES 16
#define REGISTERS 1
#define ROWS 12
#define PANELS 2
#define NAME avx512_kernels
#include "kernels.inc"
