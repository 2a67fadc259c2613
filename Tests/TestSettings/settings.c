#define _GNU_SOURCE
#include "TestSettings.h"

#include <stdlib.h>

// Before main, because that is when both are read. What is set already stays.
__attribute__((constructor)) static void set_defaults(void) {
  setenv("SWT_EXPERIMENTAL_MAXIMUM_PARALLELIZATION_WIDTH", "8", 0);
  setenv("NIO_SINGLETON_GROUP_LOOP_COUNT", "128", 0);
}

void keep_standard_descriptors(posix_spawn_file_actions_t *actions) {
  posix_spawn_file_actions_addclosefrom_np(actions, 3);
}
