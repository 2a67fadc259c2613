#include "internal.h"

#include <stdlib.h>
#include <string.h>

// As Lua's own, which cannot be called from here: its messages would lose the author's line.
static int checked_setmetatable(lua_State *L) {
  int type = lua_type(L, 2);
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
  lua_settop(L, 2);
  clua_fill(L, 1);
  if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) return luaL_error(L, "cannot change a protected metatable");
  if (type == LUA_TTABLE) {
    lua_pushliteral(L, "__gc");
    lua_rawget(L, 2);
    if (!lua_isnil(L, -1)) return luaL_error(L, "setmetatable: __gc is not available to scripts; use <close>");
  }
  lua_settop(L, 2);
  lua_setmetatable(L, 1);
  return 1;
}

static int count_only(lua_State *L) {
  const char *option = luaL_optstring(L, 1, "count");
  if (strcmp(option, "count") != 0) {
    return luaL_error(L, "collectgarbage: only \"count\" is available to scripts");
  }
  lua_pushnumber(L, (lua_Number)vm_of(L)->used / 1024);
  return 1;
}

// What scripts keep of Lua's own functions. Opening all of the libraries to throw most of it away again is what a VM would
// spend its first tenth of a millisecond on: the functions are looked up once in a process.
typedef struct { const char *name; lua_CFunction function; } kept;
static kept base[] = {
  { "assert", NULL }, { "error", NULL }, { "ipairs", NULL }, { "pairs", NULL },
  { "pcall", NULL }, { "print", NULL }, { "rawequal", NULL }, { "rawlen", NULL }, { "rawset", NULL },
  { "select", NULL }, { "tonumber", NULL }, { "tostring", NULL }, { "type", NULL }, { "warn", NULL }, { "xpcall", NULL },
  { NULL, NULL },
};
static kept os[] = { { "time", NULL }, { "clock", NULL }, { "date", NULL }, { "difftime", NULL }, { NULL, NULL } };
static kept debug[] = { { "traceback", NULL }, { NULL, NULL } };
// With what is added here and by the host: more would double the table of the globals.
enum { GLOBALS = 32 };
static pthread_once_t once = PTHREAD_ONCE_INIT;

static void find(lua_State *L, lua_CFunction open, kept *functions) {
  lua_pushcfunction(L, open);
  lua_call(L, 0, 1);
  for (; functions->name; functions++) {
    lua_getfield(L, -1, functions->name);
    functions->function = lua_tocfunction(L, -1);
    if (!functions->function) abort();
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
}

static void find_all(void) {
  lua_State *L = luaL_newstate();
  if (!L) abort();
  find(L, luaopen_base, base);
  find(L, luaopen_os, os);
  find(L, luaopen_debug, debug);
  lua_close(L);
}

static void set_functions(lua_State *L, const kept *functions) {
  for (; functions->name; functions++) {
    lua_pushcfunction(L, functions->function);
    lua_setfield(L, -2, functions->name);
  }
}

static void set_function(lua_State *L, const char *name, lua_CFunction function) {
  lua_pushcfunction(L, function);
  lua_setfield(L, -2, name);
}

static void open_base(lua_State *L) {
  lua_createtable(L, 0, GLOBALS);
  lua_pushvalue(L, -1);
  lua_rawseti(L, LUA_REGISTRYINDEX, LUA_RIDX_GLOBALS);
  lua_pushvalue(L, -1);
  lua_setfield(L, -2, LUA_GNAME);
  lua_pushliteral(L, LUA_VERSION);
  lua_setfield(L, -2, "_VERSION");
  set_functions(L, base);
  set_function(L, "load", clua_load_text);
  set_function(L, "setmetatable", checked_setmetatable);
  set_function(L, "collectgarbage", count_only);
}

void clua_open_libraries(lua_State *L, bool trusted) {
  if (trusted) {
    luaL_openlibs(L);
    return;
  }
  pthread_once(&once, find_all);
  // None of them is left in the registry's _LOADED, where C would find what was cut from it.
  open_base(L);
  luaopen_table(L);
  lua_setfield(L, -2, LUA_TABLIBNAME);
  clua_open_unfilled(L);
  luaopen_utf8(L);
  lua_setfield(L, -2, LUA_UTF8LIBNAME);
  lua_createtable(L, 0, sizeof os / sizeof *os - 1);
  set_functions(L, os);
  lua_setfield(L, -2, LUA_OSLIBNAME);
  lua_createtable(L, 0, 1);
  set_functions(L, debug);
  lua_setfield(L, -2, LUA_DBLIBNAME);
  luaopen_string(L);
  lua_pushnil(L);
  lua_setfield(L, -2, "dump");
  lua_setfield(L, -2, LUA_STRLIBNAME);
  lua_pushliteral(L, "");
  lua_getmetatable(L, -1);
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 3);
}
