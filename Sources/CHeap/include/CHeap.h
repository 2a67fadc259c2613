// What malloc has given out, which Swift's module of the C library does not tell. For the chaos test.
#ifndef CHEAP_H
#define CHEAP_H

#include <stddef.h>

// Bytes; 0 under a sanitizer, whose malloc is another.
size_t cheap_in_use(void);

#endif
