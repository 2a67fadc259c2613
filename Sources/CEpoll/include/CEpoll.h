// What Swift's module of the C library leaves out: epoll, io_uring, eventfd, accept4, names of threads. Linux only.
#ifndef CEPOLL_H
#define CEPOLL_H

#include <stdint.h>

struct cepoll_event {
  uint64_t data;
  uint32_t events;
};

enum : uint32_t {
  CEPOLL_IN = 0x001,
  CEPOLL_PRI = 0x002,
  CEPOLL_OUT = 0x004,
  CEPOLL_ERR = 0x008,
  CEPOLL_HUP = 0x010,
  CEPOLL_RDHUP = 0x2000,
};

// All descriptors made here are closed on exec; errors are -1 and errno, as in the system's own functions.
int cepoll_create(void);
// Edge-triggered: each change is told once.
int cepoll_add(int epoll, int descriptor, uint32_t events, uint64_t data);
void cepoll_remove(int epoll, int descriptor);
// At most `capacity` (256) events; `milliseconds` of -1 waits for ever.
int cepoll_wait(int epoll, struct cepoll_event *events, int capacity, int milliseconds);
int cepoll_eventfd(void);
void cepoll_signal(int eventfd);
// Not blocking; `address` has room for `*length` bytes.
int cepoll_accept(int listener, void *address, uint32_t *length);
// How many connections wait to be accepted; 0 also where the system does not say (a Unix socket).
int cepoll_waiting(int listener);
void cepoll_name_thread(const char *name);
// How many processors the calling thread, and those it starts, may run on; 1 where the system does not say.
int cepoll_processors(void);

// One of several calls of recv or send, for a socket that does not block.
struct cepoll_call {
  void *bytes;
  intptr_t count;
  // Bytes, or the error's number below 0.
  intptr_t result;
  int descriptor;
};

enum : intptr_t {
  // At most so many at once,
  CEPOLL_CALLS = 32,
  // and so many for it to be worth while.
  CEPOLL_WORTHWHILE = 6,
};

// io_uring: the system is entered once for all calls, which is a good part of what a short read or write costs.
struct cepoll_ring;
// For the calling thread alone. NULL where the system has none, or not for us: a sandbox may forbid it, descriptors may be out.
struct cepoll_ring *cepoll_ring_create(void);
void cepoll_ring_destroy(struct cepoll_ring *ring);
// At most CEPOLL_CALLS, each of another socket; each has its result on return. Without a ring, one after the other.
void cepoll_receive(struct cepoll_ring *ring, struct cepoll_call *calls, int count);
void cepoll_send(struct cepoll_ring *ring, struct cepoll_call *calls, int count);

// How long a block of the heap is.
intptr_t cepoll_block_size(const void *block);
// Has the processor fetch cache lines, all at the same time, and goes on at once. A place is an address of 48 bits and, above
// it, how many lines of 64 bytes. Nothing is looked at, so what stood there may be gone.
static inline void cepoll_fetch(const uint64_t *places, intptr_t count) {
  for (intptr_t i = 0; i < count; i++) {
    const char *at = (const char *)(uintptr_t)(places[i] & 0xFFFFFFFFFFFF);
    for (uint64_t lines = places[i] >> 48; lines > 0; lines--, at += 64) __builtin_prefetch(at);
  }
}

#endif
