#include "internal.h"

#include <string.h>

// The shipped Lua, compiled once per process and loaded as bytes into every VM: no parsing, and without the lines and
// names that only tracebacks through it would show. Scripts can load source text only; what the host has compiled from
// their text may come back as bytes too, whole.

typedef struct { const char *text; size_t count; const char *name; clua_pack *compiled; } compile_request;

static int write_part(lua_State *L, const void *bytes, size_t count, void *pack) {
  (void)L;
  clua_pack_append(pack, bytes, count);
  return 0;
}

// What stands before the main function's source in a binary chunk (ldump.c): the header and a count of upvalues.
enum {
  BEFORE_SOURCE = sizeof LUA_SIGNATURE - 1 + 2 + 6 + 3 + sizeof(lua_Integer) + sizeof(lua_Number) + 1,
  NO_SOURCE = 0x80, SHORT_SIZE = 0x80
};

// Stripping takes the chunk's name away too, and by it places and budgets tell our code from the author's: put back.
static bool put_name(clua_pack *compiled, const char *name) {
  size_t length = strlen(name);
  if (compiled->count <= BEFORE_SOURCE || compiled->bytes[BEFORE_SOURCE] != NO_SOURCE || length > 100) return false;
  clua_pack named = { 0 };
  char size = (char)(SHORT_SIZE | (length + 1));
  clua_pack_append(&named, (const char *)compiled->bytes, BEFORE_SOURCE);
  clua_pack_append(&named, &size, 1);
  clua_pack_append(&named, name, length);
  clua_pack_append(&named, (const char *)compiled->bytes + BEFORE_SOURCE + 1, compiled->count - BEFORE_SOURCE - 1);
  clua_pack_free(compiled);
  *compiled = named;
  return true;
}

static int compile(lua_State *L) {
  compile_request *request = lua_touserdata(L, 1);
  if (luaL_loadbufferx(L, request->text, request->count, request->name, "t") != LUA_OK) return lua_error(L);
  lua_dump(L, write_part, request->compiled, 1);
  if (!put_name(request->compiled, request->name)) {
    // Another layout than the one known here: whole, then.
    clua_pack_clear(request->compiled);
    lua_dump(L, write_part, request->compiled, 0);
  }
  return 0;
}

bool clua_compile(clua_vm *vm, const char *text, size_t count, const char *chunk_name, clua_pack *compiled) {
  compile_request request = { text, count, chunk_name, compiled };
  return clua_protected(vm, compile, &request);
}

typedef struct { clua_ref function; clua_pack *compiled; } dump_request;

static int dump(lua_State *L) {
  dump_request *request = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, request->function);
  if (lua_dump(L, write_part, request->compiled, 0) != 0) return luaL_error(L, "this function cannot be dumped");
  return 0;
}

bool clua_dump(clua_vm *vm, clua_ref function, clua_pack *compiled) {
  dump_request request = { function, compiled };
  return clua_protected(vm, dump, &request);
}

typedef struct { const void *bytes; size_t count; const char *name; clua_ref ref; } load_request;

static int load_compiled(lua_State *L) {
  load_request *request = lua_touserdata(L, 1);
  if (luaL_loadbufferx(L, request->bytes, request->count, request->name, "b") != LUA_OK) return lua_error(L);
  if (strncmp(request->name, "=moonpeer.", 10) == 0) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, vm_of(L)->pristine);
    if (!lua_setupvalue(L, -2, 1)) lua_pop(L, 1);
  }
  request->ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

clua_ref clua_load_compiled(clua_vm *vm, const void *bytes, size_t count, const char *chunk_name) {
  load_request request = { bytes, count, chunk_name, 0 };
  return clua_protected(vm, load_compiled, &request) ? request.ref : 0;
}
