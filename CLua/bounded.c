#include "internal.h"

// Functions of Lua's own whose loops in C, or whose handlers, a budget could not end: the hook fires between Lua
// instructions only. These look at the budget themselves.

static void stop_if_over(lua_State *L) {
  if (vm_of(L)->kill) luaL_error(L, "over the budget");
}

// Lua's string buffers ask for memory without collecting first: where much of what is in use may be garbage, it is
// collected before. Not again until an eighth of the cap has been added, so that the price stays in proportion.
static void make_room(lua_State *L) {
  clua_vm *vm = vm_of(L);
  if (!vm->limit || vm->used <= vm->limit / 2 || vm->used <= vm->collected + vm->limit / 8) return;
  lua_gc(L, LUA_GCCOLLECT);
  vm->collected = vm->used;
}

static int with_room(lua_State *L) {
  make_room(L);
  return lua_tocfunction(L, lua_upvalueindex(1))(L);
}

// string.rep of nothing, a huge number of times, copies nothing for centuries.
static int bounded_rep(lua_State *L) {
  size_t length, separator;
  luaL_checklstring(L, 1, &length);
  luaL_checkinteger(L, 2);
  luaL_optlstring(L, 3, "", &separator);
  if (length + separator == 0) {
    lua_pushliteral(L, "");
    return 1;
  }
  return with_room(L);
}

static bool is_plain(lua_State *L, int index) { return lua_type(L, index) == LUA_TTABLE && !lua_getmetatable(L, index); }

// table.move(a1, f, e, t [, a2])
static int bounded_move(lua_State *L) {
  lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3), to = luaL_checkinteger(L, 4);
  int target = lua_isnoneornil(L, 5) ? 1 : 5;
  if (!is_plain(L, 1) && !luaL_getmetafield(L, 1, "__index")) luaL_checktype(L, 1, LUA_TTABLE);
  if (!is_plain(L, target) && !luaL_getmetafield(L, target, "__newindex")) luaL_checktype(L, target, LUA_TTABLE);
  lua_settop(L, 5);
  if (last >= first) {
    luaL_argcheck(L, first > 0 || last < LUA_MAXINTEGER + first, 3, "too many elements to move");
    lua_Integer count = last - first + 1;
    luaL_argcheck(L, to <= LUA_MAXINTEGER - count + 1, 4, "destination wrap around");
    bool is_upward = to > last || to <= first || (target != 1 && !lua_compare(L, 1, target, LUA_OPEQ));
    for (lua_Integer i = 0; i < count; i++) {
      lua_Integer at = is_upward ? i : count - 1 - i;
      lua_geti(L, 1, first + at);
      lua_seti(L, target, to + at);
      if ((i & 1023) == 0) stop_if_over(L);
    }
  }
  lua_pushvalue(L, target);
  return 1;
}

// insert and remove move as many elements as a __len says there are: their own for tables without one.
static int bounded_length(lua_State *L) {
  lua_CFunction function = lua_tocfunction(L, lua_upvalueindex(1));
  if (lua_type(L, 1) == LUA_TTABLE && luaL_getmetafield(L, 1, "__len") != LUA_TNIL) {
    lua_pop(L, 1);
    lua_Integer length = luaL_len(L, 1);
    luaL_argcheck(L, length <= 1 << 24, 1, "__len says it is too long to move its elements");
  }
  return function(L);
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

static int end_xpcall(lua_State *L, int status, lua_KContext context) {
  if (status == LUA_OK || status == LUA_YIELD) return lua_gettop(L) - (int)context;
  lua_pushboolean(L, 0);
  lua_pushvalue(L, -2);
  return 2;
}

static int guarded_xpcall(lua_State *L) {
  int count = lua_gettop(L);
  luaL_checktype(L, 2, LUA_TFUNCTION);
  // A C function (debug.traceback, as a rule) needs no guard, and shows as one level less in a traceback without it.
  if (!lua_iscfunction(L, 2)) {
    lua_pushvalue(L, 2);
    lua_pushcclosure(L, guarded_handler, 1);
    lua_replace(L, 2);
  }
  lua_pushboolean(L, 1);
  lua_pushvalue(L, 1);
  lua_rotate(L, 3, 2);
  return end_xpcall(L, lua_pcallk(L, count - 2, LUA_MULTRET, 2, 2, end_xpcall), 2);
}

static void replace(lua_State *L, const char *name, lua_CFunction function) {
  lua_getfield(L, -1, name);
  lua_pushcclosure(L, function, 1);
  lua_setfield(L, -2, name);
}

void clua_open_bounded(lua_State *L) {
  lua_getglobal(L, LUA_STRLIBNAME);
  replace(L, "rep", bounded_rep);
  replace(L, "gsub", with_room);
  replace(L, "format", with_room);
  replace(L, "pack", with_room);
  lua_getglobal(L, LUA_TABLIBNAME);
  replace(L, "concat", with_room);
  replace(L, "move", bounded_move);
  replace(L, "insert", bounded_length);
  replace(L, "remove", bounded_length);
  lua_pushglobaltable(L);
  replace(L, "xpcall", guarded_xpcall);
  lua_pop(L, 3);
}
