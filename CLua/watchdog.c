#define _GNU_SOURCE
#include "internal.h"

#include <signal.h>
#include <string.h>
#include <sys/syscall.h>
#include <time.h>
#include <unistd.h>

// ---- which VMs run on a thread, and the signal that tells one that its time is up

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
  return !vm->running || !clua_is_armed(vm) || (vm->signals & (vm->signals - 1)) == 0;
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

// ---- the thread that looks at them

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
