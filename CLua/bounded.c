#include "originals.h"
#include "patterns.h"

#include <string.h>

// Functions of Lua's own whose loops in C a budget could not end: the hook fires between Lua
// instructions and at calls only. These look at the budget themselves, or make calls on their way.

static void stop_if_over(lua_State *L) {
  if (vm_of(L)->kill) clua_stop_over_budget(L);
}

// Lua's string buffers ask for memory without collecting first: where much of what is in use may be garbage, it is
// collected before. Not again until an eighth of the cap has been added, so that the price stays in proportion.
static void make_room(lua_State *L) {
  clua_vm *vm = vm_of(L);
  if (!vm->limit || vm->used <= vm->limit / 2 || vm->used <= vm->collected + vm->limit / 8) return;
  lua_gc(L, LUA_GCCOLLECT);
  vm->collected = vm->used;
}

static int with_room(lua_State *L, int function) {
  make_room(L);
  return clua_original(function)(L);
}

static int roomy_format(lua_State *L) { return with_room(L, CLUA_string_format); }
static int roomy_pack(lua_State *L) { return with_room(L, CLUA_string_pack); }
static int roomy_concat(lua_State *L) { return with_room(L, CLUA_table_concat); }

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
  return with_room(L, CLUA_string_rep);
}

static int bounded_gsub(lua_State *L) {
  make_room(L);
  return clua_gsub(L);
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
static int with_true_length(lua_State *L, int function) {
  if (lua_type(L, 1) == LUA_TTABLE && luaL_getmetafield(L, 1, "__len") != LUA_TNIL) {
    lua_pop(L, 1);
    lua_Integer length = luaL_len(L, 1);
    luaL_argcheck(L, length <= 1 << 24, 1, "__len says it is too long to move its elements");
  }
  return clua_original(function)(L);
}

static int bounded_insert(lua_State *L) { return with_true_length(L, CLUA_table_insert); }
static int bounded_remove(lua_State *L) { return with_true_length(L, CLUA_table_remove); }

enum { FEW_ELEMENTS = 1 << 16, SHORT_STRING = 1 << 12 };

static int is_less(lua_State *L) {
  lua_pushboolean(L, lua_compare(L, 1, 2, LUA_OPLT));
  return 1;
}

// Whether sorting without a comparator could take long: it would be one loop in C without a call.
static bool sorts_long(lua_State *L) {
  if (lua_type(L, 1) != LUA_TTABLE || lua_getmetatable(L, 1)) return true;
  size_t count = lua_rawlen(L, 1);
  if (count > FEW_ELEMENTS) return true;
  for (size_t i = 1; i <= count; i++) {
    bool is_long = lua_rawgeti(L, 1, (lua_Integer)i) == LUA_TSTRING && lua_rawlen(L, -1) > SHORT_STRING;
    lua_pop(L, 1);
    if (is_long) return true;
  }
  return false;
}

static int bounded_sort(lua_State *L) {
  lua_settop(L, 2);
  if (lua_isnil(L, 2) && sorts_long(L)) {
    lua_settop(L, 1);
    lua_pushcfunction(L, is_less);
  }
  return clua_original(CLUA_table_sort)(L);
}

static const struct {
  const char *library, *name;
  lua_CFunction function;
} bounded[] = {
  { "string", "find", clua_find }, { "string", "match", clua_match }, { "string", "gmatch", clua_gmatch },
  { "string", "gsub", bounded_gsub }, { "string", "rep", bounded_rep }, { "string", "format", roomy_format },
  { "string", "pack", roomy_pack }, { "table", "concat", roomy_concat }, { "table", "move", bounded_move },
  { "table", "sort", bounded_sort }, { "table", "insert", bounded_insert }, { "table", "remove", bounded_remove },
  { LUA_GNAME, "pcall", clua_pcall }, { LUA_GNAME, "xpcall", clua_xpcall },
};

enum { BOUNDED_COUNT = sizeof bounded / sizeof *bounded };

lua_CFunction clua_bounded_named(const char *library, const char *name) {
  for (int i = 0; i < BOUNDED_COUNT; i++) {
    if (strcmp(bounded[i].library, library) == 0 && strcmp(bounded[i].name, name) == 0) return bounded[i].function;
  }
  return NULL;
}

void clua_open_bounded(lua_State *L) {
  for (int i = 0; i < BOUNDED_COUNT; i++) {
    lua_getglobal(L, bounded[i].library);
    lua_pushcfunction(L, bounded[i].function);
    lua_setfield(L, -2, bounded[i].name);
    lua_pop(L, 1);
  }
}
