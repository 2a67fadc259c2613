#include "PlainLua.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <stdlib.h>
#include <string.h>

char *plain_lua(const char *code) {
  lua_State *L = luaL_newstate();
  if (!L) abort();
  luaL_openlibs(L);
  if (luaL_loadbuffer(L, code, strlen(code), "@test.lua") == LUA_OK) lua_pcall(L, 0, 1, 0);
  char *text = strdup(lua_tostring(L, -1) ? lua_tostring(L, -1) : "no text");
  lua_close(L);
  return text;
}
