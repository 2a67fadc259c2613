#include "CHeap.h"

#include <malloc.h>
#include <stdbool.h>

// Of the sanitizers' runtimes, whose malloc is another.
size_t __sanitizer_get_current_allocated_bytes(void) __attribute__((weak));

bool cheap_is_sanitized(void) { return __sanitizer_get_current_allocated_bytes != NULL; }

size_t cheap_in_use(void) {
  if (cheap_is_sanitized()) return __sanitizer_get_current_allocated_bytes();
  struct mallinfo2 all = mallinfo2();
  return all.uordblks + all.hblkhd;
}
