#include "originals.h"
#include "patterns.h"

#include <string.h>

// What stands in the place of Lua's own functions whose loops in C a budget could not end: the hook fires between Lua
// instructions and at calls only. These look at the budget themselves, make calls on their way, or refuse.

// Lua's string buffers ask for memory without collecting first: where much of what is in use may be garbage, it is
// collected before. Not again until an eighth of the cap has been added, so that the price stays in proportion.
void clua_make_room(lua_State *L) {
  clua_vm *vm = vm_of(L);
  if (!vm->limit || vm->used <= vm->limit / 2 || vm->used <= vm->collected + vm->limit / 8) return;
  lua_gc(L, LUA_GCCOLLECT);
  vm->collected = vm->used;
}

// ---- many arguments: each may be one and the same long string, looked through anew

enum { FEW_ARGUMENTS = 8, UNLIMITED_TEXT = 256 << 20, MOST_QUOTED = 1 << 20, LONGEST_DATE = 1 << 12 };

static size_t text_in_arguments(lua_State *L, int count) {
  size_t sum = 0;
  for (int i = 1; i <= count; i++) sum += lua_type(L, i) == LUA_TSTRING ? lua_rawlen(L, i) : 0;
  return sum;
}

static int with_arguments(lua_State *L, int function) {
  int count = lua_gettop(L);
  if (__builtin_expect(count > FEW_ARGUMENTS, 0)) {
    size_t limit = vm_of(L)->limit;
    if (text_in_arguments(L, count) > (limit ? limit : UNLIMITED_TEXT)) {
      return luaL_error(L, "the arguments are too long: together more than script_memory");
    }
  }
  return clua_original(function)(L);
}

static int bounded_max(lua_State *L) { return with_arguments(L, CLUA_math_max); }
static int bounded_min(lua_State *L) { return with_arguments(L, CLUA_math_min); }
static int bounded_char(lua_State *L) { return with_arguments(L, CLUA_string_char); }
static int bounded_utf8_char(lua_State *L) { return with_arguments(L, CLUA_utf8_char); }

static int bounded_pack(lua_State *L) {
  clua_make_room(L);
  return with_arguments(L, CLUA_string_pack);
}

// Whether %q stands in it, behind a zero byte too.
static bool quotes(const char *format, size_t length) {
  for (const char *end = format + length; (format = memchr(format, '%', (size_t)(end - format))); format++) {
    if (end - format > 1 && format[1] == 'q') return true;
  }
  return false;
}

// %q prints each byte that is not a character by itself: a quarter of a second for 1 MiB of zeros.
static int bounded_format(lua_State *L) {
  clua_make_room(L);
  size_t length;
  const char *format = luaL_checklstring(L, 1, &length);
  if (quotes(format, length) && text_in_arguments(L, lua_gettop(L)) > length + MOST_QUOTED) {
    return luaL_error(L, "string.format: more than 1 MiB is not quoted (%%q)");
  }
  return with_arguments(L, CLUA_string_format);
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
  clua_make_room(L);
  return clua_original(CLUA_string_rep)(L);
}

static int bounded_gsub(lua_State *L) {
  clua_make_room(L);
  return clua_gsub(L);
}

static int bounded_date(lua_State *L) {
  size_t length;
  luaL_optlstring(L, 1, "", &length);
  luaL_argcheck(L, length <= LONGEST_DATE, 1, "the format is too long");
  return clua_original(CLUA_os_date)(L);
}

// ---- where they stand

static const struct {
  const char *library, *name;
  lua_CFunction function;
} bounded[] = {
  { "string", "find", clua_find }, { "string", "match", clua_match }, { "string", "gmatch", clua_gmatch },
  { "string", "gsub", bounded_gsub }, { "string", "rep", bounded_rep }, { "string", "format", bounded_format },
  { "string", "pack", bounded_pack }, { "string", "char", bounded_char }, { "utf8", "char", bounded_utf8_char },
  { "table", "concat", clua_concat }, { "table", "move", clua_move }, { "table", "sort", clua_sort },
  { "table", "insert", clua_insert }, { "table", "remove", clua_remove }, { "table", "unpack", clua_unpack },
  { "math", "max", bounded_max }, { "math", "min", bounded_min }, { "os", "date", bounded_date },
  { LUA_GNAME, "pcall", clua_pcall }, { LUA_GNAME, "xpcall", clua_xpcall },
};

enum { BOUNDED_COUNT = sizeof bounded / sizeof *bounded };

lua_CFunction clua_bounded_named(const char *library, const char *name) {
  for (int i = 0; i < BOUNDED_COUNT; i++) {
    if (strcmp(bounded[i].library, library) == 0 && strcmp(bounded[i].name, name) == 0) return bounded[i].function;
  }
  return NULL;
}

void clua_set_bounded(lua_State *L, const char *library) {
  for (int i = 0; i < BOUNDED_COUNT; i++) {
    if (strcmp(bounded[i].library, library) != 0) continue;
    lua_pushcfunction(L, bounded[i].function);
    lua_setfield(L, -2, bounded[i].name);
  }
}

void clua_open_bounded(lua_State *L) {
  static const char *const libraries[] = { LUA_GNAME, "string", "table", "math", "utf8", "os", NULL };
  for (const char *const *library = libraries; *library; library++) {
    lua_getglobal(L, *library);
    // `math` gets its own when it is filled.
    if (!clua_is_unfilled(L, -1)) clua_set_bounded(L, *library);
    lua_pop(L, 1);
  }
}
