#include "internal.h"

#include <string.h>

// ---- the end of a run that is over its budget

enum { GRACE = 10000 };

// Where it was when it ended; nothing here allocates in Lua.
static void note_kill(clua_vm *vm, lua_State *L) {
  if (vm->has_kill_place) return;
  vm->has_kill_place = true;
  vm->grace = GRACE;
  clua_place(L, 0, vm->kill_place, sizeof vm->kill_place);
  clua_trace(L, 0, &vm->kill_trace);
}

// ---- memory

// From now on the run is over: a pcall that swallows the error meets the hook at its next instruction. That may be in the
// shipped Lua, so the place is the one that was noted with the refusal, also where its time was up in between.
static void over_memory(clua_vm *vm) {
  vm->failing = 0;
  if (!vm->running) return;
  if (!vm->has_kill_place) vm->grace = GRACE;
  vm->has_kill_place = true;
  if (vm->kill) return;
  vm->kill = CLUA_KILL_MEMORY;
  clua_arm(vm);
}

// Lua collects and asks once more: the second refusal of one size becomes an error. Buffers (luaL_Buffer) ask only once:
// theirs is known by something else being asked for next, perhaps on the way out, where the author's line is not seen any more.
static void refuse(clua_vm *vm, size_t size) {
  if (vm->failing) {
    over_memory(vm);
    return;
  }
  vm->failing = size;
  if (!vm->running) return;
  note_kill(vm, vm->running);
  // Over its time already: if this becomes an error the hook will not come to it.
  vm->has_kill_place = vm->kill;
}

void *clua_allocate(void *opaque, void *block, size_t old_size, size_t new_size) {
  clua_vm *vm = opaque;
  size_t old = block ? old_size : 0;
  if (new_size == 0) {
    clua_free_block(block, old);
    vm->used -= old;
    return NULL;
  }
  size_t used = vm->used - old + new_size;
  if (__builtin_expect(vm->limit && new_size > old && used > vm->limit && vm->is_enforcing, 0)) {
    refuse(vm, new_size);
    return NULL;
  }
  if (__builtin_expect(vm->failing && new_size > old, 0) && vm->failing != new_size) over_memory(vm);
  void *result = clua_resize_block(block, old, new_size, used);
  if (!result) return NULL;
  vm->failing = 0;
  vm->used = used;
  if (used > vm->peak) vm->peak = used;
  return result;
}

// ---- time

static const char kill_marker = 0;

static bool is_shipped(const lua_Debug *info) { return strncmp(info->source, "=moonpeer.", 10) == 0; }

// A C function that the shipped Lua or the host calls, on its way out: each is short, or looks at the budget itself.
static bool is_helper(lua_State *L) {
  lua_Debug caller;
  if (!lua_getstack(L, 1, &caller)) return true;
  lua_getinfo(L, "S", &caller);
  if (*caller.what != 'C') return is_shipped(&caller);
  lua_getinfo(L, "f", &caller);
  bool is_native = lua_tocfunction(L, -1) == clua_trampoline;
  lua_pop(L, 1);
  return is_native;
}

static bool has_grace(clua_vm *vm, lua_State *L, lua_Debug *info) {
  if (vm->grace <= 0 || !lua_getinfo(L, "S", info)) return false;
  if (!(*info->what == 'C' ? is_helper(L) : is_shipped(info))) return false;
  vm->grace--;
  return true;
}

void clua_stop_over_budget(lua_State *L) {
  note_kill(vm_of(L), L);
  lua_pushlightuserdata(L, (void *)&kill_marker);
  lua_error(L);
}

// Fires on every instruction and call once the run is over its budget, so that no pcall, coroutine or handler can go on,
// and no loop in C that calls functions in C (table.sort with one for a comparator, say). The shipped Lua gets a bounded
// number of both to leave its tables in order while the error passes through it.
static void kill_hook(lua_State *L, lua_Debug *info) {
  clua_vm *vm = vm_of(L);
  if (!vm->kill) {
    lua_sethook(L, NULL, 0, 0);
    return;
  }
  note_kill(vm, L);
  if (has_grace(vm, L, info)) return;
  clua_stop_over_budget(L);
}

// lua_sethook is the one call Lua allows from a signal handler.
CLUA_IN_SIGNAL void clua_arm(clua_vm *vm) {
  if (vm->running) lua_sethook(vm->running, kill_hook, LUA_MASKCOUNT | LUA_MASKCALL, 1);
}

CLUA_IN_SIGNAL bool clua_is_armed(const clua_vm *vm) { return lua_gethook(vm->running) == kill_hook; }

void clua_end_run(clua_vm *vm) {
  if (!vm->running || vm->kill) return;
  vm->kill = CLUA_KILL_ENDED;
  clua_arm(vm);
}

// After the outermost run: the next one starts with its whole budget.
void clua_disarm(clua_vm *vm, lua_State *L) {
  vm->kill = CLUA_KILL_NONE;
  vm->has_kill_place = false;
  vm->kill_place[0] = 0;
  clua_pack_clear(&vm->kill_trace);
  lua_sethook(L, NULL, 0, 0);
  lua_sethook(vm->L, NULL, 0, 0);
}
