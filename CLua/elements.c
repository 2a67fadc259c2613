#include "originals.h"

#include <limits.h>

// What goes over the elements of a table. Lua's own are loops in C, which no hook ends: of a plain table as long as
// it is in memory, but where a metatable stands behind, each element may be thousands of look-ups away, and __len
// may say anything. These look at the budget between two elements.

enum { READS = 1, WRITES = 2, COUNTS = 4 };

static bool is_plain(lua_State *L, int index) {
  if (lua_type(L, index) != LUA_TTABLE) return false;
  if (!lua_getmetatable(L, index)) return true;
  lua_pop(L, 1);
  return false;
}

static bool has_metamethod(lua_State *L, int index, const char *name) {
  if (luaL_getmetafield(L, index, name) == LUA_TNIL) return false;
  lua_pop(L, 1);
  return true;
}

// A table, or what behaves as one where that is needed.
static void check_elements(lua_State *L, int index, int needs) {
  if (lua_type(L, index) == LUA_TTABLE) return;
  bool is_fine = (!(needs & READS) || has_metamethod(L, index, "__index"))
    && (!(needs & WRITES) || has_metamethod(L, index, "__newindex"))
    && (!(needs & COUNTS) || has_metamethod(L, index, "__len"));
  if (!is_fine) luaL_checktype(L, index, LUA_TTABLE);
}

static void copy_element(lua_State *L, lua_Integer from, int target, lua_Integer to) {
  lua_geti(L, 1, from);
  lua_seti(L, target, to);
  clua_look_at_budget(L);
}

// table.move(a1, f, e, t [, a2])
int clua_move(lua_State *L) {
  lua_Integer first = luaL_checkinteger(L, 2), last = luaL_checkinteger(L, 3), to = luaL_checkinteger(L, 4);
  int target = lua_isnoneornil(L, 5) ? 1 : 5;
  check_elements(L, 1, READS);
  check_elements(L, target, WRITES);
  lua_settop(L, 5);
  if (last >= first) {
    luaL_argcheck(L, first > 0 || last < LUA_MAXINTEGER + first, 3, "too many elements to move");
    lua_Integer count = last - first + 1;
    luaL_argcheck(L, to <= LUA_MAXINTEGER - count + 1, 4, "destination wrap around");
    bool is_upward = to > last || to <= first || (target != 1 && !lua_compare(L, 1, target, LUA_OPEQ));
    for (lua_Integer i = 0; i < count; i++) {
      lua_Integer at = is_upward ? i : count - 1 - i;
      copy_element(L, first + at, target, to + at);
    }
  }
  lua_pushvalue(L, target);
  return 1;
}

static lua_Integer movable_length(lua_State *L) {
  check_elements(L, 1, READS | WRITES | COUNTS);
  lua_Integer length = luaL_len(L, 1);
  luaL_argcheck(L, length <= 1 << 24, 1, "__len says it is too long to move its elements");
  return length;
}

// table.insert(list, [pos,] value)
int clua_insert(lua_State *L) {
  if (is_plain(L, 1)) return clua_original(CLUA_table_insert)(L);
  lua_Integer end = movable_length(L) + 1, position = end;
  int count = lua_gettop(L);
  if (count != 2 && count != 3) return luaL_error(L, "wrong number of arguments to 'insert'");
  if (count == 3) {
    position = luaL_checkinteger(L, 2);
    luaL_argcheck(L, (lua_Unsigned)position - 1u < (lua_Unsigned)end, 2, "position out of bounds");
    for (lua_Integer i = end; i > position; i--) copy_element(L, i - 1, 1, i);
  }
  lua_seti(L, 1, position);
  return 0;
}

// table.remove(list [, pos])
int clua_remove(lua_State *L) {
  if (is_plain(L, 1)) return clua_original(CLUA_table_remove)(L);
  lua_Integer length = movable_length(L), position = luaL_optinteger(L, 2, length);
  if (position != length) {
    luaL_argcheck(L, (lua_Unsigned)position - 1u <= (lua_Unsigned)length, 2, "position out of bounds");
  }
  lua_geti(L, 1, position);
  for (; position < length; position++) copy_element(L, position + 1, 1, position);
  lua_pushnil(L);
  lua_seti(L, 1, position);
  return 1;
}

static void add_element(lua_State *L, luaL_Buffer *buffer, lua_Integer at) {
  clua_look_at_budget(L);
  lua_geti(L, 1, at);
  if (!lua_isstring(L, -1)) {
    luaL_error(L, "invalid value (%s) at index %I in table for 'concat'", luaL_typename(L, -1), (LUAI_UACINT)at);
  }
  luaL_addvalue(buffer);
}

// table.concat(list [, sep [, i [, j]]])
int clua_concat(lua_State *L) {
  clua_make_room(L);
  if (is_plain(L, 1)) return clua_original(CLUA_table_concat)(L);
  check_elements(L, 1, READS | COUNTS);
  lua_Integer length = luaL_len(L, 1);
  size_t count;
  const char *separator = luaL_optlstring(L, 2, "", &count);
  lua_Integer at = luaL_optinteger(L, 3, 1), last = luaL_optinteger(L, 4, length);
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  for (; at < last; at++) {
    add_element(L, &buffer, at);
    luaL_addlstring(&buffer, separator, count);
  }
  if (at == last) add_element(L, &buffer, at);
  luaL_pushresult(&buffer);
  return 1;
}

// table.unpack(list [, i [, j]])
int clua_unpack(lua_State *L) {
  if (!lua_getmetatable(L, 1)) return clua_original(CLUA_table_unpack)(L);
  lua_pop(L, 1);
  lua_Integer at = luaL_optinteger(L, 2, 1), last = luaL_opt(L, luaL_checkinteger, 3, luaL_len(L, 1));
  if (at > last) return 0;
  lua_Unsigned more = (lua_Unsigned)last - (lua_Unsigned)at;
  if (more >= INT_MAX || !lua_checkstack(L, (int)more + 1)) return luaL_error(L, "too many results to unpack");
  for (; at < last; at++) {
    lua_geti(L, 1, at);
    clua_look_at_budget(L);
  }
  lua_geti(L, 1, last);
  return (int)more + 1;
}

// ---- table.sort

static int is_less(lua_State *L) {
  lua_pushboolean(L, lua_compare(L, 1, 2, LUA_OPLT));
  return 1;
}

enum { MANY_ELEMENTS = 1 << 16, MUCH_TEXT = 1 << 20 };

// Whether sorting without a comparator could take long: it would be one loop in C without a call. Strings take time by their
// length, some 10 ns a byte where it is zero.
static bool sorts_long(lua_State *L) {
  if (!is_plain(L, 1)) return true;
  size_t count = lua_rawlen(L, 1), longest = 0;
  for (size_t i = 1; i <= count && i <= MANY_ELEMENTS; i++) {
    size_t length = lua_rawgeti(L, 1, (lua_Integer)i) == LUA_TSTRING ? lua_rawlen(L, -1) : 0;
    if (length > longest) longest = length;
    lua_pop(L, 1);
  }
  return count > MANY_ELEMENTS || longest > MUCH_TEXT || count * longest > MUCH_TEXT;
}

int clua_sort(lua_State *L) {
  lua_settop(L, 2);
  if (lua_isnil(L, 2) && sorts_long(L)) {
    lua_settop(L, 1);
    lua_pushcfunction(L, is_less);
  }
  return clua_original(CLUA_table_sort)(L);
}
