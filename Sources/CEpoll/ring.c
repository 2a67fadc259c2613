#define _GNU_SOURCE
#include "CEpoll.h"

#include <errno.h>
#include <linux/io_uring.h>
#include <stdatomic.h>
#include <stdbool.h>
#include <stdlib.h>
#include <string.h>
#include <sys/mman.h>
#include <sys/socket.h>
#include <sys/syscall.h>
#include <unistd.h>

// Older headers lack them; the kernel's numbers stay the same.
#ifndef IORING_SETUP_SUBMIT_ALL
#define IORING_SETUP_SUBMIT_ALL (1U << 7)
#endif
#ifndef IORING_SETUP_SINGLE_ISSUER
#define IORING_SETUP_SINGLE_ISSUER (1U << 12)
#endif
#ifndef IORING_SETUP_DEFER_TASKRUN
#define IORING_SETUP_DEFER_TASKRUN (1U << 13)
#endif

// Two queues that are shared with the kernel: what is to be done, and what came of it. Only calls that answer at once are put
// there, so both are empty between two of ours, and nothing is under way when a descriptor is closed.

struct cepoll_ring {
  int descriptor;
  unsigned mask, done_mask;
  _Atomic unsigned *tail, *done_head, *done_tail;
  struct io_uring_sqe *entries;
  struct io_uring_cqe *done;
  void *shared;
  size_t shared_size, entries_size;
};

static size_t larger(size_t a, size_t b) { return a > b ? a : b; }

static bool map(struct cepoll_ring *ring, const struct io_uring_params *params) {
  size_t queue = params->sq_off.array + params->sq_entries * sizeof(unsigned);
  size_t done = params->cq_off.cqes + params->cq_entries * sizeof(struct io_uring_cqe);
  ring->shared_size = larger(queue, done);
  ring->entries_size = params->sq_entries * sizeof(struct io_uring_sqe);
  int protection = PROT_READ | PROT_WRITE, flags = MAP_SHARED | MAP_POPULATE;
  ring->shared = mmap(NULL, ring->shared_size, protection, flags, ring->descriptor, IORING_OFF_SQ_RING);
  if (ring->shared == MAP_FAILED) return false;
  ring->entries = mmap(NULL, ring->entries_size, protection, flags, ring->descriptor, IORING_OFF_SQES);
  if (ring->entries == MAP_FAILED) {
    munmap(ring->shared, ring->shared_size);
    return false;
  }
  char *base = ring->shared;
  ring->tail = (_Atomic unsigned *)(base + params->sq_off.tail);
  ring->done_head = (_Atomic unsigned *)(base + params->cq_off.head);
  ring->done_tail = (_Atomic unsigned *)(base + params->cq_off.tail);
  ring->done = (struct io_uring_cqe *)(base + params->cq_off.cqes);
  ring->mask = params->sq_entries - 1;
  ring->done_mask = params->cq_entries - 1;
  unsigned *order = (unsigned *)(base + params->sq_off.array);
  for (unsigned i = 0; i < params->sq_entries; i++) order[i] = i;
  return true;
}

struct cepoll_ring *cepoll_ring_create(void) {
  // Kernels before 6.1 know not all of these and refuse; what they have instead interrupts the thread when it is busy.
  struct io_uring_params params = {
    .flags = IORING_SETUP_SINGLE_ISSUER | IORING_SETUP_DEFER_TASKRUN | IORING_SETUP_SUBMIT_ALL,
  };
  int descriptor = (int)syscall(SYS_io_uring_setup, CEPOLL_CALLS, &params);
  if (descriptor < 0) return NULL;
  struct cepoll_ring *ring = calloc(1, sizeof *ring);
  if (!ring) abort();
  ring->descriptor = descriptor;
  if (map(ring, &params)) return ring;
  close(descriptor);
  free(ring);
  return NULL;
}

void cepoll_ring_destroy(struct cepoll_ring *ring) {
  if (!ring) return;
  munmap(ring->entries, ring->entries_size);
  munmap(ring->shared, ring->shared_size);
  close(ring->descriptor);
  free(ring);
}

static void call(struct cepoll_call *call, uint8_t operation) {
  size_t count = (size_t)call->count;
  call->result = operation == IORING_OP_RECV
    ? recv(call->descriptor, call->bytes, count, MSG_DONTWAIT)
    : send(call->descriptor, call->bytes, count, MSG_DONTWAIT | MSG_NOSIGNAL);
  if (call->result < 0) call->result = -errno;
}

// What stands in the queue of results; how many there were.
static unsigned take_results(struct cepoll_ring *ring, struct cepoll_call *calls) {
  unsigned head = atomic_load_explicit(ring->done_head, memory_order_relaxed);
  unsigned tail = atomic_load_explicit(ring->done_tail, memory_order_acquire);
  for (unsigned at = head; at != tail; at++) {
    const struct io_uring_cqe *result = &ring->done[at & ring->done_mask];
    calls[result->user_data].result = result->res;
  }
  atomic_store_explicit(ring->done_head, tail, memory_order_release);
  return tail - head;
}

// How many the kernel has taken, from the front; each of those has its result.
static int submit(struct cepoll_ring *ring, struct cepoll_call *calls, int count, uint8_t operation) {
  unsigned tail = atomic_load_explicit(ring->tail, memory_order_relaxed);
  for (int i = 0; i < count; i++) {
    struct io_uring_sqe *entry = &ring->entries[(tail + (unsigned)i) & ring->mask];
    *entry = (struct io_uring_sqe){
      .opcode = operation,
      .fd = calls[i].descriptor,
      .addr = (uint64_t)(uintptr_t)calls[i].bytes,
      .len = (uint32_t)calls[i].count,
      .msg_flags = MSG_DONTWAIT | (operation == IORING_OP_SEND ? MSG_NOSIGNAL : 0),
      .user_data = (uint64_t)i,
    };
    calls[i].result = -EIO;
  }
  atomic_store_explicit(ring->tail, tail + (unsigned)count, memory_order_release);
  int taken = (int)syscall(SYS_io_uring_enter, ring->descriptor, count, 0, 0, NULL, 0);
  if (taken < 0) taken = 0;
  // What it has not taken it looks at no more: only this thread lets it look.
  if (taken < count) atomic_store_explicit(ring->tail, tail + (unsigned)taken, memory_order_release);
  // All are there by now: they answer at once.
  for (unsigned known = take_results(ring, calls); known < (unsigned)taken; known += take_results(ring, calls)) {
    long status = syscall(SYS_io_uring_enter, ring->descriptor, 0, (unsigned)taken - known, IORING_ENTER_GETEVENTS, NULL, 0);
    if (status < 0 && errno != EINTR) break;
  }
  return taken;
}

static void call_all(struct cepoll_ring *ring, struct cepoll_call *calls, int count, uint8_t operation) {
  // For fewer the ring costs as much as it spares.
  int taken = ring && count >= CEPOLL_WORTHWHILE ? submit(ring, calls, count, operation) : 0;
  for (int i = taken; i < count; i++) call(&calls[i], operation);
}

void cepoll_receive(struct cepoll_ring *ring, struct cepoll_call *calls, int count) {
  call_all(ring, calls, count, IORING_OP_RECV);
}

void cepoll_send(struct cepoll_ring *ring, struct cepoll_call *calls, int count) {
  call_all(ring, calls, count, IORING_OP_SEND);
}
