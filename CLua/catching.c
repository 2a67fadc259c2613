#include "originals.h"

// pcall and xpcall. What a coroutine is in the middle of Lua keeps in a list of calls, which it walks to its end for each
// pcall that has caught something. The list has no bound but memory's where errors are swallowed: a C stack that overflowed is
// unwound by the catch, and the recursion goes on above it. Ended level by level, a run over its budget took half a
// minute. So no thread has more calls of pcall under way than Lua lets C calls be nested.
enum { MAX_PCALLS = 200 };

static int refuse_call(lua_State *L) { return luaL_error(L, "stack overflow (%d calls of pcall inside each other)", MAX_PCALLS); }

// Puts what raises in the place of the function at index, where it would be one call too many.
static void enter(lua_State *L, int index) {
  *clua_extra(L) += CLUA_PCALL;
  if (__builtin_expect((*clua_extra(L) & CLUA_PCALLS) / CLUA_PCALL <= MAX_PCALLS, 1)) return;
  lua_pushcfunction(L, refuse_call);
  lua_replace(L, index);
}

// Once for each call, whether it returned, raised or waited meanwhile. The context is what stands below the results.
static int leave(lua_State *L, int status, lua_KContext below) {
  *clua_extra(L) -= CLUA_PCALL;
  if (__builtin_expect(status == LUA_OK || status == LUA_YIELD, 1)) return lua_gettop(L) - (int)below;
  lua_pushboolean(L, 0);
  lua_pushvalue(L, -2);
  return 2;
}

int clua_pcall(lua_State *L) {
  luaL_checkany(L, 1);
  enter(L, 1);
  lua_pushboolean(L, 1);
  lua_insert(L, 1);
  return leave(L, lua_pcallk(L, lua_gettop(L) - 2, LUA_MULTRET, 0, 0, leave), 0);
}

// Where a budget ended the run, the author's handler is not asked: hooks are off while it runs.
static int guarded_handler(lua_State *L) {
  if (vm_of(L)->kill) return 1;
  lua_settop(L, 1);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_insert(L, 1);
  lua_call(L, 1, 1);
  return 1;
}

int clua_xpcall(lua_State *L) {
  int count = lua_gettop(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  // A C function (debug.traceback, as a rule) needs no guard, and shows as one level less in a traceback without it.
  if (!lua_iscfunction(L, 2)) {
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, guarded_handler, 1);
    lua_replace(L, 2);
  }
  enter(L, 1);
  lua_pushboolean(L, 1);
  lua_pushvalue(L, 1);
  lua_rotate(L, 3, 2);
  return leave(L, lua_pcallk(L, count - 2, LUA_MULTRET, 2, 2, leave), 2);
}
