#include "internal.h"

#include <string.h>

// ---- the trampoline: the native has returned before anything is pushed, raised or yielded

// Pushes what the native wrote. Pushing may run finalizers, and a finalizer may call natives: while it lasts they write to
// a buffer that Lua owns, so that nothing is lost when this raises.
static int push_outgoing(lua_State *L) {
  clua_vm *vm = vm_of(L);
  clua_pack pack = vm->outgoing;
  if (vm->is_pushing) {
    luaL_checkstack(L, 2, "too many values");
    void *copy = lua_newuserdatauv(L, pack.count ? pack.count : 1, 0);
    if (pack.count) memcpy(copy, pack.bytes, pack.count);
    pack.bytes = copy;
    return clua_push_all(L, &pack);
  }
  vm->outgoing = vm->pushed;
  vm->pushed = pack;
  vm->is_pushing = true;
  int count = clua_push_all(L, &vm->pushed);
  vm->is_pushing = false;
  clua_trim(&vm->pushed);
  return count;
}

// A parked call goes on here, with the answer it was resumed with.
int clua_answer_native(lua_State *L, int status, lua_KContext context) {
  (void)status;
  (void)context;
  clua_vm *vm = vm_of(L);
  const clua_answer *answer = vm->answer;
  if (!answer) {
    return luaL_error(L, "cannot resume a coroutine that waits for the host: it goes on by itself");
  }
  vm->answer = NULL;
  int count = clua_push_all(L, answer->values);
  return answer->raises ? lua_error(L) : count;
}

__attribute__((noinline)) static int settle(lua_State *L, int32_t verdict) {
  clua_vm *vm = vm_of(L);
  switch (verdict) {
  case CLUA_RETURN_BYTES:
    lua_pushlstring(L, (const char *)vm->bytes.bytes, vm->bytes.count);
    clua_trim(&vm->bytes);
    return 1;
  case CLUA_RETURN: return push_outgoing(L);
  case CLUA_RAISE: push_outgoing(L); return lua_error(L);
  case CLUA_PARK:
    vm->is_parking = true;
    return lua_yieldk(L, 0, 0, clua_answer_native);
  default: return 0;
  }
}

int clua_trampoline(lua_State *L) {
  // A finalizer that runs while the VM is freed: what the native would reach may be gone already.
  if (__builtin_expect(vm_of(L)->is_closing, 0)) return luaL_error(L, "the VM is being closed");
  clua_native native = (clua_native)lua_touserdata(L, lua_upvalueindex(1));
  int32_t verdict = native(L);
  if (__builtin_expect(verdict == CLUA_TRUE, 1)) {
    lua_pushboolean(L, 1);
    return 1;
  }
  return verdict == CLUA_NONE ? 0 : settle(L, verdict);
}

typedef struct { clua_ref table; const char *name; clua_native function; } native_field;

static int set_native(lua_State *L) {
  native_field *field = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, field->table);
  lua_pushlightuserdata(L, (void *)field->function);
  lua_pushcclosure(L, clua_trampoline, 1);
  lua_setfield(L, -2, field->name);
  return 0;
}

bool clua_set_native(clua_vm *vm, clua_ref table, const char *name, clua_native function) {
  native_field field = { table, name, function };
  return clua_protected(vm, set_native, &field);
}

// As pcall, but what it calls cannot wait: there is no continuation to come back to; and a budget's end is not caught, for
// it is the run's, whatever the caller would make of an error.
static int unyielding(lua_State *L) {
  luaL_checkany(L, 1);
  int status = lua_pcall(L, lua_gettop(L) - 1, LUA_MULTRET, 0);
  clua_vm *vm = vm_of(L);
  if (__builtin_expect(status != LUA_OK && (vm->kill || status == LUA_ERRMEM), 0)) {
    if (!vm->kill) vm->kill = CLUA_KILL_MEMORY;
    return lua_error(L);
  }
  lua_pushboolean(L, status == LUA_OK);
  lua_insert(L, 1);
  return lua_gettop(L);
}

static int set_unyielding(lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, *(clua_ref *)lua_touserdata(L, 1));
  lua_pushcfunction(L, unyielding);
  lua_setfield(L, -2, "unyielding");
  return 0;
}

bool clua_set_unyielding(clua_vm *vm, clua_ref table) { return clua_protected(vm, set_unyielding, &table); }

// ---- what a native may ask; nothing here raises

void *clua_context(lua_State *L) { return vm_of(L)->context; }

clua_pack clua_take_outgoing(lua_State *L) {
  clua_vm *vm = vm_of(L);
  clua_pack pack = vm->outgoing;
  vm->outgoing = (clua_pack){ 0 };
  pack.count = 0;
  return pack;
}

void clua_put_outgoing(lua_State *L, clua_pack pack) {
  clua_vm *vm = vm_of(L);
  clua_pack_free(&vm->outgoing);
  vm->outgoing = pack;
}

void clua_return_bytes(lua_State *L, const void *bytes, size_t count) {
  clua_pack_text(&vm_of(L)->bytes, bytes, count);
}

size_t clua_buffered(const clua_vm *vm) { return vm->bytes.capacity + vm->outgoing.capacity + vm->pushed.capacity; }

bool clua_can_park(lua_State *L) {
  clua_vm *vm = vm_of(L);
  return vm->current && vm->chain_yields && !vm->kill && lua_isyieldable(L);
}

