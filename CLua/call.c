#include "internal.h"

#include <string.h>

// ---- protected calls

bool clua_protected(clua_vm *vm, lua_CFunction body, void *argument) {
  lua_State *L = vm->L;
  clua_frame frame;
  clua_enter(vm, NULL, L, &frame);
  if (!lua_checkstack(L, 8)) {
    clua_fail(vm, "there is no room on Lua's stack");
    clua_leave(vm, &frame);
    return false;
  }
  lua_pushcfunction(L, clua_note_raise);
  int handler = lua_gettop(L);
  lua_pushcfunction(L, body);
  lua_pushlightuserdata(L, argument);
  int status = lua_pcall(L, 1, 0, handler);
  if (status != LUA_OK) clua_describe(vm, L, status);
  lua_settop(L, handler - 1);
  clua_leave(vm, &frame);
  return status == LUA_OK;
}

typedef struct { const char *text; size_t count; const char *name; clua_ref ref; } load_request;

static int load_text(lua_State *L) {
  load_request *request = lua_touserdata(L, 1);
  if (request->count && request->text[0] == LUA_SIGNATURE[0]) {
    const char *name = request->name;
    return luaL_error(L, "%s: this is a binary chunk (luac output); only Lua source text is loaded", *name ? name + 1 : name);
  }
  if (luaL_loadbufferx(L, request->text, request->count, request->name, "t") != LUA_OK) return lua_error(L);
  request->ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

clua_ref clua_load(clua_vm *vm, const char *text, size_t count, const char *chunk_name) {
  load_request request = { text, count, chunk_name, 0 };
  if (clua_protected(vm, load_text, &request)) return request.ref;
  if (vm->failure.kind == CLUA_FAIL_RUNTIME) vm->failure.kind = CLUA_FAIL_SYNTAX;
  return 0;
}

typedef struct { clua_ref table; const char *name; const clua_pack *value; clua_ref ref; } field_request;

static int new_table(lua_State *L) {
  field_request *request = lua_touserdata(L, 1);
  lua_newtable(L);
  request->ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

clua_ref clua_new_table(clua_vm *vm) {
  field_request request = { 0 };
  return clua_protected(vm, new_table, &request) ? request.ref : 0;
}

static int get_field(lua_State *L) {
  field_request *request = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, request->table);
  if (lua_type(L, -1) != LUA_TTABLE) return 0;
  lua_pushstring(L, request->name);
  lua_rawget(L, -2);
  if (!lua_isnil(L, -1)) request->ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

clua_ref clua_field(clua_vm *vm, clua_ref table, const char *name) {
  field_request request = { table, name, NULL, 0 };
  return clua_protected(vm, get_field, &request) ? request.ref : 0;
}

static int set_field(lua_State *L) {
  field_request *request = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, request->table);
  lua_pushstring(L, request->name);
  clua_push_all(L, request->value);
  lua_rawset(L, -3);
  return 0;
}

bool clua_set_field(clua_vm *vm, clua_ref table, const char *name, const clua_pack *value) {
  field_request request = { table, name, value, 0 };
  return clua_protected(vm, set_field, &request);
}

static int globals(lua_State *L) {
  field_request *request = lua_touserdata(L, 1);
  lua_pushglobaltable(L);
  request->ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

clua_ref clua_globals(clua_vm *vm) {
  field_request request = { 0 };
  return clua_protected(vm, globals, &request) ? request.ref : 0;
}

typedef struct {
  clua_ref function;
  const clua_pack *arguments;
  clua_pack *results;
  clua_ref *first;
} call_request;

static int call_function(lua_State *L) {
  call_request *request = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, request->function);
  lua_call(L, clua_push_all(L, request->arguments), LUA_MULTRET);
  int top = lua_gettop(L);
  for (int i = 2; request->results && i <= top; i++) {
    char problem[320];
    if (!clua_pack_value(L, i, request->results, problem, sizeof problem)) {
      return luaL_error(L, "result %d: %s", i - 1, problem);
    }
  }
  if (request->first && top >= 2) {
    lua_settop(L, 2);
    *request->first = luaL_ref(L, LUA_REGISTRYINDEX);
  }
  return 0;
}

bool clua_call(clua_vm *vm, clua_ref function, const clua_pack *arguments, clua_pack *results, clua_ref *first) {
  call_request request = { function, arguments, results, first };
  return clua_protected(vm, call_function, &request);
}

typedef struct { clua_ref ref; clua_pack *pack; } pack_request;

static int pack_ref_value(lua_State *L) {
  pack_request *request = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, request->ref);
  char problem[320];
  if (!clua_pack_value(L, -1, request->pack, problem, sizeof problem)) return luaL_error(L, "%s", problem);
  return 0;
}

bool clua_pack_ref_value(clua_vm *vm, clua_ref ref, clua_pack *pack) {
  pack_request request = { ref, pack };
  return clua_protected(vm, pack_ref_value, &request);
}

// luaL_unref only writes slots that exist, so it needs no protection.
void clua_release(clua_vm *vm, clua_ref ref) {
  if (ref > 0) luaL_unref(vm->L, LUA_REGISTRYINDEX, ref);
}
