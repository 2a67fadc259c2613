#define _GNU_SOURCE
#include "internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

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

// Read and written with every run: found by an offset from the thread's pointer, not by a call of the loader's.
#define FAST_LOCAL static _Thread_local __attribute__((tls_model("initial-exec")))
FAST_LOCAL const clua_frame *current_frame;

// By number and not as pthread_t: a thread that has ended meanwhile is then no more than a signal to nobody.
pid_t clua_this_thread(void) {
  FAST_LOCAL pid_t id;
  if (__builtin_expect(!id, 0)) id = (pid_t)syscall(SYS_gettid);
  return id;
}

// A thread started by libdispatch (and every thread it starts) has all signals blocked; the watchdog's must come through.
static void let_signal_in(void) {
  FAST_LOCAL bool is_open;
  if (__builtin_expect(is_open, 1)) return;
  is_open = true;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGURG);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

void clua_begin_on_thread(clua_vm *vm, clua_frame *frame) {
  let_signal_in();
  frame->vm = vm;
  frame->outer = current_frame;
  // A signal in between finds the row without this one.
  atomic_signal_fence(memory_order_release);
  current_frame = frame;
}

void clua_end_on_thread(const clua_frame *frame) { current_frame = frame->outer; }

static struct sigaction previous_action;

// The hook may have come too late for the frame it met, so it is set again; but at ever greater distances: setting it takes
// as long as the stack is deep, and a recursion's could take longer than the next signal does, so that nothing else ran.
CLUA_IN_SIGNAL static bool is_to_be_armed(clua_vm *vm, uint64_t epoch) {
  vm->signals = vm->signaled_epoch == epoch ? vm->signals + 1 : 1;
  vm->signaled_epoch = epoch;
  return !vm->running || lua_gethook(vm->running) != kill_hook || (vm->signals & (vm->signals - 1)) == 0;
}

CLUA_IN_SIGNAL static void on_signal(int number, siginfo_t *info, void *context) {
  // Of VMs inside each other any may be the one; if it is an outer one, its own code is seldom what the signal meets.
  for (const clua_frame *frame = current_frame; frame; frame = frame->outer) {
    clua_vm *vm = frame->vm;
    uint64_t epoch = atomic_load_explicit(&vm->epoch, memory_order_relaxed);
    // A signal that comes late must not end the run after the one it was meant for.
    if ((epoch & 1) && epoch == atomic_load_explicit(&vm->kill_epoch, memory_order_relaxed)) {
      if (!vm->kill) vm->kill = CLUA_KILL_TIME;
      if (is_to_be_armed(vm, epoch)) clua_arm(vm);
    }
  }
  if (previous_action.sa_flags & SA_SIGINFO) {
    if (previous_action.sa_sigaction) previous_action.sa_sigaction(number, info, context);
  } else if (previous_action.sa_handler != SIG_DFL && previous_action.sa_handler != SIG_IGN) {
    previous_action.sa_handler(number);
  }
}

static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static pthread_cond_t changed = PTHREAD_COND_INITIALIZER;
static clua_vm *watched;
static bool has_started;

static uint64_t now(void) {
  struct timespec t;
  clock_gettime(CLOCK_MONOTONIC, &t);
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

// What the loop's thread has run, so that a machine with more to do than it can does not end a script that does little.
// Linux: the clock of a thread by its number is what pthread_getcpuclockid would give (clock_getcpuclockid(3), the
// kernel's CPUCLOCK_PERTHREAD_MASK | CPUCLOCK_SCHED).
static uint64_t thread_time(clua_vm *vm, uint64_t otherwise) {
  struct timespec t;
  clockid_t clock = (clockid_t)(~(unsigned)atomic_load_explicit(&vm->thread, memory_order_relaxed) << 3 | 6);
  if (clock_gettime(clock, &t) != 0) return otherwise;
  return (uint64_t)t.tv_sec * 1000000000u + (uint64_t)t.tv_nsec;
}

static uint64_t look(clua_vm *vm, uint64_t wall) {
  uint64_t limit = atomic_load_explicit(&vm->time_limit, memory_order_relaxed);
  uint64_t epoch = atomic_load_explicit(&vm->epoch, memory_order_acquire);
  if (epoch & 1) atomic_store_explicit(&vm->has_run_long, true, memory_order_relaxed);
  if (!(epoch & 1) || epoch != vm->seen_epoch) {
    vm->seen_epoch = epoch;
    vm->seen_at = epoch & 1 ? thread_time(vm, wall) : wall;
  } else if (thread_time(vm, wall) - vm->seen_at >= limit) {
    atomic_store_explicit(&vm->kill_epoch, epoch, memory_order_relaxed);
    syscall(SYS_tgkill, getpid(), atomic_load_explicit(&vm->thread, memory_order_relaxed), SIGURG);
  }
  return limit / 8;
}

// One thread for all VMs of the process. It polls, so that a run costs two counter increments and no clock read.
static void *watch(void *unused) {
  (void)unused;
  pthread_mutex_lock(&lock);
  for (;;) {
    while (!watched) pthread_cond_wait(&changed, &lock);
    uint64_t at = now(), interval = 100000000;
    for (clua_vm *vm = watched; vm; vm = vm->next) {
      uint64_t wish = look(vm, at);
      if (wish < interval) interval = wish;
    }
    if (interval < 2000000) interval = 2000000;
    pthread_mutex_unlock(&lock);
    struct timespec pause = { 0, (long)interval };
    nanosleep(&pause, NULL);
    pthread_mutex_lock(&lock);
  }
  return NULL;
}

static void start_watchdog(void) {
  struct sigaction action;
  memset(&action, 0, sizeof action);
  action.sa_sigaction = on_signal;
  action.sa_flags = SA_SIGINFO | SA_RESTART;
  sigemptyset(&action.sa_mask);
  // SIGURG: ignored by default, so one that arrives where no handler is left harms nobody.
  clua_set_action(SIGURG, &action, &previous_action);
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  pthread_t thread;
  if (pthread_create(&thread, NULL, watch, NULL) == 0) pthread_detach(thread);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void clua_watch(clua_vm *vm) {
  if (!vm->time_limit || vm->is_watched) return;
  vm->is_watched = true;
  pthread_mutex_lock(&lock);
  if (!has_started) {
    has_started = true;
    start_watchdog();
  }
  vm->next = watched;
  watched = vm;
  pthread_cond_signal(&changed);
  pthread_mutex_unlock(&lock);
}

void clua_unwatch(clua_vm *vm) {
  if (!vm->is_watched) return;
  vm->is_watched = false;
  pthread_mutex_lock(&lock);
  for (clua_vm **link = &watched; *link; link = &(*link)->next) {
    if (*link == vm) {
      *link = vm->next;
      break;
    }
  }
  pthread_mutex_unlock(&lock);
}

void clua_set_limits(clua_vm *vm, clua_limits limits) {
  vm->limit = limits.memory;
  atomic_store_explicit(&vm->time_limit, limits.time, memory_order_relaxed);
  if (limits.time) clua_watch(vm);
  else clua_unwatch(vm);
}
