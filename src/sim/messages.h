/* The part of libc.h that most of src/debug gets: what the library says on stderr goes through the
 * simulation. All else there looks at the real process, and does so with real calls. */
#ifndef COIR_SIM_MESSAGES_H
#define COIR_SIM_MESSAGES_H

#include <stdio.h>

#include "sim/calls.h"

#undef stderr
#define stderr coir__sim_stderr()

#endif
