#include "internal.h"

#include <stdlib.h>
#include <string.h>

// ---- entering and leaving Lua: what the watchdog and the natives need to know of the run

void clua_enter(clua_vm *vm, clua_thread *thread, lua_State *L, clua_frame *frame) {
  frame->current = vm->current;
  frame->running = vm->running;
  frame->chain_yields = vm->chain_yields;
  frame->previous = NULL;
  if (!frame->running) {
    frame->previous = clua_swap_current_vm(vm);
    atomic_store_explicit(&vm->thread, pthread_self(), memory_order_relaxed);
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
  clua_swap_current_vm(frame->previous);
  if (__builtin_expect(vm->kill, 0)) {
    vm->kill = CLUA_KILL_NONE;
    vm->kill_place[0] = 0;
    lua_sethook(left, NULL, 0, 0);
    lua_sethook(vm->L, NULL, 0, 0);
  }
}

// ---- threads

typedef struct { lua_State *L; clua_ref ref; } thread_request;

static int new_thread(lua_State *L) {
  thread_request *request = lua_touserdata(L, 1);
  request->L = lua_newthread(L);
  request->ref = luaL_ref(L, LUA_REGISTRYINDEX);
  return 0;
}

clua_thread *clua_thread_new(clua_vm *vm, void *host) {
  thread_request request = { 0 };
  if (!clua_protected(vm, new_thread, &request)) return NULL;
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

void clua_thread_drop(clua_thread *thread) { free(thread); }

clua_thread *clua_current(const clua_vm *vm) { return vm->current; }

// ---- runs

typedef struct { clua_ref function; const clua_pack *arguments; } start_request;
typedef struct { clua_ref function, first, second; const void *bytes; size_t count; } message_request;

static int all_results(lua_State *L, int status, lua_KContext context) {
  (void)status;
  (void)context;
  return lua_gettop(L);
}

static int no_results(lua_State *L, int status, lua_KContext context) {
  (void)L;
  (void)status;
  (void)context;
  return 0;
}

static int start_body(lua_State *L) {
  start_request *request = lua_touserdata(L, 1);
  lua_settop(L, 0);
  lua_rawgeti(L, LUA_REGISTRYINDEX, request->function);
  lua_callk(L, clua_push_all(L, request->arguments), LUA_MULTRET, 0, all_results);
  return lua_gettop(L);
}

static int message_body(lua_State *L) {
  message_request *request = lua_touserdata(L, 1);
  lua_rawgeti(L, LUA_REGISTRYINDEX, request->function);
  lua_rawgeti(L, LUA_REGISTRYINDEX, request->first);
  lua_rawgeti(L, LUA_REGISTRYINDEX, request->second);
  lua_pushlstring(L, request->bytes, request->count);
  lua_callk(L, 3, 0, 0, no_results);
  return 0;
}

static enum clua_status failed(clua_thread *thread, int status) {
  clua_vm *vm = thread->vm;
  clua_describe(vm, thread->L, status, thread->L);
  // Runs the pending <close> handlers, under the same kill if there is one.
  lua_resetthread(thread->L);
  lua_settop(thread->L, 0);
  return CLUA_FAILED;
}

static enum clua_status run(clua_thread *thread, int arguments) {
  clua_vm *vm = thread->vm;
  clua_frame frame;
  clua_enter(vm, thread, thread->L, &frame);
  vm->is_parking = false;
  int status = lua_resume(thread->L, frame.running, arguments, &thread->results);
  enum clua_status result;
  if (__builtin_expect(status == LUA_OK, 1)) {
    result = CLUA_FINISHED;
  } else if (status == LUA_YIELD) {
    result = CLUA_PARKED;
  } else {
    result = failed(thread, status);
  }
  clua_leave(vm, &frame);
  return result;
}

enum clua_status clua_start(clua_thread *thread, clua_ref function, const clua_pack *arguments) {
  start_request request = { function, arguments };
  lua_settop(thread->L, 0);
  lua_pushcfunction(thread->L, start_body);
  lua_pushlightuserdata(thread->L, &request);
  return run(thread, 1);
}

enum clua_status clua_deliver(
  clua_thread *thread, clua_ref function, clua_ref first, clua_ref second, const void *bytes, size_t count) {
  message_request request = { function, first, second, bytes, count };
  lua_pushcfunction(thread->L, message_body);
  lua_pushlightuserdata(thread->L, &request);
  return run(thread, 1);
}

static enum clua_status answer(clua_thread *thread, const clua_pack *values, bool raises) {
  clua_answer answer = { values, raises };
  clua_vm *vm = thread->vm;
  const clua_answer *outer = vm->answer;
  vm->answer = &answer;
  enum clua_status status = run(thread, 0);
  vm->answer = outer;
  return status;
}

enum clua_status clua_resume(clua_thread *thread, const clua_pack *values) { return answer(thread, values, false); }
enum clua_status clua_resume_raising(clua_thread *thread, const clua_pack *error) { return answer(thread, error, true); }

void clua_abandon(clua_thread *thread) {
  clua_frame frame;
  clua_enter(thread->vm, NULL, thread->L, &frame);
  lua_resetthread(thread->L);
  lua_settop(thread->L, 0);
  clua_leave(thread->vm, &frame);
  thread->results = 0;
}

bool clua_result(clua_thread *thread, int index, clua_pack *pack, char *problem, size_t capacity) {
  if (!lua_checkstack(thread->L, 8)) return false;
  return clua_pack_value(thread->L, lua_gettop(thread->L) - thread->results + 1 + index, pack, problem, capacity);
}

clua_ref clua_result_ref(clua_thread *thread, int index) {
  return clua_ref_of(thread->L, lua_gettop(thread->L) - thread->results + 1 + index);
}

typedef struct { lua_State *traced; clua_pack *text; } stack_request;

static int stack_text(lua_State *L) {
  stack_request *request = lua_touserdata(L, 1);
  luaL_traceback(L, request->traced, NULL, 0);
  size_t count;
  const char *text = lua_tolstring(L, -1, &count);
  clua_pack_text(request->text, text, count);
  return 0;
}

void clua_stack(clua_thread *thread, clua_pack *text) {
  stack_request request = { thread->L, text };
  clua_protected(thread->vm, stack_text, &request);
}
