#include "internal.h"

#include <stdio.h>
#include <stdlib.h>
#include <string.h>

static void reserve(clua_pack *pack, size_t more) {
  if (pack->capacity - pack->count >= more) return;
  size_t capacity = pack->capacity ? pack->capacity : 64;
  while (capacity - pack->count < more) capacity *= 2;
  uint8_t *bytes = realloc(pack->bytes, capacity);
  if (!bytes) abort();  // the process is out of memory: the host's, not a script's
  pack->bytes = bytes;
  pack->capacity = capacity;
}

static void append(clua_pack *pack, const void *bytes, size_t count) {
  reserve(pack, count);
  if (count) memcpy(pack->bytes + pack->count, bytes, count);
  pack->count += count;
}

void clua_pack_op(clua_pack *pack, enum clua_op op) {
  uint8_t byte = (uint8_t)op;
  append(pack, &byte, 1);
}

void clua_pack_integer(clua_pack *pack, int64_t value) {
  clua_pack_op(pack, CLUA_OP_INTEGER);
  append(pack, &value, sizeof value);
}

void clua_pack_number(clua_pack *pack, double value) {
  clua_pack_op(pack, CLUA_OP_NUMBER);
  append(pack, &value, sizeof value);
}

void clua_pack_bytes(clua_pack *pack, const void *bytes, size_t count) {
  clua_pack_op(pack, CLUA_OP_BYTES);
  append(pack, &count, sizeof count);
  append(pack, bytes, count);
}

void clua_pack_ref(clua_pack *pack, clua_ref ref) {
  clua_pack_op(pack, CLUA_OP_REF);
  append(pack, &ref, sizeof ref);
}

void clua_pack_taken_ref(clua_pack *pack, clua_ref ref) {
  clua_pack_op(pack, CLUA_OP_TAKEN_REF);
  append(pack, &ref, sizeof ref);
}

void clua_pack_text(clua_pack *pack, const char *text, size_t count) {
  clua_pack_clear(pack);
  append(pack, text, count);
}

void clua_pack_append(clua_pack *pack, const char *text, size_t count) { append(pack, text, count); }

void clua_pack_free(clua_pack *pack) {
  free(pack->bytes);
  memset(pack, 0, sizeof *pack);
}

// ---- ops → Lua; raises, so it runs protected or in a native's own frame

enum { MAX_DEPTH = 64, MAX_PUSHED_DEPTH = 200 };

typedef struct { const uint8_t *at, *end; } reader;

// A pack that ends in the middle of a table was written wrongly by the host: an error like any other, not a wild read.
static void need(lua_State *L, const reader *r, size_t count) {
  if ((size_t)(r->end - r->at) < count) luaL_error(L, "values were packed wrongly: a table without its end");
}

#define READ(L, r, variable) \
  (need(L, r, sizeof(variable)), memcpy(&(variable), (r)->at, sizeof(variable)), (r)->at += sizeof(variable))

static void push_value(lua_State *L, reader *r, int depth) {
  need(L, r, 1);
  switch (*r->at++) {
  case CLUA_OP_FALSE: lua_pushboolean(L, 0); return;
  case CLUA_OP_TRUE: lua_pushboolean(L, 1); return;
  case CLUA_OP_INTEGER: { int64_t value; READ(L, r, value); lua_pushinteger(L, value); return; }
  case CLUA_OP_NUMBER: { double value; READ(L, r, value); lua_pushnumber(L, value); return; }
  case CLUA_OP_BYTES: {
    size_t count;
    READ(L, r, count);
    need(L, r, count);
    lua_pushlstring(L, (const char *)r->at, count);
    r->at += count;
    return;
  }
  case CLUA_OP_REF: { clua_ref ref; READ(L, r, ref); lua_rawgeti(L, LUA_REGISTRYINDEX, ref); return; }
  case CLUA_OP_TAKEN_REF: {
    clua_ref ref;
    READ(L, r, ref);
    lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
    luaL_unref(L, LUA_REGISTRYINDEX, ref);
    return;
  }
  case CLUA_OP_TABLE:
  case CLUA_OP_ERROR: {
    bool is_error = r->at[-1] == CLUA_OP_ERROR;
    lua_Integer index = 0;
    if (depth >= MAX_PUSHED_DEPTH) luaL_error(L, "values are nested too deeply (over %d levels)", MAX_PUSHED_DEPTH);
    luaL_checkstack(L, 6, "values nested too deeply");
    lua_newtable(L);
    for (;;) {
      need(L, r, 1);
      uint8_t op = *r->at++;
      if (op == CLUA_OP_END) break;
      push_value(L, r, depth + 1);
      if (op == CLUA_OP_ELEMENT) {
        lua_rawseti(L, -2, ++index);
      } else {
        push_value(L, r, depth + 1);
        lua_rawset(L, -3);
      }
    }
    if (is_error) {
      lua_rawgeti(L, LUA_REGISTRYINDEX, vm_of(L)->error_metatable);
      clua_set_metatable(L);
    }
    return;
  }
  default: lua_pushnil(L);
  }
}

int clua_push_all(lua_State *L, const clua_pack *pack) {
  if (!pack) return 0;
  reader r = { pack->bytes, pack->bytes + pack->count };
  int count = 0;
  while (r.at < r.end) {
    luaL_checkstack(L, 4, "too many values");
    push_value(L, &r, 0);
    count++;
  }
  return count;
}

// ---- Lua → ops; only reads, so it cannot raise

// Sharing makes small tables large when they are written out, so both the bytes and the values have a bound.
enum { MAX_PACKED = 256 << 20, MAX_VALUES = 1 << 20 };

