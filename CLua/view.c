#define _GNU_SOURCE
#include "internal.h"

#include <string.h>

// The view a hand-written decoder looks through: what has arrived, in place. Positions count from 1; past the end
// there is nil, so that "need more" is one comparison away.

static const clua_bytes_view *view_at(lua_State *L) {
  const clua_bytes_view *box = &vm_of(L)->view;
  if (!box->handle || lua_touserdata(L, 1) != box->handle) luaL_error(L, "a buffer is expected: call its methods with a colon");
  if (!box->bytes) luaL_error(L, "the buffer is only valid during the decode call it was given to");
  return box;
}

static const uint8_t *bytes_at(lua_State *L, size_t count) {
  const clua_bytes_view *box = view_at(L);
  lua_Integer index = luaL_checkinteger(L, 2);
  if (index < 1) luaL_error(L, "a buffer's positions count from 1, got %I", (LUAI_UACINT)index);
  if ((size_t)index - 1 > box->count || box->count - ((size_t)index - 1) < count) return NULL;
  return box->bytes + index - 1;
}

static uint64_t read_big(const uint8_t *p, int width) {
  uint64_t value = 0;
  for (int i = 0; i < width; i++) value = value << 8 | p[i];
  return value;
}

static uint64_t read_little(const uint8_t *p, int width) {
  uint64_t value = 0;
  for (int i = width; i-- > 0;) value = value << 8 | p[i];
  return value;
}

#define UNSIGNED(name, width, read)                                   \
  static int name(lua_State *L) {                                     \
    const uint8_t *p = bytes_at(L, width);                            \
    if (!p) return 0;                                                 \
    lua_pushinteger(L, (lua_Integer)read(p, width));                  \
    return 1;                                                         \
  }
#define SIGNED(name, width, type, read)                               \
  static int name(lua_State *L) {                                     \
    const uint8_t *p = bytes_at(L, width);                            \
    if (!p) return 0;                                                 \
    lua_pushinteger(L, (lua_Integer)(type)read(p, width));            \
    return 1;                                                         \
  }
#define FLOATING(name, type, bits, read)                              \
  static int name(lua_State *L) {                                     \
    const uint8_t *p = bytes_at(L, sizeof(type));                     \
    if (!p) return 0;                                                 \
    bits raw = (bits)read(p, (int)sizeof(type));                      \
    type value;                                                       \
    memcpy(&value, &raw, sizeof value);                               \
    lua_pushnumber(L, (lua_Number)value);                             \
    return 1;                                                         \
  }

UNSIGNED(u8, 1, read_big)
UNSIGNED(u16, 2, read_big)
UNSIGNED(u32, 4, read_big)
UNSIGNED(u64, 8, read_big)
UNSIGNED(u16le, 2, read_little)
UNSIGNED(u32le, 4, read_little)
UNSIGNED(u64le, 8, read_little)
SIGNED(i8, 1, int8_t, read_big)
SIGNED(i16, 2, int16_t, read_big)
SIGNED(i32, 4, int32_t, read_big)
SIGNED(i64, 8, int64_t, read_big)
SIGNED(i16le, 2, int16_t, read_little)
SIGNED(i32le, 4, int32_t, read_little)
SIGNED(i64le, 8, int64_t, read_little)
FLOATING(f32, float, uint32_t, read_big)
FLOATING(f64, double, uint64_t, read_big)
FLOATING(f32le, float, uint32_t, read_little)
FLOATING(f64le, double, uint64_t, read_little)

static int view_length(lua_State *L) {
  lua_pushinteger(L, (lua_Integer)view_at(L)->count);
  return 1;
}

// find(text, from?) → where it starts, or nil
static int view_find(lua_State *L) {
  const clua_bytes_view *box = view_at(L);
  size_t count;
  const char *text = luaL_checklstring(L, 2, &count);
  lua_Integer from = luaL_optinteger(L, 3, 1);
  if (from < 1 || (size_t)from - 1 > box->count) return 0;
  const uint8_t *start = box->bytes + from - 1;
  const uint8_t *end = box->bytes + box->count;
  if (count == 0) {
    lua_pushinteger(L, from);
    return 1;
  }
  const uint8_t *found = memmem(start, (size_t)(end - start), text, count);
  if (!found) return 0;
  lua_pushinteger(L, found - box->bytes + 1);
  return 1;
}

// bytes(i, n) → a string
static int view_bytes(lua_State *L) {
  lua_Integer count = luaL_checkinteger(L, 3);
  if (count < 0) return luaL_error(L, "bytes: a count of 0 or more is expected, got %I", (LUAI_UACINT)count);
  const uint8_t *p = bytes_at(L, (size_t)count);
  if (!p) return 0;
  lua_pushlstring(L, (const char *)p, (size_t)count);
  return 1;
}

static int view_starts_with(lua_State *L) {
  const clua_bytes_view *box = view_at(L);
  size_t count;
  const char *text = luaL_checklstring(L, 2, &count);
  lua_pushboolean(L, box->count >= count && memcmp(box->bytes, text, count) == 0);
  return 1;
}

static int view_name(lua_State *L) {
  lua_pushliteral(L, "buffer");
  return 1;
}

static int make_view(lua_State *L) {
  static const luaL_Reg methods[] = {
    { "u8", u8 }, { "u16", u16 }, { "u32", u32 }, { "u64", u64 }, { "u16le", u16le }, { "u32le", u32le },
    { "u64le", u64le }, { "i8", i8 }, { "i16", i16 }, { "i32", i32 }, { "i64", i64 }, { "i16le", i16le },
    { "i32le", i32le }, { "i64le", i64le }, { "f32", f32 }, { "f64", f64 }, { "f32le", f32le }, { "f64le", f64le },
    { "find", view_find }, { "bytes", view_bytes }, { "starts_with", view_starts_with }, { NULL, NULL },
  };
  void *handle = lua_newuserdatauv(L, 0, 0);
  lua_createtable(L, 0, 4);
  luaL_newlib(L, methods);
  lua_setfield(L, -2, "__index");
  lua_pushcfunction(L, view_length);
  lua_setfield(L, -2, "__len");
  lua_pushcfunction(L, view_name);
  lua_setfield(L, -2, "__tostring");
  lua_pushboolean(L, 0);
  lua_setfield(L, -2, "__metatable");
  lua_setmetatable(L, -2);
  clua_bytes_view *view = &vm_of(L)->view;
  view->ref = luaL_ref(L, LUA_REGISTRYINDEX);
  view->handle = handle;
  return 0;
}

void clua_set_view(clua_vm *vm, const void *bytes, size_t count) {
  static const uint8_t nothing = 0;
  vm->view.bytes = bytes ? bytes : &nothing;
  vm->view.count = count;
  vm->is_view_of_run = vm->running != NULL;
}

void clua_clear_view(clua_vm *vm) {
  vm->view.bytes = NULL;
  vm->view.count = 0;
}

// Made with the first look: most nodes never need it.
clua_ref clua_view(clua_vm *vm) {
  if (!vm->view.handle) clua_protected(vm, make_view, NULL);
  return vm->view.ref;
}
