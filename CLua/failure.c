#include "internal.h"

#include <stdio.h>
#include <string.h>

// What a run or a protected call ended with, as text and data that outlive the Lua stack.

// Runs where the error is raised, with the stack still there; for errors that someone catches further up it is not asked.
int clua_note_raise(lua_State *L) {
  clua_vm *vm = vm_of(L);
  clua_trace(L, 1, &vm->raise_trace);
  clua_place(L, 1, vm->raise_place, sizeof vm->raise_place);
  return 1;
}

static int to_text(lua_State *L) {
  luaL_tolstring(L, 1, NULL);
  return 1;
}

// Leaves the error value's text on top; the value is at index 1. Raises only for want of memory.
static void push_text(lua_State *L) {
  if (lua_type(L, 1) == LUA_TTABLE) {
    lua_pushliteral(L, "message");
    lua_rawget(L, 1);
    if (lua_type(L, -1) == LUA_TSTRING) return;
    lua_pop(L, 1);
  }
  lua_pushcfunction(L, to_text);
  lua_pushvalue(L, 1);
  if (lua_pcall(L, 1, 1, 0) != LUA_OK) {
    lua_pushfstring(L, "(an error object whose __tostring fails: a %s)", luaL_typename(L, 1));
  } else if (lua_type(L, 1) != LUA_TNUMBER && !luaL_getmetafield(L, 1, "__tostring")) {
    lua_pushfstring(L, "an error value without a message was raised: a %s", luaL_typename(L, 1));
  } else {
    lua_settop(L, 2);
  }
}

static int describe(lua_State *L) {
  clua_failure *failure = lua_touserdata(L, 2);
  lua_settop(L, 1);
  push_text(L);
  // A finalizer that runs in here may fail and be described itself: ours is a failure of its own until it is whole.
  lua_pushvalue(L, 1);
  failure->ref = luaL_ref(L, LUA_REGISTRYINDEX);
  size_t count;
  const char *text = lua_tolstring(L, -1, &count);
  clua_pack_text(&failure->message, text, count);
  char problem[8];
  clua_pack_value(L, 1, &failure->value, problem, sizeof problem);
  return 0;
}

void clua_failure_free(clua_failure *failure) {
  clua_pack_free(&failure->message);
  clua_pack_free(&failure->traceback);
  clua_pack_free(&failure->value);
}

static void settle(clua_vm *vm, clua_failure *made) {
  clua_release(vm, vm->failure.ref);
  clua_failure_free(&vm->failure);
  vm->failure = *made;
}

static void describe_kill(clua_vm *vm, clua_failure *made) {
  bool is_ended = vm->kill == CLUA_KILL_ENDED, is_time = vm->kill == CLUA_KILL_TIME || is_ended;
  made->kind = is_time ? CLUA_FAIL_TIME : CLUA_FAIL_MEMORY;
  const char *text = is_ended ? "went on although it was over: a loop around pcall must let the errors out that say so"
    : is_time ? "ran longer than script_time without waiting" : "needs more than script_memory";
  // C code that looks at the budget itself raises before the hook has had a chance to note the place.
  const char *place = vm->kill_place[0] ? vm->kill_place : vm->raise_place;
  const clua_pack *trace = vm->kill_trace.count ? &vm->kill_trace : &vm->raise_trace;
  clua_pack_text(&made->message, place, strlen(place));
  clua_pack_append(&made->message, text, strlen(text));
  memcpy(made->place, place, sizeof made->place);
  clua_pack_append(&made->traceback, (const char *)trace->bytes, trace->count);
}

static void describe_error(clua_vm *vm, lua_State *from, clua_failure *made) {
  lua_State *L = vm->L;
  int top = lua_gettop(L) - (from == L ? 1 : 0);
  if (lua_type(from, -1) == LUA_TSTRING) {
    // The usual case first, and without Lua: it must be told even where the C stack or the memory is used up.
    size_t count;
    const char *text = lua_tolstring(from, -1, &count);
    clua_pack_text(&made->message, text, count);
    made->ref = clua_ref_of(from, -1);
    lua_pop(from, 1);
    return;
  }
  if (from != L) lua_xmove(from, L, 1);
  lua_pushcfunction(L, describe);
  lua_insert(L, -2);
  lua_pushlightuserdata(L, made);
  // A __tostring runs in here, under the budget like anything else.
  lua_State *running = vm->running;
  vm->running = L;
  if (lua_pcall(L, 2, 0, 0) != LUA_OK && !made->message.count) {
    clua_pack_text(&made->message, "an error that there is no memory to describe", 44);
  }
  vm->running = running;
  if (vm->kill) clua_arm(vm);
  lua_settop(L, top);
}

// The error value is on top of `from` and is popped.
void clua_describe(clua_vm *vm, lua_State *from, int status) {
  clua_failure made = { .kind = status == LUA_ERRSYNTAX ? CLUA_FAIL_SYNTAX : CLUA_FAIL_RUNTIME };
  if (!vm->kill && status != LUA_ERRMEM) {
    memcpy(made.place, vm->raise_place, sizeof made.place);
    clua_pack_append(&made.traceback, (const char *)vm->raise_trace.bytes, vm->raise_trace.count);
    if (lua_checkstack(vm->L, 6)) describe_error(vm, from, &made);
    else lua_pop(from, 1);
  } else {
    lua_pop(from, 1);
  }
  if (vm->kill || status == LUA_ERRMEM) {
    clua_pack_clear(&made.value);
    clua_pack_clear(&made.traceback);
    clua_release(vm, made.ref);
    made.ref = 0;
    describe_kill(vm, &made);
  }
  clua_pack_clear(&vm->raise_trace);
  vm->raise_place[0] = 0;
  settle(vm, &made);
  // Bytes that there was no memory for.
  clua_trim(&vm->bytes);
}

// A failure that is the host's own: nothing was raised.
void clua_fail(clua_vm *vm, const char *text) {
  clua_failure made = { .kind = vm->kill == CLUA_KILL_MEMORY ? CLUA_FAIL_MEMORY : CLUA_FAIL_RUNTIME };
  clua_pack_text(&made.message, text, strlen(text));
  settle(vm, &made);
}

clua_failure *clua_failure_of(clua_vm *vm) { return &vm->failure; }
