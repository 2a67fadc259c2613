#include "originals.h"

#include <math.h>
#include <string.h>

// The globals of the shipped Lua: Lua's own, whatever the script has put in their place. Parts of it are loaded when they
// are first needed, long after the script ran.
//
// They cost a VM next to nothing: one empty table that finds functions by name. A library is a light userdata with the
// address of its name, which no script ever gets hold of.

static const char *const libraries[] = { "string", "table", "math", "utf8", "debug", NULL };

// Scripts reach the metatables of what they are given, and must have no finalizers: Lua runs those with hooks off, so no
// budget would end one.
void clua_set_metatable(lua_State *L) {
  if (lua_istable(L, -1)) {
    lua_pushliteral(L, "__gc");
    lua_pushnil(L);
    lua_rawset(L, -3);
  }
  lua_setmetatable(L, -2);
}

static int set_metatable(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  clua_set_metatable(L);
  return 1;
}

static int push_function(lua_State *L, const char *library, const char *name) {
  lua_CFunction function = clua_bounded_named(library, name);
  if (strcmp(library, LUA_GNAME) == 0 && strcmp(name, "setmetatable") == 0) function = set_metatable;
  if (!function) function = clua_original_named(library, name);
  if (!function) return luaL_error(L, "the shipped Lua has no %s.%s", library, name);
  lua_pushcfunction(L, function);
  return 1;
}

static int find_global(lua_State *L) {
  const char *name = luaL_checkstring(L, 2);
  if (strcmp(name, LUA_GNAME) == 0) {
    lua_pushglobaltable(L);
    return 1;
  }
  for (const char *const *library = libraries; *library; library++) {
    if (strcmp(name, *library) == 0) {
      lua_pushlightuserdata(L, (void *)library);
      return 1;
    }
  }
  return push_function(L, LUA_GNAME, name);
}

static int find_in_library(lua_State *L) {
  const char *const *wanted = lua_touserdata(L, 1);
  const char *name = luaL_checkstring(L, 2);
  for (const char *const *library = libraries; *library; library++) {
    if (library != wanted) continue;
    if (strcmp(*library, "math") == 0 && strcmp(name, "huge") == 0) {
      lua_pushnumber(L, HUGE_VAL);
      return 1;
    }
    return push_function(L, *library, name);
  }
  return luaL_error(L, "attempt to index a userdata value");
}

static void push_index(lua_State *L, lua_CFunction function) {
  lua_createtable(L, 0, 1);
  lua_pushcfunction(L, function);
  lua_setfield(L, -2, "__index");
}

void clua_open_pristine(clua_vm *vm, lua_State *L) {
  // All light userdata share one metatable.
  lua_pushlightuserdata(L, NULL);
  push_index(L, find_in_library);
  lua_setmetatable(L, -2);
  lua_pop(L, 1);
  lua_newtable(L);
  push_index(L, find_global);
  lua_setmetatable(L, -2);
  vm->pristine = luaL_ref(L, LUA_REGISTRYINDEX);
}