typedef struct {
  clua_pack *pack;
  const volatile int *kill;
  int values;
  char *problem;
  size_t capacity;
  const void *parents[MAX_DEPTH];
  char path[256];
} walker;

static bool refuse(walker *w, const char *what) {
  snprintf(w->problem, w->capacity, "%s is %s", w->path[0] ? w->path : "the value", what);
  return false;
}

static bool pack_value(lua_State *L, int index, walker *w, int depth);

static bool pack_member(lua_State *L, int key, walker *w, int depth) {
  size_t length = strlen(w->path);
  size_t room = sizeof w->path - length;
  if (lua_type(L, key) == LUA_TSTRING) {
    snprintf(w->path + length, room, length ? ".%s" : "%s", lua_tostring(L, key));
  } else if (lua_isinteger(L, key)) {
    snprintf(w->path + length, room, "[%lld]", (long long)lua_tointeger(L, key));
  } else {
    snprintf(w->path + length, room, "[%s]", luaL_typename(L, key));
  }
  bool is_fine = pack_value(L, key + 1, w, depth + 1);
  if (is_fine) w->path[length] = 0;
  return is_fine;
}

// A handle's metatable says `__plain = false`: its fields are not what it is. Looked for by walking, since pushing the
// key could raise.
static bool is_handle(lua_State *L, int index, char *name, size_t capacity) {
  if (!lua_getmetatable(L, index)) return false;
  bool is_found = false;
  snprintf(name, capacity, "a handle, not plain data");
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) {
    if (lua_type(L, -2) != LUA_TSTRING) continue;
    const char *key = lua_tostring(L, -2);
    if (strcmp(key, "__plain") == 0) is_found = !lua_toboolean(L, -1);
    if (strcmp(key, "__name") == 0 && lua_type(L, -1) == LUA_TSTRING) {
      snprintf(name, capacity, "a %s, not plain data", lua_tostring(L, -1));
    }
  }
  lua_pop(L, 1);
  return is_found;
}

static bool pack_table(lua_State *L, int index, walker *w, int depth) {
  const void *identity = lua_topointer(L, index);
  if (depth >= MAX_DEPTH) return refuse(w, "nested too deeply (over 64 levels)");
  for (int i = 0; i < depth; i++) {
    if (w->parents[i] == identity) return refuse(w, "a table that contains itself");
  }
  if (!lua_checkstack(L, 6)) return refuse(w, "nested too deeply for the stack");
  char handle[64];
  if (is_handle(L, index, handle, sizeof handle)) return refuse(w, handle);
  w->parents[depth] = identity;
  clua_pack_op(w->pack, CLUA_OP_TABLE);
  lua_Integer count = (lua_Integer)lua_rawlen(L, index);
  for (lua_Integer i = 1; i <= count; i++) {
    clua_pack_op(w->pack, CLUA_OP_ELEMENT);
    lua_pushinteger(L, i);
    lua_rawgeti(L, index, i);
    bool is_fine = pack_member(L, lua_gettop(L) - 1, w, depth);
    lua_pop(L, 2);
    if (!is_fine) return false;
  }
  lua_pushnil(L);
  while (lua_next(L, index)) {
    int key = lua_gettop(L) - 1;
    bool is_element = lua_isinteger(L, key) && lua_tointeger(L, key) >= 1 && lua_tointeger(L, key) <= count;
    if (!is_element) {
      clua_pack_op(w->pack, CLUA_OP_FIELD);
      bool is_fine = pack_value(L, key, w, depth + 1) && pack_member(L, key, w, depth);
      if (!is_fine) { lua_pop(L, 2); return false; }
    }
    lua_pop(L, 1);
  }
  clua_pack_op(w->pack, CLUA_OP_END);
  return true;
}

static bool pack_value(lua_State *L, int index, walker *w, int depth) {
  if (w->pack->count > MAX_PACKED) return refuse(w, "too large to hand over (over 256 MiB)");
  if (++w->values > MAX_VALUES) return refuse(w, "too large to hand over (over a million values)");
  if (*w->kill) return refuse(w, "not handed over: the run is over its budget");
  switch (lua_type(L, index)) {
  case LUA_TNONE:
  case LUA_TNIL: clua_pack_op(w->pack, CLUA_OP_NIL); return true;
  case LUA_TBOOLEAN: clua_pack_op(w->pack, lua_toboolean(L, index) ? CLUA_OP_TRUE : CLUA_OP_FALSE); return true;
  case LUA_TNUMBER:
    if (lua_isinteger(L, index)) clua_pack_integer(w->pack, lua_tointeger(L, index));
    else clua_pack_number(w->pack, lua_tonumber(L, index));
    return true;
  case LUA_TSTRING: {
    size_t count;
    const char *bytes = lua_tolstring(L, index, &count);
    clua_pack_bytes(w->pack, bytes, count);
    return true;
  }
  case LUA_TTABLE: return pack_table(L, index, w, depth);
  case LUA_TFUNCTION: return refuse(w, "a function, not plain data");
  case LUA_TTHREAD: return refuse(w, "a coroutine, not plain data");
  default: return refuse(w, "a userdata, not plain data");
  }
}

bool clua_pack_value(lua_State *L, int index, clua_pack *pack, char *problem, size_t capacity) {
  walker w = { .pack = pack, .kill = &vm_of(L)->kill, .problem = problem, .capacity = capacity };
  size_t start = pack->count;
  int top = lua_gettop(L);
  bool is_fine = pack_value(L, lua_absindex(L, index), &w, 0);
  lua_settop(L, top);
  if (!is_fine) pack->count = start;
  return is_fine;
}
