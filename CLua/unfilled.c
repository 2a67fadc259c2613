#include "originals.h"

// The table `math` is empty until somebody looks into it: a twelfth of what a small script's VM holds, and most scripts do
// without. Whatever could see that it is empty fills it first: an index, an assignment, pairs, next, rawget, setmetatable.

bool clua_is_unfilled(lua_State *L, int index) {
  const void *metatable = vm_of(L)->unfilled;
  if (!metatable || lua_type(L, index) != LUA_TTABLE || !lua_getmetatable(L, index)) return false;
  bool is_so = lua_topointer(L, -1) == metatable;
  lua_pop(L, 1);
  return is_so;
}

static void fill(lua_State *L, int index) {
  luaL_checkstack(L, 8, NULL);
  luaopen_math(L);
  clua_set_bounded(L, LUA_MATHLIBNAME);
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    // A name that rawset has put there stays.
    lua_pushvalue(L, -2);
    if (lua_rawget(L, index) != LUA_TNIL) {
      lua_pop(L, 3);
      continue;
    }
    lua_pop(L, 1);
    lua_rawset(L, index);
  }
  lua_pop(L, 1);
  lua_pushnil(L);
  lua_setmetatable(L, index);
  vm_of(L)->unfilled = NULL;
}

static int index_unfilled(lua_State *L) {
  clua_fill(L, 1);
  lua_rawget(L, 1);
  return 1;
}

static int assign_unfilled(lua_State *L) {
  clua_fill(L, 1);
  lua_rawset(L, 1);
  return 0;
}

void clua_fill(lua_State *L, int index) {
  if (clua_is_unfilled(L, index)) fill(L, index);
}

static int filled_next(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  lua_settop(L, 2);
  if (lua_isnil(L, 2)) clua_fill(L, 1);
  if (lua_next(L, 1)) return 2;
  lua_pushnil(L);
  return 1;
}

static int pairs_unfilled(lua_State *L) {
  clua_fill(L, 1);
  lua_pushcfunction(L, filled_next);
  lua_pushvalue(L, 1);
  lua_pushnil(L);
  return 3;
}

static int filled_rawget(lua_State *L) {
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_checkany(L, 2);
  lua_settop(L, 2);
  clua_fill(L, 1);
  lua_rawget(L, 1);
  return 1;
}

static int plain_getmetatable(lua_State *L) {
  luaL_checkany(L, 1);
  if (!lua_getmetatable(L, 1) || lua_topointer(L, -1) == vm_of(L)->unfilled) {
    lua_pushnil(L);
    return 1;
  }
  luaL_getmetafield(L, 1, "__metatable");
  return 1;
}

// The globals are on top; `math` among them is set.
void clua_open_unfilled(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "next", filled_next }, { "rawget", filled_rawget }, { "getmetatable", plain_getmetatable }, { NULL, NULL },
  };
  static const luaL_Reg metamethods[] = {
    { "__index", index_unfilled }, { "__newindex", assign_unfilled }, { "__pairs", pairs_unfilled }, { NULL, NULL },
  };
  luaL_setfuncs(L, functions, 0);
  lua_newtable(L);
  luaL_newlibtable(L, metamethods);
  luaL_setfuncs(L, metamethods, 0);
  vm_of(L)->unfilled = lua_topointer(L, -1);
  // Kept, so that no other table can come to have its address.
  lua_pushvalue(L, -1);
  luaL_ref(L, LUA_REGISTRYINDEX);
  lua_setmetatable(L, -2);
  lua_setfield(L, -2, LUA_MATHLIBNAME);
}
