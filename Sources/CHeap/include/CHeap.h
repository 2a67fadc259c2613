// What malloc has given out, which Swift's module of the C library does not tell. For the chaos test.
#ifndef CHEAP_H
#define CHEAP_H

#include <stdbool.h>
#include <stddef.h>

// Bytes.
size_t cheap_in_use(void);

// Whether a sanitizer looks on: it has a malloc of its own, and keeps much beside what the program has.
bool cheap_is_sanitized(void);

#endif
