#include "internal.h"

#include <string.h>

// Looking at a script's table without running any of its code, and without Lua code that would have to be loaded first.

typedef struct {
  clua_ref table;
  const char *const *names;
  size_t count;
  int8_t *types;
  clua_pack *keys;
  bool is_plain;
} outline_request;

static bool push_plain(lua_State *L, clua_ref ref) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, ref);
  return lua_type(L, -1) == LUA_TTABLE && !lua_getmetatable(L, -1);
}

static int outline(lua_State *L) {
  outline_request *request = lua_touserdata(L, 1);
  if (!push_plain(L, request->table)) return 0;
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    if (lua_type(L, -2) != LUA_TSTRING) return 0;
    size_t length, i = 0;
    const char *key = lua_tolstring(L, -2, &length);
    while (i < request->count && (strcmp(key, request->names[i]) != 0 || strlen(key) != length)) i++;
    if (i == request->count) return 0;
    request->types[i] = (int8_t)lua_type(L, -1);
    lua_pop(L, 1);
  }
  request->is_plain = true;
  return 0;
}

bool clua_outline(clua_vm *vm, clua_ref table, const char *const *names, size_t count, int8_t *types) {
  outline_request request = { .table = table, .names = names, .count = count, .types = types };
  memset(types, LUA_TNIL, count);
  return clua_protected(vm, outline, &request) && request.is_plain;
}

static int functions(lua_State *L) {
  outline_request *request = lua_touserdata(L, 1);
  if (!push_plain(L, request->table)) return 0;
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    if (lua_type(L, -2) != LUA_TSTRING || lua_type(L, -1) != LUA_TFUNCTION) return 0;
    size_t length;
    const char *key = lua_tolstring(L, -2, &length);
    clua_pack_bytes(request->keys, key, length);
    lua_pop(L, 1);
  }
  request->is_plain = true;
  return 0;
}

bool clua_functions(clua_vm *vm, clua_ref table, clua_pack *names) {
  outline_request request = { .table = table, .keys = names };
  return clua_protected(vm, functions, &request) && request.is_plain;
}

typedef struct { clua_ref value, meta; bool is_so; } metatable_request;

static int compare_metatable(lua_State *L) {
  metatable_request *request = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, request->value);
  lua_rawgeti(L, LUA_REGISTRYINDEX, request->meta);
  request->is_so = lua_getmetatable(L, -2) && lua_rawequal(L, -1, -2);
  return 0;
}

bool clua_has_metatable(clua_vm *vm, clua_ref value, clua_ref meta) {
  metatable_request request = { value, meta, false };
  return clua_protected(vm, compare_metatable, &request) && request.is_so;
}

typedef struct { clua_ref table, ref; } copy_request;

static int copy_table(lua_State *L) {
  copy_request *request = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, request->table);
  int count = 0;
  for (lua_pushnil(L); lua_next(L, -2); lua_pop(L, 1)) count++;
  lua_createtable(L, 0, count);
  lua_insert(L, -2);
  lua_pushnil(L);
  while (lua_next(L, -2)) {
    lua_pushvalue(L, -2);
    lua_insert(L, -2);
    lua_rawset(L, -5);
  }
  lua_pop(L, 1);
  request->ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

clua_ref clua_copy_table(clua_vm *vm, clua_ref table) {
  copy_request request = { table, 0 };
  return clua_protected(vm, copy_table, &request) ? request.ref : 0;
}
