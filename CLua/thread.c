#include "internal.h"

#include <stdlib.h>
#include <string.h>

// ---- entering and leaving Lua: what the watchdog and the natives need to know of the run

void clua_enter(clua_vm *vm, clua_thread *thread, lua_State *L, clua_frame *frame) {
  frame->current = vm->current;
  frame->running = vm->running;
  frame->chain_yields = vm->chain_yields;
  if (!frame->running) {
    clua_begin_on_thread(vm, frame);
    atomic_store_explicit(&vm->thread, clua_this_thread(), memory_order_relaxed);
    uint64_t epoch = atomic_load_explicit(&vm->epoch, memory_order_relaxed);
    atomic_store_explicit(&vm->epoch, epoch + 1, memory_order_release);
  }
  vm->current = thread;
  vm->chain_yields = thread != NULL;
  vm->running = L;
  if (__builtin_expect(vm->kill, 0)) clua_arm(vm);
}

void clua_leave(clua_vm *vm, const clua_frame *frame) {
  lua_State *left = vm->running;
  vm->current = frame->current;
  vm->chain_yields = frame->chain_yields;
  vm->running = frame->running;
  if (frame->running) {
    if (__builtin_expect(vm->kill, 0)) clua_arm(vm);
    return;
  }
  uint64_t epoch = atomic_load_explicit(&vm->epoch, memory_order_relaxed);
  atomic_store_explicit(&vm->epoch, epoch + 1, memory_order_release);
  // A signal in between finds an even epoch and does nothing; one before it has set `kill` already.
  atomic_signal_fence(memory_order_seq_cst);
  clua_end_on_thread(frame);
  if (__builtin_expect(vm->is_pushing, 0)) {
    vm->is_pushing = false;
    clua_trim(&vm->pushed);
  }
  vm->failing = 0;
  // A native showed it: its bytes are the run's, at most.
  if (__builtin_expect(vm->is_view_of_run, 0)) {
    vm->is_view_of_run = false;
    clua_clear_view(vm);
  }
  if (__builtin_expect(vm->kill, 0)) clua_disarm(vm, left);
}

// ---- threads

typedef struct { lua_State *L; clua_ref ref; } thread_request;

