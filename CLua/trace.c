#include "internal.h"

#include <stdio.h>
#include <string.h>

// Where code stands, read from the stack alone: luaL_traceback makes Lua strings, which raises where memory ran out.
// It is the author's code that is shown, and the functions of ours it called; not how ours got there.

// To get to a level, Lua walks there from the top: of a stack deeper than DEEP_LEVELS the lower end is not looked for.
enum { FIRST_LEVELS = 10, LAST_LEVELS = 11, DEEP_LEVELS = 10000 };

static bool is_authors(lua_State *L, lua_Debug *info) {
  lua_getinfo(L, "S", info);
  return *info->what != 'C' && strncmp(info->source, "=moonpeer.", 10) != 0;
}

// Shipped Lua shows nothing of itself, and a C function only where the author called it.
static bool is_shown(lua_State *L, int level, lua_Debug *info) {
  lua_Debug caller;
  if (is_authors(L, info)) return true;
  return *info->what == 'C' && lua_getstack(L, level + 1, &caller) && is_authors(L, &caller);
}

static void line_of(lua_State *L, lua_Debug *info, clua_pack *text) {
  char line[256];
  int count;
  lua_getinfo(L, "Slnt", info);
  if (info->currentline > 0) count = snprintf(line, sizeof line, "\n\t%s:%d: in ", info->short_src, info->currentline);
  else count = snprintf(line, sizeof line, "\n\t%s: in ", info->short_src);
  clua_pack_append(text, line, (size_t)count);
  if (*info->namewhat) {
    const char *what = strcmp(info->namewhat, "global") == 0 ? "function" : info->namewhat;
    count = snprintf(line, sizeof line, "%s '%.120s'", what, info->name);
  } else if (*info->what == 'm') {
    count = snprintf(line, sizeof line, "main chunk");
  } else if (*info->what == 'C') {
    count = snprintf(line, sizeof line, "?");
  } else {
    count = snprintf(line, sizeof line, "function <%s:%d>", info->short_src, info->linedefined);
  }
  clua_pack_append(text, line, (size_t)count);
  if (info->istailcall) clua_pack_append(text, "\n\t(...tail calls...)", 20);
}

static void append_line(clua_pack *text, const char *format, int count) {
  char line[64];
  clua_pack_append(text, line, (size_t)snprintf(line, sizeof line, format, count));
}

static int depth_of(lua_State *L) {
  lua_Debug info;
  int low = 0, high = 1;
  while (lua_getstack(L, high, &info)) {
    low = high;
    high *= 2;
  }
  while (low < high) {
    int middle = (low + high) / 2;
    if (lua_getstack(L, middle, &info)) low = middle + 1;
    else high = middle;
  }
  return high;
}

void clua_trace(lua_State *L, int level, clua_pack *text) {
  lua_Debug info;
  bool is_deep = lua_getstack(L, level + DEEP_LEVELS, &info);
  int depth = is_deep ? level + DEEP_LEVELS : depth_of(L);
  bool is_long = depth - level > FIRST_LEVELS + LAST_LEVELS;
  clua_pack_text(text, "stack traceback:", 16);
  size_t empty = text->count;
  for (int first = level; lua_getstack(L, level, &info); level++) {
    if (is_long && level - first == FIRST_LEVELS) {
      if (is_deep) return append_line(text, "\n\t...\t(over %d levels more)", DEEP_LEVELS - FIRST_LEVELS);
      int skipped = depth - level - LAST_LEVELS;
      append_line(text, "\n\t...\t(skipping %d levels)", skipped);
      level += skipped;
      if (!lua_getstack(L, level, &info)) break;
    }
    if (is_shown(L, level, &info)) line_of(L, &info, text);
  }
  if (text->count == empty) clua_pack_clear(text);
}

// `file:line: ` of the first level at or above `level` that is the author's: Lua code with a line, past C functions and
// the shipped Lua.
size_t clua_place(lua_State *L, int level, char *buffer, size_t capacity) {
  lua_Debug info;
  for (; lua_getstack(L, level, &info); level++) {
    if (!lua_getinfo(L, "Sl", &info) || info.currentline <= 0) continue;
    if (strncmp(info.source, "=moonpeer.", 10) == 0) continue;
    int count = snprintf(buffer, capacity, "%s:%d: ", info.short_src, info.currentline);
    return count < 0 ? 0 : (size_t)count < capacity ? (size_t)count : capacity - 1;
  }
  if (capacity) buffer[0] = 0;
  return 0;
}

size_t clua_written_at(lua_State *L, int index, char *buffer, size_t capacity) {
  lua_Debug info;
  if (!lua_isfunction(L, index) || !lua_checkstack(L, 1)) return 0;
  lua_pushvalue(L, index);
  lua_getinfo(L, ">S", &info);
  if (*info.what == 'C' || strncmp(info.source, "=moonpeer.", 10) == 0) return 0;
  int count = snprintf(buffer, capacity, "%s:%d", info.short_src, info.linedefined);
  return count > 0 && (size_t)count < capacity ? (size_t)count : 0;
}
