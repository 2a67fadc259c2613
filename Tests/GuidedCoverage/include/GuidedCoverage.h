#ifndef GUIDED_COVERAGE_H
#define GUIDED_COVERAGE_H

#include <stddef.h>
#include <stdint.h>

// libFuzzer's own, from the sanitizer's runtime.
int LLVMFuzzerRunDriver(int *argc, char ***argv, int (*callback)(const uint8_t *data, size_t size));

// From now on the lines that run in this VM, a clua_vm, count as code that an input reaches: nothing else sees the codecs'
// Lua.
void guided_cover(void *vm);

#endif
