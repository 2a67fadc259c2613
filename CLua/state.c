#include "internal.h"

#include <stdlib.h>
#include <string.h>

enum { STARTING_KIB = 80 };

// What lua_resume says itself it says unprotected, as a new string: kept, so that no memory is needed for it.
static void keep_messages(lua_State *L) {
  static const char *const messages[] = {
    "C stack overflow", "cannot resume dead coroutine", "cannot resume non-suspended coroutine", "error in error handling",
  };
  for (size_t i = 0; i < sizeof messages / sizeof *messages; i++) {
    lua_pushstring(L, messages[i]);
    luaL_ref(L, LUA_REGISTRYINDEX);
  }
}

static int open_vm(lua_State *L) {
  clua_vm *vm = vm_of(L);
  bool trusted = lua_toboolean(L, 1);
  lua_settop(L, 0);
  clua_open_objects(vm, L);
  clua_open_libraries(L, trusted);
  clua_open_bounded(L);
  clua_open_coroutines(L);
  keep_messages(L);
  return 0;
}

clua_vm *clua_open(clua_limits limits, bool trusted, void *context) {
  clua_open_blocks();
  clua_vm *vm = calloc(1, sizeof *vm);
  if (!vm) abort();
  vm->context = context;
  vm->limit = limits.memory;
  vm->time_limit = limits.time;
  vm->L = lua_newstate(clua_allocate, vm);
  if (!vm->L) abort();
  *(clua_vm **)lua_getextraspace(vm->L) = vm;
  // Messages make short-lived strings: the generational mode costs a third of the incremental one there.
  lua_gc(vm->L, LUA_GCGEN, 0, 0);
  // That mode would look at everything after every fifth more, but of what a small script's start makes hardly anything is
  // garbage before it is over: no collection before that.
  lua_gc(vm->L, LUA_GCSTEP, -STARTING_KIB);
  vm->is_enforcing = true;
  lua_pushcfunction(vm->L, open_vm);
  lua_pushboolean(vm->L, trusted);
  if (lua_pcall(vm->L, 1, 0, 0) != LUA_OK) {
    lua_settop(vm->L, 0);
    clua_close(vm);
    return NULL;
  }
  clua_watch(vm);
  return vm;
}

void clua_close(clua_vm *vm) {
  clua_unwatch(vm);
  vm->is_enforcing = false;
  vm->is_closing = true;
  vm->running = NULL;
  lua_close(vm->L);
  clua_pack_free(&vm->outgoing);
  clua_pack_free(&vm->pushed);
  clua_pack_free(&vm->bytes);
  clua_pack_free(&vm->raise_trace);
  clua_pack_free(&vm->kill_trace);
  clua_failure_free(&vm->failure);
  free(vm);
}

size_t clua_memory_used(const clua_vm *vm) { return vm->used; }
size_t clua_memory_peak(const clua_vm *vm) { return vm->peak; }
bool clua_is_running(const clua_vm *vm) { return vm->running != NULL; }
const char *clua_version(void) { return LUA_RELEASE; }

static int collect(lua_State *L) {
  lua_gc(L, LUA_GCCOLLECT);
  return 0;
}

void clua_collect(clua_vm *vm) { clua_protected(vm, collect, NULL); }

// ---- libraries

static int text_load(lua_State *L) {
  // load(chunk, name, mode, env) with the mode fixed to text: a binary chunk can break the VM's memory safety.
  int has_environment = lua_gettop(L) >= 4;
  if (lua_type(L, 1) != LUA_TSTRING) luaL_checktype(L, 1, LUA_TFUNCTION);
  luaL_optstring(L, 2, NULL);
  if (!strchr(luaL_optstring(L, 3, "bt"), 't')) {
    lua_pushnil(L);
    lua_pushliteral(L, "load: only source text is loaded; leave the mode away");
    return 2;
  }
  lua_settop(L, 4);
  lua_pushvalue(L, lua_upvalueindex(1));
  lua_pushvalue(L, 1);
  lua_pushvalue(L, 2);
  lua_pushliteral(L, "t");
  if (has_environment) lua_pushvalue(L, 4);
  lua_call(L, has_environment ? 4 : 3, LUA_MULTRET);
  return lua_gettop(L) - 4;
}

