#include "internal.h"

#include <stdio.h>
#include <string.h>

// ---- failures

typedef struct { int status; lua_State *from; } describe_request;

static int to_text(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  return 1;
}

// The text of the error value at index 1; never fails for a value's own faults.
static void describe_value(lua_State *L, clua_failure *failure) {
  if (lua_type(L, 1) == LUA_TTABLE) {
    lua_pushliteral(L, "message");
    lua_rawget(L, 1);
    if (lua_type(L, -1) == LUA_TSTRING) {
      size_t count;
      const char *text = lua_tolstring(L, -1, &count);
      clua_pack_text(&failure->message, text, count);
      lua_pop(L, 1);
      return;
    }
    lua_pop(L, 1);
  }
  lua_pushcfunction(L, to_text);
  lua_pushvalue(L, 1);
  if (lua_pcall(L, 1, 1, 0) == LUA_OK) {
    size_t count;
    const char *text = lua_tolstring(L, -1, &count);
    bool is_bare = lua_type(L, 1) != LUA_TSTRING && !luaL_getmetafield(L, 1, "__tostring");
    if (is_bare) {
      const char *bare = lua_pushfstring(L, "an error value without a message was raised: a %s", luaL_typename(L, 1));
      clua_pack_text(&failure->message, bare, strlen(bare));
    } else {
      clua_pack_text(&failure->message, text, count);
    }
  } else {
    const char *text = lua_pushfstring(L, "(an error object whose __tostring fails: a %s)", luaL_typename(L, 1));
    clua_pack_text(&failure->message, text, strlen(text));
  }
}

static int describe(lua_State *L) {
  clua_failure *failure = &vm_of(L)->failure;
  char problem[8];
  clua_pack_value(L, 1, &failure->value, problem, sizeof problem);
  describe_value(L, failure);
  lua_pushvalue(L, 1);
  failure->ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

static int trace(lua_State *L) {
  lua_State *traced = lua_touserdata(L, 1);
  luaL_traceback(L, traced, NULL, 0);
  size_t count;
  const char *text = lua_tolstring(L, -1, &count);
  clua_pack_text(&vm_of(L)->failure.traceback, text, count);
  return 0;
}

// The error value is on top of `from` and is popped; `traced` still has the stack the error came from, or is NULL.
void clua_describe(clua_vm *vm, lua_State *from, int status, lua_State *traced) {
  clua_failure *failure = &vm->failure;
  enum clua_kill kill = (enum clua_kill)vm->kill;
  clua_pack_clear(&failure->message);
  clua_pack_clear(&failure->traceback);
  clua_pack_clear(&failure->value);
  failure->ref = 0;
  failure->kind = status == LUA_ERRSYNTAX ? CLUA_FAIL_SYNTAX : CLUA_FAIL_RUNTIME;
  lua_State *L = vm->L;
  if (kill != CLUA_KILL_NONE || status == LUA_ERRMEM) {
    failure->kind = kill == CLUA_KILL_TIME ? CLUA_FAIL_TIME : CLUA_FAIL_MEMORY;
    const char *text = kill == CLUA_KILL_TIME ? "ran longer than script_time without waiting" : "needs more than script_memory";
    char whole[sizeof vm->kill_place + 64];
    int count = snprintf(whole, sizeof whole, "%s%s", vm->kill_place, text);
    clua_pack_text(&failure->message, whole, (size_t)count);
    lua_pop(from, 1);
  } else if (lua_checkstack(L, 4)) {
    int top = lua_gettop(L);
    lua_pushcfunction(L, describe);
    if (from == L) lua_insert(L, -2);
    else lua_xmove(from, L, 1);
    // Fails only for want of memory; what was written by then stays. A __tostring runs under the budget too.
    lua_State *running = vm->running;
    vm->running = L;
    if (lua_pcall(L, 1, 0, 0) != LUA_OK && !failure->message.count) {
      clua_pack_text(&failure->message, "not enough memory", 17);
    }
    vm->running = running;
    if (vm->kill) lua_sethook(L, NULL, 0, 0), clua_arm(vm);
    lua_settop(L, from == L ? top - 1 : top);
  }
  if (!traced) return;
  int top = lua_gettop(L);
  bool was_enforcing = vm->is_enforcing;
  vm->is_enforcing = false;  // a report must be possible where memory ran out; it is a few KiB and short-lived
  lua_pushcfunction(L, trace);
  lua_pushlightuserdata(L, traced);
  lua_pcall(L, 1, 0, 0);
  lua_settop(L, top);
  vm->is_enforcing = was_enforcing;
}

clua_failure *clua_failure_of(clua_vm *vm) { return &vm->failure; }

// ---- protected calls

bool clua_protected(clua_vm *vm, lua_CFunction body, void *argument) {
  lua_State *L = vm->L;
  if (!lua_checkstack(L, 4)) return false;
  lua_pushcfunction(L, body);
  lua_pushlightuserdata(L, argument);
  clua_frame frame;
  clua_enter(vm, NULL, L, &frame);
  int status = lua_pcall(L, 1, 0, 0);
  if (status != LUA_OK) clua_describe(vm, L, status, NULL);
  clua_leave(vm, &frame);
  return status == LUA_OK;
}

typedef struct { const char *text; size_t count; const char *name; clua_ref ref; } load_request;

static int load_text(lua_State *L) {
  load_request *request = lua_touserdata(L, 1);
  if (request->count && request->text[0] == LUA_SIGNATURE[0]) {
    return luaL_error(L, "%s: this is a binary chunk (luac output); only Lua source text is loaded", request->name + 1);
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
