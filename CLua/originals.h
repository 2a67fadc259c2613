#ifndef CLUA_ORIGINALS_H
#define CLUA_ORIGINALS_H

#include "internal.h"

// Lua's own functions that we need by address: to call them from the ones that stand in their place, and for the shipped
// Lua, which must find them whatever a script has done to its globals.
#define CLUA_ORIGINALS(X)                                                                                              \
  X(_G, error) X(_G, getmetatable) X(_G, ipairs) X(_G, next) X(_G, pairs) X(_G, rawequal) X(_G, rawget)   \
  X(_G, rawlen) X(_G, rawset) X(_G, select) X(_G, setmetatable) X(_G, tonumber) X(_G, tostring) X(_G, type)            \
  X(string, byte) X(string, char) X(string, format) X(string, len) X(string, lower) X(string, pack)                    \
  X(string, packsize) X(string, rep) X(string, reverse) X(string, sub) X(string, unpack) X(string, upper)              \
  X(table, concat) X(table, insert) X(table, pack) X(table, remove) X(table, sort) X(table, unpack)                    \
  X(math, abs) X(math, ceil) X(math, floor) X(math, fmod) X(math, max) X(math, min) X(math, tointeger) X(math, type)   \
  X(math, ult) X(utf8, char) X(utf8, codepoint) X(utf8, len) X(utf8, offset) X(os, date) X(debug, traceback)

#define CLUA_ORIGINAL_INDEX(library, name) CLUA_##library##_##name,
enum { CLUA_ORIGINALS(CLUA_ORIGINAL_INDEX) CLUA_ORIGINAL_COUNT };
#undef CLUA_ORIGINAL_INDEX

lua_CFunction clua_original(int index);
// By its name; NULL where there is none.
lua_CFunction clua_original_named(const char *library, const char *name);
// bounded.c: what stands in the place of the function of that name; NULL where it is Lua's own.
lua_CFunction clua_bounded_named(const char *library, const char *name);
// Sets those of the library whose table is on top.
void clua_set_bounded(lua_State *L, const char *library);
void clua_make_room(lua_State *L);
// catching.c
int clua_pcall(lua_State *L);
int clua_xpcall(lua_State *L);
// elements.c
int clua_concat(lua_State *L);
int clua_insert(lua_State *L);
int clua_move(lua_State *L);
int clua_remove(lua_State *L);
int clua_sort(lua_State *L);
int clua_unpack(lua_State *L);
// unfilled.c
bool clua_is_unfilled(lua_State *L, int index);

#endif
