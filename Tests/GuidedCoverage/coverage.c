#include "GuidedCoverage.h"

#include "internal.h"

// Edges between lines, counted where libFuzzer looks for more counters than the compiler's.
enum { COUNTERS = 1 << 14 };
__attribute__((section("__libfuzzer_extra_counters"), used)) static uint8_t counters[COUNTERS];

static void at_line(lua_State *L, lua_Debug *info) {
  static uint32_t previous;
  if (!lua_getinfo(L, "S", info)) return;
  // By text and not by place, so that a kept corpus means the same the next time.
  uint32_t line = 2166136261u;
  for (const char *name = info->short_src; *name; name++) line = (line ^ (uint8_t)*name) * 16777619u;
  line = (line ^ (uint32_t)info->currentline) * 16777619u;
  uint8_t *counter = &counters[(line ^ previous) % COUNTERS];
  if (*counter < 255) ++*counter;
  previous = line >> 1;
}

void guided_cover(void *vm) { lua_sethook(((clua_vm *)vm)->L, at_line, LUA_MASKLINE, 0); }
