// Scripts that never end are tested too, and each holds up its event loop until its time is up: so the tests have many
// loops, and only so many run at once. Otherwise a small machine would have nodes answer each other too late, whoever
// starts the tests and however.

#pragma once

#include <spawn.h>

/// The child keeps descriptors 0 to 2 only. Swift does not see glibc's own function for it.
void keep_standard_descriptors(posix_spawn_file_actions_t *actions);
