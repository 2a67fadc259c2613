#include "internal.h"

#include <string.h>

// load(chunk, name, mode, env) for scripts. Source text only: a binary chunk can break the VM's memory safety. The text
// goes to the compiler in pieces with a look at the budget between them, since compiling is one call in C, however long.

enum { CHUNK = 1, NAME, MODE, ENVIRONMENT, PIECE, PIECE_SIZE = 4096 };

typedef struct {
  const char *bytes;
  size_t count;
} rest;

static const char *read_piece(lua_State *L, void *context, size_t *count) {
  rest *r = context;
  clua_look_at_budget(L);
  if (r->count == 0 && lua_type(L, CHUNK) == LUA_TFUNCTION) {
    luaL_checkstack(L, 2, "too many nested functions");
    lua_pushvalue(L, CHUNK);
    lua_call(L, 0, 1);
    if (!lua_isnil(L, -1) && !lua_isstring(L, -1)) luaL_error(L, "reader function must return a string");
    lua_replace(L, PIECE);  // kept while the compiler reads it
    r->bytes = lua_tolstring(L, PIECE, &r->count);
    if (!r->bytes) r->count = 0;
  }
  const char *piece = r->bytes;
  *count = r->count < PIECE_SIZE ? r->count : PIECE_SIZE;
  r->bytes += *count;
  r->count -= *count;
  return *count ? piece : NULL;
}

static int refused(lua_State *L, const char *why) {
  luaL_pushfail(L);
  lua_pushstring(L, why);
  return 2;
}

int clua_load_text(lua_State *L) {
  bool has_environment = !lua_isnone(L, ENVIRONMENT);
  rest r = { 0 };
  const char *name;
  if (lua_type(L, CHUNK) == LUA_TSTRING) {
    r.bytes = lua_tolstring(L, CHUNK, &r.count);
    name = luaL_optstring(L, NAME, r.bytes);
  } else {
    luaL_checktype(L, CHUNK, LUA_TFUNCTION);
    name = luaL_optstring(L, NAME, "=(load)");
  }
  if (!strchr(luaL_optstring(L, MODE, "bt"), 't')) {
    return refused(L, "load: only source text is loaded; leave the mode away");
  }
  // By these names budgets and tracebacks know what comes with Moonpeer.
  if (strncmp(name, "=moonpeer.", 10) == 0) return refused(L, "load: names that start with =moonpeer. are taken");
  lua_settop(L, ENVIRONMENT);
  lua_pushnil(L);
  if (lua_load(L, read_piece, &r, name, "t") != LUA_OK) {
    luaL_pushfail(L);
    lua_insert(L, -2);
    return 2;
  }
  if (has_environment) {
    lua_pushvalue(L, ENVIRONMENT);
    if (!lua_setupvalue(L, -2, 1)) lua_pop(L, 1);
  }
  return 1;
}
