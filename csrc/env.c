/* libespalier_env.so: says how OpenMP's threads wait for each other. Spinning ones make a step 2 to 7 times slower as soon
 * as anything else runs on the machine; ones that sleep at once make it up to twice as slow when nothing else does, since
 * waking takes longer than many of the operations. So they spin for about ten microseconds and then sleep
 * (docs/decisions.md has the figures). libgomp reads the variables when it is loaded, before any constructor of a library
 * that needs it; this library comes last in libespalier's DT_NEEDED and is therefore initialised first. */
#include <stdlib.h>

__attribute__((constructor)) static void wait_briefly(void) {
  if (getenv("OMP_WAIT_POLICY") || getenv("GOMP_SPINCOUNT")) return; /* a user's own setting stays */
  setenv("OMP_WAIT_POLICY", "passive", 1);
  setenv("GOMP_SPINCOUNT", "4000", 1);
}
