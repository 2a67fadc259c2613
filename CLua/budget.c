#define _GNU_SOURCE
#include "internal.h"

#include <signal.h>
#include <stdio.h>
#include <stdlib.h>
#include <string.h>
#include <time.h>

// ---- memory

void *clua_allocate(void *opaque, void *block, size_t old_size, size_t new_size) {
  clua_vm *vm = opaque;
  size_t old = block ? old_size : 0;
  if (new_size == 0) {
    free(block);
    vm->used -= old;
    return NULL;
  }
  size_t used = vm->used - old + new_size;
  if (__builtin_expect(vm->limit && new_size > old && used > vm->limit && vm->is_enforcing, 0)) {
    // Lua collects and asks once more. The second refusal of one size is the one that becomes an error, and from then
    // on the run is over: a pcall that swallows the error meets the hook at its next instruction.
    if (vm->failing == new_size && vm->running) {
      vm->kill = CLUA_KILL_MEMORY;
      clua_arm(vm);
    }
    vm->failing = new_size;
    return NULL;
  }
  void *result = realloc(block, new_size);
  if (!result) return NULL;
  vm->failing = 0;
  vm->used = used;
  if (used > vm->peak) vm->peak = used;
  return result;
}

// ---- time

static const char kill_marker = 0;

// Fires on every instruction once the run is over its budget, so that no pcall, coroutine or handler can go on.
static void kill_hook(lua_State *L, lua_Debug *info) {
  clua_vm *vm = vm_of(L);
  if (!vm->kill) {
    lua_sethook(L, NULL, 0, 0);
    return;
  }
  if (!vm->kill_place[0] && lua_getinfo(L, "Sl", info) && info->currentline > 0) {
    snprintf(vm->kill_place, sizeof vm->kill_place, "%s:%d: ", info->short_src, info->currentline);
  }
  lua_pushlightuserdata(L, (void *)&kill_marker);
  lua_error(L);
}

// lua_sethook is the one call Lua allows from a signal handler.
void clua_arm(clua_vm *vm) {
  if (vm->running) lua_sethook(vm->running, kill_hook, LUA_MASKCOUNT, 1);
}

static _Thread_local clua_vm *current_vm;

// A thread started by libdispatch (and every thread it starts) has all signals blocked; the watchdog's must come through.
static void let_signal_in(void) {
  static _Thread_local bool is_open;
  if (__builtin_expect(is_open, 1)) return;
  is_open = true;
  sigset_t set;
  sigemptyset(&set);
  sigaddset(&set, SIGURG);
  pthread_sigmask(SIG_UNBLOCK, &set, NULL);
}

clua_vm *clua_swap_current_vm(clua_vm *vm) {
  let_signal_in();
  clua_vm *previous = current_vm;
  current_vm = vm;
  return previous;
}

static struct sigaction previous_action;

static void on_signal(int number, siginfo_t *info, void *context) {
  clua_vm *vm = current_vm;
  if (vm) {
    uint64_t epoch = atomic_load_explicit(&vm->epoch, memory_order_relaxed);
    // A signal that comes late must not end the run after the one it was meant for.
    if ((epoch & 1) && epoch == atomic_load_explicit(&vm->kill_epoch, memory_order_relaxed)) {
      if (!vm->kill) vm->kill = CLUA_KILL_TIME;
      clua_arm(vm);
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

static uint64_t look(clua_vm *vm, uint64_t at) {
  uint64_t epoch = atomic_load_explicit(&vm->epoch, memory_order_acquire);
  if (!(epoch & 1) || epoch != vm->seen_epoch) {
    vm->seen_epoch = epoch;
    vm->seen_at = at;
  } else if (at - vm->seen_at >= vm->time_limit) {
    atomic_store_explicit(&vm->kill_epoch, epoch, memory_order_relaxed);
    pthread_kill(atomic_load_explicit(&vm->thread, memory_order_relaxed), SIGURG);
  }
  return vm->time_limit / 8;
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
  sigaction(SIGURG, &action, &previous_action);
  sigset_t all, old;
  sigfillset(&all);
  pthread_sigmask(SIG_SETMASK, &all, &old);
  pthread_t thread;
  if (pthread_create(&thread, NULL, watch, NULL) == 0) pthread_detach(thread);
  pthread_sigmask(SIG_SETMASK, &old, NULL);
}

void clua_watch(clua_vm *vm) {
  if (!vm->time_limit) return;
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
  pthread_mutex_lock(&lock);
  for (clua_vm **link = &watched; *link; link = &(*link)->next) {
    if (*link == vm) {
      *link = vm->next;
      break;
    }
  }
  pthread_mutex_unlock(&lock);
}