// As Lua's own, which cannot be called from here: its messages would lose the author's line.
static int checked_setmetatable(lua_State *L) {
  int type = lua_type(L, 2);
  luaL_checktype(L, 1, LUA_TTABLE);
  luaL_argexpected(L, type == LUA_TNIL || type == LUA_TTABLE, 2, "nil or table");
  lua_settop(L, 2);
  if (luaL_getmetafield(L, 1, "__metatable") != LUA_TNIL) return luaL_error(L, "cannot change a protected metatable");
  if (type == LUA_TTABLE) {
    lua_pushliteral(L, "__gc");
    lua_rawget(L, 2);
    if (!lua_isnil(L, -1)) return luaL_error(L, "setmetatable: __gc is not available to scripts; use <close>");
  }
  lua_settop(L, 2);
  lua_setmetatable(L, 1);
  return 1;
}

static int count_only(lua_State *L) {
  const char *option = luaL_optstring(L, 1, "count");
  if (strcmp(option, "count") != 0) {
    return luaL_error(L, "collectgarbage: only \"count\" is available to scripts");
  }
  lua_pushnumber(L, (lua_Number)vm_of(L)->used / 1024);
  return 1;
}

static void wrap_global(lua_State *L, const char *name, lua_CFunction function) {
  lua_getglobal(L, name);
  lua_pushcclosure(L, function, 1);
  lua_setglobal(L, name);
}

static void keep_fields(lua_State *L, const char *library, const char *const *names) {
  lua_getglobal(L, library);
  lua_newtable(L);
  for (; *names; names++) {
    lua_getfield(L, -2, *names);
    lua_setfield(L, -2, *names);
  }
  lua_setglobal(L, library);
  lua_pop(L, 1);
}

void clua_open_libraries(lua_State *L, bool trusted) {
  if (trusted) {
    luaL_openlibs(L);
    return;
  }
  static const luaL_Reg libraries[] = {
    { LUA_GNAME, luaopen_base }, { LUA_TABLIBNAME, luaopen_table }, { LUA_STRLIBNAME, luaopen_string },
    { LUA_MATHLIBNAME, luaopen_math }, { LUA_UTF8LIBNAME, luaopen_utf8 }, { LUA_OSLIBNAME, luaopen_os },
    { LUA_DBLIBNAME, luaopen_debug },
  };
  for (size_t i = 0; i < sizeof libraries / sizeof *libraries; i++) {
    luaL_requiref(L, libraries[i].name, libraries[i].func, 1);
    lua_pop(L, 1);
  }
  static const char *const os[] = { "time", "clock", "date", "difftime", NULL };
  static const char *const debug[] = { "traceback", NULL };
  keep_fields(L, LUA_OSLIBNAME, os);
  keep_fields(L, LUA_DBLIBNAME, debug);
  static const char *const gone[] = { "dofile", "loadfile", NULL };
  for (const char *const *name = gone; *name; name++) {
    lua_pushnil(L);
    lua_setglobal(L, *name);
  }
  lua_getglobal(L, LUA_STRLIBNAME);
  lua_pushnil(L);
  lua_setfield(L, -2, "dump");
  lua_pop(L, 1);
  wrap_global(L, "load", text_load);
  lua_pushcfunction(L, checked_setmetatable);
  lua_setglobal(L, "setmetatable");
  lua_pushcfunction(L, count_only);
  lua_setglobal(L, "collectgarbage");
  // The libraries' own tables stay reachable through the registry's _LOADED for C only; drop what was cut from it.
  lua_newtable(L);
  lua_setfield(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_pushliteral(L, "");
  lua_getmetatable(L, -1);
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_pop(L, 2);
}
