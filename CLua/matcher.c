#include "patterns.h"

#include <ctype.h>
#include <string.h>

// Lua's patterns, matched by backtracking as Lua 5.4 does it, with the same results and errors; only that it looks at the
// budget on its way. Lua's own matcher can be busy for centuries within one call, in which no hook fires.
//
// Between two looks lies one pass over the subject at most.

enum { ESCAPE = '%', SPARE_TRIES = 1000 };

static int byte_of(const char *at) { return (unsigned char)*at; }

void clua_matcher_open(clua_matcher *m, lua_State *L, const char *subject, size_t length, const char *pattern, size_t count) {
  m->L = L;
  m->kill = &vm_of(L)->kill;
  m->spare = *m->kill ? SPARE_TRIES : 0;
  m->subject = subject;
  m->subject_end = subject + length;
  m->pattern_end = pattern + count;
}

// ---- single characters

static bool is_in_class(int byte, int class) {
  bool is_in;
  switch (tolower(class)) {
  case 'a': is_in = isalpha(byte); break;
  case 'c': is_in = iscntrl(byte); break;
  case 'd': is_in = isdigit(byte); break;
  case 'g': is_in = isgraph(byte); break;
  case 'l': is_in = islower(byte); break;
  case 'p': is_in = ispunct(byte); break;
  case 's': is_in = isspace(byte); break;
  case 'u': is_in = isupper(byte); break;
  case 'w': is_in = isalnum(byte); break;
  case 'x': is_in = isxdigit(byte); break;
  case 'z': is_in = byte == 0; break;  // out of use, and still there
  default: return class == byte;
  }
  return isupper(class) ? !is_in : is_in;
}

// From the opening bracket to the closing one, which `last` points to.
static bool is_in_set(int byte, const char *set, const char *last) {
  bool found = true;
  if (set[1] == '^') {
    found = false;
    set++;
  }
  for (set++; set < last; set++) {
    if (*set == ESCAPE) {
      set++;
      if (is_in_class(byte, byte_of(set))) return found;
    } else if (set[1] == '-' && set + 2 < last) {
      if (byte_of(set) <= byte && byte <= byte_of(set + 2)) return found;
      set += 2;
    } else if (byte_of(set) == byte) {
      return found;
    }
  }
  return !found;
}

// Behind the single character, class or set that starts at `item`.
static const char *item_end(clua_matcher *m, const char *item) {
  char first = *item++;
  if (first == ESCAPE) {
    if (item == m->pattern_end) luaL_error(m->L, "malformed pattern (ends with '%%')");
    return item + 1;
  }
  if (first != '[') return item;
  if (*item == '^') item++;
  do {  // the first one may be a bracket itself
    if (item == m->pattern_end) luaL_error(m->L, "malformed pattern (missing ']')");
    if (*item++ == ESCAPE && item < m->pattern_end) item++;
  } while (*item != ']');
  return item + 1;
}

static inline bool fits(const clua_matcher *m, const char *at, const char *item, const char *end) {
  if (at >= m->subject_end) return false;
  switch (*item) {
  case '.': return true;
  case ESCAPE: return is_in_class(byte_of(at), byte_of(item + 1));
  case '[': return is_in_set(byte_of(at), item, end - 1);
  default: return *item == *at;
  }
}

// ---- what has to be matched by trying: each answers with the end of the whole match, or NULL

static const char *repeat_most(clua_matcher *m, const char *at, const char *item, const char *end) {
  const char *last = at;
  while (fits(m, last, item, end)) last++;
  for (; last >= at; last--) {
    const char *found = clua_matcher_try(m, last, end + 1);
    if (found) return found;
  }
  return NULL;
}

static const char *repeat_least(clua_matcher *m, const char *at, const char *item, const char *end) {
  for (;; at++) {
    const char *found = clua_matcher_try(m, at, end + 1);
    if (found) return found;
    if (!fits(m, at, item, end)) return NULL;
  }
}

static const char *open_capture(clua_matcher *m, const char *at, const char *rest, ptrdiff_t length) {
  if (m->captured >= CLUA_MAX_CAPTURES) luaL_error(m->L, "too many captures");
  m->captures[m->captured++] = (clua_capture){ at, length };
  const char *found = clua_matcher_try(m, at, rest);
  if (!found) m->captured--;
  return found;
}

static const char *close_capture(clua_matcher *m, const char *at, const char *rest) {
  int index = m->captured;
  do {
    if (--index < 0) luaL_error(m->L, "invalid pattern capture");
  } while (m->captures[index].length != CLUA_CAPTURE_OPEN);
  m->captures[index].length = at - m->captures[index].start;
  const char *found = clua_matcher_try(m, at, rest);
  if (!found) m->captures[index].length = CLUA_CAPTURE_OPEN;
  return found;
}