size_t clua_where(lua_State *L, int level, char *buffer, size_t capacity) { return clua_place(L, level, buffer, capacity); }

int clua_top(lua_State *L) { return lua_gettop(L); }
int clua_type(lua_State *L, int index) { return lua_type(L, index); }
const char *clua_type_name(lua_State *L, int index) {
  return lua_type(L, index) == LUA_TNONE ? "nothing" : luaL_typename(L, index);
}

const char *clua_bytes(lua_State *L, int index, size_t *count) {
  // Strings only: lua_tolstring would turn a number into one, which allocates.
  return lua_type(L, index) == LUA_TSTRING ? lua_tolstring(L, index, count) : NULL;
}

bool clua_integer(lua_State *L, int index, int64_t *value) {
  if (lua_type(L, index) != LUA_TNUMBER) return false;
  int is_integer;
  *value = lua_tointegerx(L, index, &is_integer);
  return is_integer;
}

bool clua_number(lua_State *L, int index, double *value) {
  if (lua_type(L, index) != LUA_TNUMBER) return false;
  *value = lua_tonumber(L, index);
  return true;
}

bool clua_boolean(lua_State *L, int index) { return lua_toboolean(L, index); }

// Lua code cannot write into a userdata, so one that holds its own address is ours; cheaper than to compare metatables.
static clua_object_box *box_at(lua_State *L, int index, uint32_t tag) {
  if (lua_type(L, index) != LUA_TUSERDATA || lua_rawlen(L, index) != sizeof(clua_object_box)) return NULL;
  clua_object_box *box = lua_touserdata(L, index);
  return box->self == box && box->tag == tag ? box : NULL;
}

void *clua_object(lua_State *L, int index, uint32_t tag) {
  clua_vm *vm = vm_of(L);
  if (vm->handle && vm->handle_tag == tag && lua_topointer(L, index) == vm->handle) return vm->handle_pointer;
  clua_object_box *box;
  if (lua_type(L, index) == LUA_TTABLE) {
    lua_rawgeti(L, index, 1);
    box = box_at(L, -1, tag);
    lua_settop(L, -2);
  } else {
    box = box_at(L, index, tag);
  }
  return box ? box->pointer : NULL;
}

bool clua_object_and_bytes(lua_State *L, uint32_t tag, void **pointer, const char **bytes, size_t *count) {
  if (lua_type(L, 2) != LUA_TSTRING) return false;
  *bytes = lua_tolstring(L, 2, count);
  *pointer = clua_object(L, 1, tag);
  return *pointer != NULL;
}

static int make_ref(lua_State *L) {
  clua_ref *ref = lua_touserdata(L, 1);
  *ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

// On the main thread, protected: luaL_ref may grow the registry and so may raise.
clua_ref clua_ref_of(lua_State *L, int index) {
  clua_vm *vm = vm_of(L);
  lua_State *main = vm->L;
  clua_ref ref = 0;
  if (!lua_checkstack(main, 4) || !lua_checkstack(L, 1)) return 0;
  index = lua_absindex(L, index);
  lua_pushcfunction(main, make_ref);
  lua_pushlightuserdata(main, &ref);
  lua_pushvalue(L, index);
  lua_xmove(L, main, 1);
  clua_frame frame;
  clua_enter(vm, NULL, main, &frame);
  if (lua_pcall(main, 2, 0, 0) != LUA_OK) lua_pop(main, 1);
  clua_leave(vm, &frame);
  return ref;
}

// ---- objects

typedef struct { uint32_t tag; clua_object_box *box; clua_ref ref; } object_request;

static int new_object(lua_State *L) {
  object_request *request = lua_touserdata(L, 1);
  request->box = lua_newuserdatauv(L, sizeof *request->box, 0);
  request->box->self = request->box;
  request->box->tag = request->tag;
  request->box->pointer = NULL;
  lua_rawgeti(L, LUA_REGISTRYINDEX, vm_of(L)->object_metatable);
  lua_setmetatable(L, -2);
  request->ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

clua_ref clua_new_object(clua_vm *vm, uint32_t tag, clua_object_box **box) {
  object_request request = { tag, NULL, 0 };
  if (!clua_protected(vm, new_object, &request)) return 0;
  *box = request.box;
  return request.ref;
}

static int error_text(lua_State *L) {
  lua_getfield(L, 1, "message");
  if (lua_type(L, -1) != LUA_TSTRING) {
    lua_pushliteral(L, "error");
    return 1;
  }
  lua_getfield(L, 1, "peer");
  if (lua_type(L, -1) != LUA_TSTRING) {
    lua_pop(L, 1);
    return 1;
  }
  lua_pushfstring(L, "%s (peer %s)", lua_tostring(L, -2), lua_tostring(L, -1));
  return 1;
}

void clua_open_objects(clua_vm *vm, lua_State *L) {
  lua_createtable(L, 0, 1);
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  vm->object_metatable = luaL_ref(L, LUA_REGISTRYINDEX);
  lua_createtable(L, 0, 2);
  lua_pushcfunction(L, error_text);
  lua_setfield(L, -2, "__tostring");
  lua_pushliteral(L, "error");
  lua_setfield(L, -2, "__name");
  vm->error_metatable = luaL_ref(L, LUA_REGISTRYINDEX);
}
