/* libespalier_env.so: says that OpenMP's threads wait passively. Spinning ones make a step 2 to 7 times slower as soon
 * as anything else runs on the machine. libgomp reads the variable when it is loaded, before any constructor of a
 * library that needs it; this library comes last in libespalier's DT_NEEDED and is therefore initialised first. */
#include <stdlib.h>

__attribute__((constructor)) static void wait_passively(void) {
  setenv("OMP_WAIT_POLICY", "passive", 0); /* 0: a user's own setting stays */
}
