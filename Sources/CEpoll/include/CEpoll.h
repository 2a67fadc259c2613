// What Swift's module of the C library leaves out: epoll, eventfd, accept4, names of threads. Linux only.
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

#endif
