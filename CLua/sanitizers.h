// Whether this is built for a sanitizer: 1 or 0.
#ifndef CLUA_SANITIZERS_H
#define CLUA_SANITIZERS_H

#include <signal.h>

#ifndef __has_feature
#define __has_feature(feature) 0
#endif

#if defined(__SANITIZE_ADDRESS__) || __has_feature(address_sanitizer)
#define CLUA_ADDRESS_SANITIZER 1
#else
#define CLUA_ADDRESS_SANITIZER 0
#endif

#if defined(__SANITIZE_THREAD__) || __has_feature(thread_sanitizer)
#define CLUA_THREAD_SANITIZER 1
#else
#define CLUA_THREAD_SANITIZER 0
#endif

// The thread sanitizer keeps a signal back until its thread calls something of the C library's, which a loop in Lua does
// not. So the handler is set past it, and neither the handler nor what it calls may be instrumented: it may come at any time.
#if CLUA_THREAD_SANITIZER
#define CLUA_IN_SIGNAL __attribute__((disable_sanitizer_instrumentation))
int __sigaction(int number, const struct sigaction *action, struct sigaction *previous);
#define clua_set_action __sigaction
#else
#define CLUA_IN_SIGNAL
#define clua_set_action sigaction
#endif

#endif
