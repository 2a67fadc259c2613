// Tells the thread sanitizer about Swift's Mutex: loaded before everything else by Tests/sanitize/run.
//
// The library of `Synchronization` is not instrumented. Mutex's fast path is inlined into our code, where its atomics are seen;
// where two threads contend, the lock is taken and given by the kernel in the functions below, and the sanitizer would take
// all that the mutex guards for unguarded.

#define _GNU_SOURCE
#include <dlfcn.h>
#include <stdbool.h>
#include <stdint.h>

// Of the sanitizer's runtime; a program without it loads this too (`swift test`, and what tests start).
void __tsan_acquire(void *at) __attribute__((weak));
void __tsan_release(void *at) __attribute__((weak));

#define SWIFT __attribute__((swiftcall))
#define SELF __attribute__((swift_context)) void *self
#define LOCK "$s15Synchronization12_MutexHandleV9_lockSlowyys6UInt32VF"
#define TRY "$s15Synchronization12_MutexHandleV12_tryLockSlowSbyF"
#define UNLOCK "$s15Synchronization12_MutexHandleV11_unlockSlowyyF"

SWIFT void lock_slow(uint32_t thread, SELF) __asm__(LOCK);
SWIFT bool try_lock_slow(SELF) __asm__(TRY);
SWIFT void unlock_slow(SELF) __asm__(UNLOCK);

static SWIFT void (*own_lock)(uint32_t, SELF);
static SWIFT bool (*own_try_lock)(SELF);
static SWIFT void (*own_unlock)(SELF);

__attribute__((constructor)) static void find(void) {
  *(void **)&own_lock = dlsym(RTLD_NEXT, LOCK);
  *(void **)&own_try_lock = dlsym(RTLD_NEXT, TRY);
  *(void **)&own_unlock = dlsym(RTLD_NEXT, UNLOCK);
}

SWIFT void lock_slow(uint32_t thread, SELF) {
  own_lock(thread, self);
  if (__tsan_acquire) __tsan_acquire(self);
}

SWIFT bool try_lock_slow(SELF) {
  bool is_locked = own_try_lock(self);
  if (is_locked && __tsan_acquire) __tsan_acquire(self);
  return is_locked;
}

SWIFT void unlock_slow(SELF) {
  if (__tsan_release) __tsan_release(self);
  own_unlock(self);
}