static int new_thread(lua_State *L) {
  thread_request *request = lua_touserdata(L, 1);
  request->L = lua_newthread(L);
  clua_forget_pcalls(request->L);
  *clua_extra(request->L) |= CLUA_HOSTS;
  request->ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

// The host's own, and about a KiB: not refused where a script has used up its memory, or no error could be told any more.
static bool make_thread(clua_vm *vm, thread_request *request) {
  bool was_enforcing = vm->is_enforcing;
  vm->is_enforcing = false;
  bool is_made = clua_protected(vm, new_thread, request);
  vm->is_enforcing = was_enforcing;
  return is_made;
}

clua_thread *clua_thread_new(clua_vm *vm, void *host) {
  thread_request request = { 0 };
  if (!make_thread(vm, &request)) return NULL;
  clua_thread *thread = calloc(1, sizeof *thread);
  if (!thread) abort();
  thread->vm = vm;
  thread->L = request.L;
  thread->ref = request.ref;
  thread->host = host;
  return thread;
}

void clua_thread_free(clua_thread *thread) {
  clua_release(thread->vm, thread->ref);
  free(thread);
}

clua_thread *clua_current(const clua_vm *vm) { return vm->current; }

// ---- runs

static int all_results(lua_State *L, int status, lua_KContext context) {
  (void)status;
  (void)context;
  return lua_gettop(L);
}

typedef struct { clua_ref function; const clua_pack *arguments; } start_request;

// A run's code is called through lua_pcallk, although lua_resume catches errors as well, for three reasons: the handler
// sees the stack while it is there; <close> handlers of a failed run may wait; and Lua leaves a coroutine that dies of an
// error in a hook with its hooks off, so that no budget could end the next run in it.
int clua_settle_run(lua_State *L, int status, lua_KContext context) {
  clua_thread *thread = (clua_thread *)context;
  if (status != LUA_OK && status != LUA_YIELD) {
    thread->failure = status;
    return 1;
  }
  return lua_gettop(L) - 1;
}

static int call_requested(lua_State *L) {
  start_request *request = lua_touserdata(L, 1);
  lua_settop(L, 0);
  lua_rawgeti(L, LUA_REGISTRYINDEX, request->function);
  lua_callk(L, clua_push_all(L, request->arguments), LUA_MULTRET, 0, all_results);
  return lua_gettop(L);
}

static int start_body(lua_State *L) {
  lua_pushcfunction(L, clua_note_raise);
  lua_insert(L, 1);
  lua_pushcfunction(L, call_requested);
  lua_insert(L, 2);
  lua_KContext thread = (lua_KContext)vm_of(L)->current;
  return clua_settle_run(L, lua_pcallk(L, 1, LUA_MULTRET, 1, thread, clua_settle_run), thread);
}

static enum clua_status failed(clua_thread *thread, int status) {
  clua_describe(thread->vm, thread->L, status);
  if (lua_status(thread->L) != LUA_OK) lua_resetthread(thread->L);
  clua_forget_pcalls(thread->L);
  lua_settop(thread->L, 0);
  thread->results = 0;
  thread->state = CLUA_IDLE;
  return CLUA_FAILED;
}

enum clua_status clua_run(clua_thread *thread, int arguments) {
  clua_vm *vm = thread->vm;
  clua_frame frame;
  clua_enter(vm, thread, thread->L, &frame);
  vm->is_parking = false;
  thread->failure = LUA_OK;
  thread->state = CLUA_RUNNING;
  int status = lua_resume(thread->L, frame.running, arguments, &thread->results);
  enum clua_status result;
  if (__builtin_expect(status == LUA_OK && thread->failure == LUA_OK, 1)) {
    thread->state = CLUA_IDLE;
    result = CLUA_FINISHED;
  } else if (status == LUA_YIELD) {
    thread->state = CLUA_WAITING;
    // Whoever looked through the view has lost it: what it shows may be gone when the run goes on.
    clua_clear_view(vm);
    result = CLUA_PARKED;
  } else if (status == LUA_OK) {
    result = failed(thread, thread->failure);
  } else {
    result = failed(thread, status);
  }
  clua_leave(vm, &frame);
  // The bytes that a decoder looked at belong to the loop again.
  if (!vm->running) clua_clear_view(vm);
  return result;
}

// The host has mixed up its threads: an error for it, nothing for Lua.
enum clua_status clua_misused(clua_thread *thread, const char *text) {
  clua_fail(thread->vm, text);
  return CLUA_FAILED;
}

enum clua_status clua_start(clua_thread *thread, clua_ref function, const clua_pack *arguments) {
  if (thread->state != CLUA_IDLE) return clua_misused(thread, "a run was started in a thread that is in the middle of one");
  start_request request = { function, arguments };
  lua_settop(thread->L, 0);
  lua_pushcfunction(thread->L, start_body);
  lua_pushlightuserdata(thread->L, &request);
  return clua_run(thread, 1);
}

static enum clua_status answer(clua_thread *thread, const clua_pack *values, bool raises) {
  if (thread->state != CLUA_WAITING) return clua_misused(thread, "an answer was given to a thread that waits for none");
  clua_answer answer = { values, raises };
  clua_vm *vm = thread->vm;
  const clua_answer *outer = vm->answer;
  vm->answer = &answer;
  enum clua_status status = clua_run(thread, 0);
  vm->answer = outer;
  return status;
}

enum clua_status clua_resume(clua_thread *thread, const clua_pack *values) { return answer(thread, values, false); }
enum clua_status clua_resume_raising(clua_thread *thread, const clua_pack *error) { return answer(thread, error, true); }

void clua_abandon(clua_thread *thread) {
  if (thread->state == CLUA_RUNNING) return;
  clua_frame frame;
  clua_enter(thread->vm, NULL, thread->L, &frame);
  lua_resetthread(thread->L);
  clua_forget_pcalls(thread->L);
  lua_settop(thread->L, 0);
  clua_leave(thread->vm, &frame);
  thread->results = 0;
  if (thread->state == CLUA_IDLE) return;
  thread->state = CLUA_IDLE;
  // Reset in the middle of a pcall or xpcall, Lua 5.4.4 keeps the message handler's old stack position: a fresh thread
  // instead.
  thread_request request = { 0 };
  if (!make_thread(thread->vm, &request)) return;
  clua_release(thread->vm, thread->ref);
  thread->L = request.L;
  thread->ref = request.ref;
}

bool clua_result(clua_thread *thread, int index, clua_pack *pack, char *problem, size_t capacity) {
  if (!lua_checkstack(thread->L, 8)) return false;
  return clua_pack_value(thread->L, lua_gettop(thread->L) - thread->results + 1 + index, pack, problem, capacity);
}

clua_ref clua_result_ref(clua_thread *thread, int index) {
  return clua_ref_of(thread->L, lua_gettop(thread->L) - thread->results + 1 + index);
}

void clua_stack(clua_thread *thread, clua_pack *text) {
  // What waits is the innermost of the author's coroutines; who resumed it stands below.
  lua_State *chain[16];
  int count = 1;
  chain[0] = thread->L;
  while (count < 16 && (chain[count] = clua_resumed_by(chain[count - 1]))) count++;
  clua_pack part = { 0 };
  clua_pack_clear(text);
  while (count-- > 0) {
    clua_trace(chain[count], 0, &part);
    if (part.count == 0) continue;
    // One heading is enough.
    const char *bytes = (const char *)part.bytes, *lines = memchr(bytes, '\n', part.count);
    if (text->count == 0) clua_pack_append(text, bytes, part.count);
    else if (lines) clua_pack_append(text, lines, part.count - (size_t)(lines - bytes));
  }
  clua_pack_free(&part);
}
