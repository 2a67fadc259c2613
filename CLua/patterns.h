#ifndef CLUA_PATTERNS_H
#define CLUA_PATTERNS_H

#include "internal.h"

enum { CLUA_MAX_CAPTURES = 32, CLUA_MAX_NESTING = 200 };

// What a capture's length says where it is none.
enum { CLUA_CAPTURE_OPEN = -1, CLUA_CAPTURE_POSITION = -2 };

typedef struct clua_capture {
  const char *start;
  ptrdiff_t length;
} clua_capture;

// One subject and one pattern; both are followed by a zero, as all of Lua's strings are.
typedef struct clua_matcher {
  lua_State *L;
  const volatile int *kill;
  const char *subject, *subject_end, *pattern_end;
  int spare;      // tries left once the run is over its budget: what shipped Lua looks for on its way out is little
  int captured;   // how many captures are open or closed
  int nesting;    // how many more calls may stand inside each other
  clua_capture captures[CLUA_MAX_CAPTURES];
} clua_matcher;

void clua_matcher_open(clua_matcher *m, lua_State *L, const char *subject, size_t length, const char *pattern, size_t count);
// The end of the match of `pattern` at exactly `at`; NULL where it does not match. Raises for a pattern that is none, and
// where the run is over its budget.
const char *clua_matcher_try(clua_matcher *m, const char *at, const char *pattern);
// The text of a capture; CLUA_CAPTURE_POSITION where it is a position, which has been pushed. The match as a whole, from
// `start` to `end`, is capture 0 of a pattern that has none.
ptrdiff_t clua_matcher_capture(clua_matcher *m, int index, const char *start, const char *end, const char **text);

// patterns.c: string.find, match, gmatch, gsub
int clua_find(lua_State *L);
int clua_match(lua_State *L);
int clua_gmatch(lua_State *L);
int clua_gsub(lua_State *L);
int clua_push_captures(clua_matcher *m, const char *start, const char *end);
void clua_push_capture(clua_matcher *m, int index, const char *start, const char *end);

#endif
