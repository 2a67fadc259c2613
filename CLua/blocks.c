#define _GNU_SOURCE
#include "internal.h"

#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>

// Where the small blocks of small VMs come from. A VM that does little consists of some four hundred blocks of 16 to 256
// bytes; malloc adds 8 to 24 bytes to each, and takes as long for them as Lua for all else. Lua says how long a block is
// when it gives it back, so these have no headers: free ones stand in lists by size, one set for each thread. What a thread
// has too many of goes to lists that all share: VMs may be freed on other threads than they live on.
//
// The memory is one range of addresses, by which a block is known. Freed blocks stay there for later VMs; so that this is
// never much, only the first SHARE bytes of a VM come from here.

// The address sanitizer sees only what goes through malloc: with it, everything does. The thread sanitizer looks at this too.
#define ONLY_MALLOC CLUA_ADDRESS_SANITIZER

enum { STEP = 8, SMALLEST = 16, LARGEST = 256, CLASSES = LARGEST / STEP + 1, SHARE = 256 << 10, KEPT = 8 << 10, SLAB = 16 << 10 };
#define RANGE ((size_t)1 << 30)

typedef struct block {
  struct block *next;
  struct block *next_list;  // in the first of a list that all threads share
} block;

typedef struct {
  block *free[CLASSES];
  size_t bytes[CLASSES];    // of the free ones; a list that another thread has left may be shorter or longer
  char *at, *end;           // what is left of the slab it cuts new ones from
  bool is_known;
} stock;

static __thread __attribute__((tls_model("initial-exec"))) stock mine;
static char *range;
static _Atomic size_t range_used;
static pthread_mutex_t lock = PTHREAD_MUTEX_INITIALIZER;
static _Atomic(block *) shared[CLASSES];
static pthread_key_t at_exit;
static pthread_once_t once = PTHREAD_ONCE_INIT;

static size_t class_of(size_t size) { return size <= SMALLEST ? SMALLEST / STEP : (size + STEP - 1) / STEP; }
static bool is_from_range(const void *at) { return (uintptr_t)at - (uintptr_t)range < RANGE; }

static void share(stock *stock, size_t class) {
  block *first = stock->free[class];
  if (!first) return;
  pthread_mutex_lock(&lock);
  first->next_list = atomic_load_explicit(&shared[class], memory_order_relaxed);
  atomic_store_explicit(&shared[class], first, memory_order_relaxed);
  pthread_mutex_unlock(&lock);
  stock->free[class] = NULL;
  stock->bytes[class] = 0;
}

static void give(void *at, size_t size) {
  size_t class = class_of(size);
  if (__builtin_expect(!mine.is_known, 0)) mine.is_known = pthread_setspecific(at_exit, &mine) == 0;
  block *given = at;
  given->next = mine.free[class];
  mine.free[class] = given;
  mine.bytes[class] += class * STEP;
  if (__builtin_expect(mine.bytes[class] > KEPT, 0)) share(&mine, class);
}

static void leave(void *stock_of_thread) {
  (void)stock_of_thread;
  for (; mine.end - mine.at >= SMALLEST; mine.at += SMALLEST) give(mine.at, SMALLEST);
  for (size_t class = 0; class < CLASSES; class++) share(&mine, class);
  mine.is_known = false;
}

static void reserve(void) {
  void *made = mmap(NULL, RANGE, PROT_READ | PROT_WRITE, MAP_PRIVATE | MAP_ANONYMOUS | MAP_NORESERVE, -1, 0);
  // Where addresses are rationed everything comes from malloc.
  atomic_store_explicit(&range_used, made == MAP_FAILED ? RANGE : 0, memory_order_relaxed);
  range = made == MAP_FAILED ? (char *)(UINTPTR_MAX - RANGE) : made;
  pthread_key_create(&at_exit, leave);
}

void clua_open_blocks(void) { pthread_once(&once, reserve); }

// Another thread's list, or a piece of a slab; NULL where the range is used up.
__attribute__((noinline)) static void *take_anew(size_t class) {
  size_t size = class * STEP;
  mine.bytes[class] = 0;
  if (atomic_load_explicit(&shared[class], memory_order_relaxed)) {
    pthread_mutex_lock(&lock);
    block *list = atomic_load_explicit(&shared[class], memory_order_relaxed);
    if (list) atomic_store_explicit(&shared[class], list->next_list, memory_order_relaxed);
    pthread_mutex_unlock(&lock);
    if (list) {
      mine.free[class] = list->next;
      // As long as most shared ones: to walk along it would fetch every block of it, long before it is used.
      mine.bytes[class] = KEPT;
      return list;
    }
  }
  if ((size_t)(mine.end - mine.at) < size) {
    // Sizes are in whole steps, so the rest is one too.
    if (mine.end - mine.at >= SMALLEST) give(mine.at, (size_t)(mine.end - mine.at));
    mine.at = mine.end = NULL;
    if (atomic_load_explicit(&range_used, memory_order_relaxed) >= RANGE) return NULL;
    size_t used = atomic_fetch_add_explicit(&range_used, SLAB, memory_order_relaxed);
    if (used >= RANGE) return NULL;
    mine.at = range + used;
    mine.end = mine.at + SLAB;
  }
  void *taken = mine.at;
  mine.at += size;
  return taken;
}

static void *take(size_t size) {
  size_t class = class_of(size);
  block *first = mine.free[class];
  if (__builtin_expect(first == NULL, 0)) return take_anew(class);
  mine.free[class] = first->next;
  if (__builtin_expect(mine.bytes[class] >= class * STEP, 1)) mine.bytes[class] -= class * STEP;
  return first;
}

size_t clua_small_blocks_reserved(void) {
  size_t used = atomic_load_explicit(&range_used, memory_order_relaxed);
  return used < RANGE ? used : RANGE;
}

void clua_free_block(void *at, size_t size) {
  if (at && is_from_range(at)) give(at, size);
  else free(at);
}

// `used` is what the VM will have with it.
void *clua_resize_block(void *at, size_t old_size, size_t size, size_t used) {
  bool is_small = !ONLY_MALLOC && size <= LARGEST && used <= SHARE;
  bool was_small = at && is_from_range(at);
  if (!is_small && !was_small) return realloc(at, size);
  if (was_small && size <= LARGEST && class_of(size) == class_of(old_size)) return at;
  void *made = is_small ? take(size) : NULL;
  if (!made) made = malloc(size);
  // Lua relies on it that nothing fails that becomes smaller.
  if (!made) return size <= old_size ? at : NULL;
  if (at) {
    memcpy(made, at, size < old_size ? size : old_size);
    clua_free_block(at, old_size);
  }
  return made;
}
