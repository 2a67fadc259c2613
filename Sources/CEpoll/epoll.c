#define _GNU_SOURCE
#include "CEpoll.h"

#include <errno.h>
#include <malloc.h>
#include <netinet/in.h>
#include <netinet/tcp.h>
#include <pthread.h>
#include <sched.h>
#include <sys/epoll.h>
#include <sys/eventfd.h>
#include <sys/socket.h>
#include <unistd.h>

_Static_assert(
  CEPOLL_IN == EPOLLIN && CEPOLL_PRI == EPOLLPRI && CEPOLL_OUT == EPOLLOUT && CEPOLL_ERR == EPOLLERR
    && CEPOLL_HUP == EPOLLHUP && CEPOLL_RDHUP == EPOLLRDHUP,
  "the system's numbers");

int cepoll_create(void) { return epoll_create1(EPOLL_CLOEXEC); }

int cepoll_add(int epoll, int descriptor, uint32_t events, uint64_t data) {
  struct epoll_event event = { .events = events | EPOLLET, .data = { .u64 = data } };
  return epoll_ctl(epoll, EPOLL_CTL_ADD, descriptor, &event);
}

void cepoll_remove(int epoll, int descriptor) { epoll_ctl(epoll, EPOLL_CTL_DEL, descriptor, NULL); }

int cepoll_wait(int epoll, struct cepoll_event *events, int capacity, int milliseconds) {
  struct epoll_event found[256];
  int count = epoll_wait(epoll, found, capacity < 256 ? capacity : 256, milliseconds);
  for (int i = 0; i < count; i++) {
    events[i].data = found[i].data.u64;
    events[i].events = found[i].events;
  }
  return count;
}

int cepoll_eventfd(void) { return eventfd(0, EFD_CLOEXEC | EFD_NONBLOCK); }

void cepoll_signal(int descriptor) {
  uint64_t one = 1;
  // Fails only where the counter is full, and then the loop has been told.
  if (write(descriptor, &one, sizeof one) < 0) return;
}

int cepoll_accept(int listener, void *address, uint32_t *length) {
  return accept4(listener, address, length, SOCK_NONBLOCK | SOCK_CLOEXEC);
}

int cepoll_waiting(int listener) {
  struct tcp_info info = { 0 };
  socklen_t length = sizeof info;
  // Of a listener the system gives the length of its queue in the place of what is not acknowledged (tcp_get_info).
  if (getsockopt(listener, IPPROTO_TCP, TCP_INFO, &info, &length) < 0) return 0;
  return (int)info.tcpi_unacked;
}

intptr_t cepoll_block_size(const void *block) { return (intptr_t)malloc_usable_size((void *)block); }

void cepoll_name_thread(const char *name) { pthread_setname_np(pthread_self(), name); }

int cepoll_processors(void) {
  cpu_set_t allowed;
  if (sched_getaffinity(0, sizeof allowed, &allowed) == 0) return CPU_COUNT(&allowed);
  // The machine has more than fit into a set; anything else says nothing about it.
  return errno == EINVAL ? CPU_SETSIZE : 1;
}
