#define _GNU_SOURCE
#include "patterns.h"

#include <string.h>

// string.find, match and gmatch over the matcher that looks at the budget.

void clua_push_capture(clua_matcher *m, int index, const char *start, const char *end) {
  const char *text;
  ptrdiff_t length = clua_matcher_capture(m, index, start, end, &text);
  if (length != CLUA_CAPTURE_POSITION) lua_pushlstring(m->L, text, (size_t)length);
}

// All captures; the whole match where there are none and `start` is given.
int clua_push_captures(clua_matcher *m, const char *start, const char *end) {
  int count = m->captured == 0 && start ? 1 : m->captured;
  luaL_checkstack(m->L, count, "too many captures");
  for (int i = 0; i < count; i++) clua_push_capture(m, i, start, end);
  return count;
}

static void start_over(clua_matcher *m) {
  m->captured = 0;
  m->nesting = CLUA_MAX_NESTING;
}

// Where to start, from 0: positions count from 1, or back from the end.
static size_t start_of(lua_Integer position, size_t length) {
  if (position > 0) return (size_t)position - 1;
  if (position == 0 || position < -(lua_Integer)length) return 0;
  return length - (size_t)-position;
}

static bool is_plain_text(const char *pattern, size_t count) {
  for (size_t i = 0; i < count; i++) {
    if (pattern[i] && strchr("^$*+?.([%-", pattern[i])) return false;
  }
  return true;
}

enum { QUICK_LOOKS = 32 };

// Lua's own way is the quickest as a rule, and takes the product of both lengths at worst; memmem takes their sum.
static const char *search(const char *at, const char *end, const char *text, size_t count) {
  if (count == 0) return at;
  for (int i = 0; i < QUICK_LOOKS; i++) {
    if ((size_t)(end - at) < count) return NULL;
    const char *first = memchr(at, *text, (size_t)(end - at) - count + 1);
    if (!first || memcmp(first, text, count) == 0) return first;
    at = first + 1;
  }
  return memmem(at, (size_t)(end - at), text, count);
}

static int find_text(lua_State *L, const char *subject, size_t length, const char *text, size_t count, size_t start) {
  const char *found = search(subject + start, subject + length, text, count);
  if (!found) {
    luaL_pushfail(L);
    return 1;
  }
  lua_pushinteger(L, found - subject + 1);
  lua_pushinteger(L, found - subject + (lua_Integer)count);
  return 2;
}

static int find_or_match(lua_State *L, bool finds) {
  size_t length, count;
  const char *subject = luaL_checklstring(L, 1, &length);
  const char *pattern = luaL_checklstring(L, 2, &count);
  size_t start = start_of(luaL_optinteger(L, 3, 1), length);
  if (start > length) {
    luaL_pushfail(L);
    return 1;
  }
  if (finds && (lua_toboolean(L, 4) || is_plain_text(pattern, count))) {
    return find_text(L, subject, length, pattern, count, start);
  }
  bool is_anchored = *pattern == '^';
  if (is_anchored) {
    pattern++;
    count--;
  }
  clua_matcher m;
  clua_matcher_open(&m, L, subject, length, pattern, count);
  const char *at = subject + start;
  do {
    start_over(&m);
    const char *end = clua_matcher_try(&m, at, pattern);
    if (!end) continue;
    if (!finds) return clua_push_captures(&m, at, end);
    lua_pushinteger(L, at - subject + 1);
    lua_pushinteger(L, end - subject);
    return clua_push_captures(&m, NULL, NULL) + 2;
  } while (at++ < m.subject_end && !is_anchored);
  luaL_pushfail(L);
  return 1;
}

int clua_find(lua_State *L) { return find_or_match(L, true); }
int clua_match(lua_State *L) { return find_or_match(L, false); }

// ---- gmatch

typedef struct {
  const char *at, *pattern, *last_end;
  clua_matcher matcher;
} iteration;

static int next_match(lua_State *L) {
  iteration *i = lua_touserdata(L, lua_upvalueindex(3));
  clua_matcher *m = &i->matcher;
  m->L = L;
  for (const char *at = i->at; at <= m->subject_end; at++) {
    start_over(m);
    const char *end = clua_matcher_try(m, at, i->pattern);
    if (end && end != i->last_end) {
      i->at = i->last_end = end;
      return clua_push_captures(m, at, end);
    }
  }
  return 0;
}

