#include "originals.h"

#include <stdlib.h>
#include <string.h>

typedef struct {
  const char *library, *name;
  lua_CFunction function;
} original;

#define ENTRY(library, name) { #library, #name, NULL },
static original originals[] = { CLUA_ORIGINALS(ENTRY) };
#undef ENTRY

// Their addresses are the process's, so a state of its own is asked for them once.
static void find(void) {
  lua_State *L = luaL_newstate();
  if (!L) abort();
  luaL_openlibs(L);
  for (int i = 0; i < CLUA_ORIGINAL_COUNT; i++) {
    lua_getglobal(L, originals[i].library);
    lua_getfield(L, -1, originals[i].name);
    originals[i].function = lua_tocfunction(L, -1);
    if (!originals[i].function) abort();  // another Lua than 5.4
    lua_settop(L, 0);
  }
  lua_close(L);
}

static void find_once(void) {
  static pthread_once_t once = PTHREAD_ONCE_INIT;
  pthread_once(&once, find);
}

lua_CFunction clua_original(int index) {
  find_once();
  return originals[index].function;
}

lua_CFunction clua_original_named(const char *library, const char *name) {
  find_once();
  for (int i = 0; i < CLUA_ORIGINAL_COUNT; i++) {
    if (strcmp(originals[i].library, library) == 0 && strcmp(originals[i].name, name) == 0) return originals[i].function;
  }
  return NULL;
}
