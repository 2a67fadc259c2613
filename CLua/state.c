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
  clua_open_pristine(vm, L);
  keep_messages(L);
  return 0;
}

clua_vm *clua_open(clua_limits limits, bool trusted, void *context) {
  clua_open_blocks();
  void *place;
  if (posix_memalign(&place, CLUA_LINE, sizeof(clua_vm)) != 0 || ((uintptr_t)place & CLUA_MARKS)) abort();
  clua_vm *vm = memset(place, 0, sizeof *vm);
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
bool clua_has_run_long(const clua_vm *vm) { return atomic_load_explicit(&vm->has_run_long, memory_order_relaxed); }
void clua_forget_long_run(clua_vm *vm) { atomic_store_explicit(&vm->has_run_long, false, memory_order_relaxed); }
bool clua_is_running(const clua_vm *vm) { return vm->running != NULL; }
const char *clua_version(void) { return LUA_RELEASE; }

static int collect(lua_State *L) {
  lua_gc(L, LUA_GCCOLLECT);
  return 0;
}

void clua_collect(clua_vm *vm) { clua_protected(vm, collect, NULL); }