int clua_gmatch(lua_State *L) {
  size_t length, count;
  const char *subject = luaL_checklstring(L, 1, &length);
  const char *pattern = luaL_checklstring(L, 2, &count);
  size_t start = start_of(luaL_optinteger(L, 3, 1), length);
  lua_settop(L, 2);  // both strings live as long as the function does
  iteration *i = lua_newuserdatauv(L, sizeof *i, 0);
  clua_matcher_open(&i->matcher, L, subject, length, pattern, count);
  i->at = subject + (start > length ? length + 1 : start);
  i->pattern = pattern;
  i->last_end = NULL;
  lua_pushcclosure(L, next_match, 3);
  return 1;
}

// ---- gsub

static void add_template(clua_matcher *m, luaL_Buffer *buffer, const char *start, const char *end) {
  lua_State *L = m->L;
  size_t length;
  const char *text = lua_tolstring(L, 3, &length), *mark;
  while ((mark = memchr(text, '%', length))) {
    luaL_addlstring(buffer, text, (size_t)(mark - text));
    mark++;
    if (*mark == '%') {
      luaL_addchar(buffer, *mark);
    } else if (*mark == '0') {
      luaL_addlstring(buffer, start, (size_t)(end - start));
    } else if (*mark >= '1' && *mark <= '9') {
      const char *capture;
      ptrdiff_t count = clua_matcher_capture(m, *mark - '1', start, end, &capture);
      if (count == CLUA_CAPTURE_POSITION) luaL_addvalue(buffer);
      else luaL_addlstring(buffer, capture, (size_t)count);
    } else {
      luaL_error(L, "invalid use of '%%' in replacement string");
    }
    length -= (size_t)(mark + 1 - text);
    text = mark + 1;
  }
  luaL_addlstring(buffer, text, length);
}

// Whether something else now stands where the match stood.
static bool add_replacement(clua_matcher *m, luaL_Buffer *buffer, const char *start, const char *end, int type) {
  lua_State *L = m->L;
  if (type == LUA_TFUNCTION) {
    lua_pushvalue(L, 3);
    lua_call(L, clua_push_captures(m, start, end), 1);
  } else if (type == LUA_TTABLE) {
    clua_push_capture(m, 0, start, end);
    lua_gettable(L, 3);
  } else {
    add_template(m, buffer, start, end);
    return true;
  }
  if (!lua_toboolean(L, -1)) {
    lua_pop(L, 1);
    luaL_addlstring(buffer, start, (size_t)(end - start));
    return false;
  }
  if (!lua_isstring(L, -1)) luaL_error(L, "invalid replacement value (a %s)", luaL_typename(L, -1));
  luaL_addvalue(buffer);
  return true;
}

int clua_gsub(lua_State *L) {
  size_t length, count;
  const char *at = luaL_checklstring(L, 1, &length);
  const char *pattern = luaL_checklstring(L, 2, &count), *last_end = NULL;
  int type = lua_type(L, 3);
  lua_Integer most = luaL_optinteger(L, 4, (lua_Integer)length + 1), replaced = 0;
  luaL_argexpected(
    L, type == LUA_TNUMBER || type == LUA_TSTRING || type == LUA_TFUNCTION || type == LUA_TTABLE, 3, "string/function/table");
  bool is_anchored = *pattern == '^', has_changed = false;
  if (is_anchored) {
    pattern++;
    count--;
  }
  luaL_Buffer buffer;
  luaL_buffinit(L, &buffer);
  clua_matcher m;
  clua_matcher_open(&m, L, at, length, pattern, count);
  while (replaced < most) {
    start_over(&m);
    const char *end = clua_matcher_try(&m, at, pattern);
    if (end && end != last_end) {
      replaced++;
      has_changed = add_replacement(&m, &buffer, at, end, type) || has_changed;
      at = last_end = end;
    } else if (at < m.subject_end) {
      luaL_addchar(&buffer, *at++);
    } else {
      break;
    }
    if (is_anchored) break;
  }
  if (has_changed) {
    luaL_addlstring(&buffer, at, (size_t)(m.subject_end - at));
    luaL_pushresult(&buffer);
  } else {
    lua_pushvalue(L, 1);
  }
  lua_pushinteger(L, replaced);
  return 2;
}
