// For every CPU: registers of four floats, as SSE2 and NEON have them.
#define LANES 4
#define ROWS 4
#define NAME plain_kernels
#include "kernels.inc"