// ---- what matches in one way only: each answers with where it ends, or NULL

static const char *match_balanced(clua_matcher *m, const char *at, const char *pair) {
  if (pair >= m->pattern_end - 1) luaL_error(m->L, "malformed pattern (missing arguments to '%%b')");
  if (*at != pair[0]) return NULL;
  ptrdiff_t open = 1;
  while (++at < m->subject_end) {
    if (*at == pair[1]) {
      if (--open == 0) return at + 1;
    } else if (*at == pair[0]) {
      open++;
    }
  }
  return NULL;
}

static const char *match_again(clua_matcher *m, const char *at, int digit) {
  int index = digit - '1';
  if (index < 0 || index >= m->captured || m->captures[index].length == CLUA_CAPTURE_OPEN) {
    luaL_error(m->L, "invalid capture index %%%d", index + 1);
  }
  size_t length = (size_t)m->captures[index].length;
  if ((size_t)(m->subject_end - at) < length || memcmp(m->captures[index].start, at, length) != 0) return NULL;
  return at + length;
}

static bool is_frontier(clua_matcher *m, const char *at, const char *set, const char *end) {
  int before = at == m->subject ? 0 : byte_of(at - 1);
  return !is_in_set(before, set, end - 1) && is_in_set(byte_of(at), set, end - 1);
}

// %b, %f and %1…%9, which are no single character. False where it is none of them; else it has moved on behind it, `at` is
// NULL where it does not match.
static bool match_special(clua_matcher *m, const char **at, const char **pattern) {
  const char *item = *pattern;
  switch (item[1]) {
  case 'b':
    *at = match_balanced(m, *at, item + 2);
    *pattern = item + 4;
    return true;
  case 'f': {
    if (item[2] != '[') luaL_error(m->L, "missing '[' after '%%f' in pattern");
    const char *end = item_end(m, item + 2);
    if (!is_frontier(m, *at, item + 2, end)) *at = NULL;
    *pattern = end;
    return true;
  }
  case '0': case '1': case '2': case '3': case '4': case '5': case '6': case '7': case '8': case '9':
    *at = match_again(m, *at, byte_of(item + 1));
    *pattern = item + 2;
    return true;
  default: return false;
  }
}

static const char *match_from(clua_matcher *m, const char *at, const char *pattern) {
  while (at && pattern != m->pattern_end) {
    switch (*pattern) {
    case '(':
      if (pattern[1] == ')') return open_capture(m, at, pattern + 2, CLUA_CAPTURE_POSITION);
      return open_capture(m, at, pattern + 1, CLUA_CAPTURE_OPEN);
    case ')': return close_capture(m, at, pattern + 1);
    case '$':
      if (pattern + 1 == m->pattern_end) return at == m->subject_end ? at : NULL;
      break;
    case ESCAPE:
      if (match_special(m, &at, &pattern)) continue;
      break;
    }
    const char *end = item_end(m, pattern);
    bool is_fit = fits(m, at, pattern, end);
    switch (*end) {
    case '?':
      if (is_fit) {
        const char *found = clua_matcher_try(m, at + 1, end + 1);
        if (found) return found;
      }
      pattern = end + 1;
      continue;
    case '+': return is_fit ? repeat_most(m, at + 1, pattern, end) : NULL;
    case '*':
      if (is_fit) return repeat_most(m, at, pattern, end);
      pattern = end + 1;
      continue;
    case '-':
      if (is_fit) return repeat_least(m, at, pattern, end);
      pattern = end + 1;
      continue;
    default:
      if (!is_fit) return NULL;
      at++;
      pattern = end;
    }
  }
  return at;
}

const char *clua_matcher_try(clua_matcher *m, const char *at, const char *pattern) {
  if (__builtin_expect(*m->kill, 0) && m->spare-- <= 0) clua_stop_over_budget(m->L);
  if (m->nesting-- == 0) luaL_error(m->L, "pattern too complex");
  const char *found = match_from(m, at, pattern);
  m->nesting++;
  return found;
}

ptrdiff_t clua_matcher_capture(clua_matcher *m, int index, const char *start, const char *end, const char **text) {
  if (index >= m->captured) {
    if (index != 0) luaL_error(m->L, "invalid capture index %%%d", index + 1);
    *text = start;
    return end - start;
  }
  const clua_capture *capture = &m->captures[index];
  *text = capture->start;
  if (capture->length == CLUA_CAPTURE_OPEN) luaL_error(m->L, "unfinished capture");
  if (capture->length == CLUA_CAPTURE_POSITION) lua_pushinteger(m->L, capture->start - m->subject + 1);
  return capture->length;
}
