// For every CPU: registers of four floats, as SSE2 and NEON have them.
#define LANES 4
#define REGISTERS 2
#define ROWS 4
#define PANELS 1
#define NAME plain_kernels
#include "kernels.inc"
