#include "internal.h"

// The author's coroutines. They differ from Lua's own in two ways: a wait of the host inside one passes up through
// everyone who resumed it to the run's root, and the running thread is known, so that a budget can end it.

static lua_State *coroutine_at(lua_State *L, int index) {
  lua_State *co = lua_tothread(L, index);
  luaL_argexpected(L, co, index, "coroutine");
  return co;
}

static const char *status_of(lua_State *L, lua_State *co) {
  if (L == co) return "running";
  switch (lua_status(co)) {
  case LUA_YIELD: return "suspended";
  case LUA_OK: {
    lua_Debug info;
    if (lua_getstack(co, 0, &info)) return "normal";
    return lua_gettop(co) == 0 ? "dead" : "suspended";
  }
  default: return "dead";
  }
}

enum outcome { DONE, WAITS, RAISED };

// Runs co, which has its arguments on its stack already, and moves what it yields, returns or raises to L.
static enum outcome step(lua_State *L, lua_State *co, int arguments, int *results) {
  clua_vm *vm = vm_of(L);
  bool chain = vm->chain_yields;
  vm->chain_yields = chain && lua_isyieldable(L);
  vm->running = co;
  if (vm->kill) clua_arm(vm);
  vm->is_parking = false;
  int status = lua_resume(co, L, arguments, results);
  vm->running = L;
  vm->chain_yields = chain;
  // A budget that ended co must end its resumer too: hooks belong to one thread each.
  if (vm->kill) clua_arm(vm);
  if (status == LUA_YIELD && vm->is_parking) return WAITS;
  if (status == LUA_OK || status == LUA_YIELD) {
    if (!lua_checkstack(L, *results + 1)) {
      lua_pop(co, *results);
      lua_pushliteral(L, "too many results to resume");
      return RAISED;
    }
    lua_xmove(co, L, *results);
    return DONE;
  }
  lua_xmove(co, L, 1);
  return RAISED;
}

// The arguments from `first` on go to co; false with a message on L when it cannot be resumed.
static bool hand_over(lua_State *L, lua_State *co, int count) {
  int status = lua_status(co);
  if ((status != LUA_OK && status != LUA_YIELD) || (status == LUA_OK && lua_gettop(co) == 0) || co == L) {
    lua_pop(L, count);
    lua_pushfstring(L, "cannot resume %s coroutine", co == L ? "non-suspended" : "dead");
    return false;
  }
  lua_Debug info;
  if (status == LUA_OK && lua_getstack(co, 0, &info)) {
    lua_pop(L, count);
    lua_pushliteral(L, "cannot resume non-suspended coroutine");
    return false;
  }
  if (!lua_checkstack(co, count)) {
    lua_pop(L, count);
    lua_pushliteral(L, "too many arguments to resume");
    return false;
  }
  lua_xmove(L, co, count);
  // Whoever is resumed by the script must not find an answer that was meant for a parked call.
  vm_of(L)->answer = NULL;
  return true;
}

static int resume_answered(lua_State *L, int status, lua_KContext context);

static int resume_with(lua_State *L, lua_State *co, int arguments) {
  int results = 0;
  switch (step(L, co, arguments, &results)) {
  case WAITS: return lua_yieldk(L, 0, 0, resume_answered);
  case RAISED:
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
  default:
    lua_pushboolean(L, 1);
    lua_insert(L, -(results + 1));
    return results + 1;
  }
}

static int resume_answered(lua_State *L, int status, lua_KContext context) {
  (void)status;
  (void)context;
  if (!vm_of(L)->answer) return luaL_error(L, "cannot resume a coroutine that waits for the host: it goes on by itself");
  return resume_with(L, coroutine_at(L, 1), 0);
}

static int co_resume(lua_State *L) {
  lua_State *co = coroutine_at(L, 1);
  int count = lua_gettop(L) - 1;
  if (!hand_over(L, co, count)) {
    lua_pushboolean(L, 0);
    lua_insert(L, -2);
    return 2;
  }
  return resume_with(L, co, count);
}

static int wrap_answered(lua_State *L, int status, lua_KContext context);

static int wrap_raise(lua_State *L, lua_State *co) {
  int status = lua_status(co);
  if (status != LUA_OK && status != LUA_YIELD) {
    status = lua_resetthread(co);
    if (status != LUA_OK && lua_gettop(co) > 0) {
      lua_pop(L, 1);
      lua_xmove(co, L, 1);
    }
  }
  if (status != LUA_ERRMEM && lua_type(L, -1) == LUA_TSTRING) {
    luaL_where(L, 1);
    lua_insert(L, -2);
    lua_concat(L, 2);
  }
  return lua_error(L);
}

static int wrap_with(lua_State *L, lua_State *co, int arguments) {
  int results = 0;
  switch (step(L, co, arguments, &results)) {
  case WAITS: return lua_yieldk(L, 0, 0, wrap_answered);
  case RAISED: return wrap_raise(L, co);
  default: return results;
  }
}

static int wrap_answered(lua_State *L, int status, lua_KContext context) {
  (void)status;
  (void)context;
  if (!vm_of(L)->answer) return luaL_error(L, "cannot resume a coroutine that waits for the host: it goes on by itself");
  return wrap_with(L, lua_tothread(L, lua_upvalueindex(1)), 0);
}

static int wrapped(lua_State *L) {
  lua_State *co = lua_tothread(L, lua_upvalueindex(1));
  int count = lua_gettop(L);
  if (!hand_over(L, co, count)) return wrap_raise(L, co);
  return wrap_with(L, co, count);
}

static int co_create(lua_State *L) {
  luaL_checktype(L, 1, LUA_TFUNCTION);
  lua_State *co = lua_newthread(L);
  lua_pushvalue(L, 1);
  lua_xmove(L, co, 1);
  return 1;
}

static int co_wrap(lua_State *L) {
  co_create(L);
  lua_pushcclosure(L, wrapped, 1);
  return 1;
}

static int co_yield(lua_State *L) {
  clua_vm *vm = vm_of(L);
  if (!vm->current || vm->current->L == L) {
    return luaL_error(L, "coroutine.yield outside a coroutine: to wait in a hook, call what waits (node:sleep, conn:receive)");
  }
  vm->is_parking = false;
  return lua_yield(L, lua_gettop(L));
}

static int co_status(lua_State *L) {
  lua_pushstring(L, status_of(L, coroutine_at(L, 1)));
  return 1;
}

static int co_isyieldable(lua_State *L) {
  lua_State *co = lua_isnone(L, 1) ? L : coroutine_at(L, 1);
  clua_vm *vm = vm_of(L);
  lua_pushboolean(L, lua_isyieldable(co) && !(vm->current && vm->current->L == co));
  return 1;
}

static int co_running(lua_State *L) {
  clua_vm *vm = vm_of(L);
  lua_pushthread(L);
  lua_pushboolean(L, !vm->current || vm->current->L == L);
  return 2;
}

static int co_close(lua_State *L) {
  lua_State *co = coroutine_at(L, 1);
  const char *status = status_of(L, co);
  if (status[0] != 'd' && status[0] != 's') return luaL_error(L, "cannot close a %s coroutine", status);
  clua_vm *vm = vm_of(L);
  bool chain = vm->chain_yields;
  vm->chain_yields = false;
  vm->running = co;
  int outcome = lua_resetthread(co);
  vm->running = L;
  vm->chain_yields = chain;
  if (outcome == LUA_OK) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushboolean(L, 0);
  lua_xmove(co, L, 1);
  return 2;
}

void clua_open_coroutines(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "create", co_create }, { "resume", co_resume }, { "wrap", co_wrap }, { "yield", co_yield },
    { "status", co_status }, { "isyieldable", co_isyieldable }, { "running", co_running }, { "close", co_close },
    { NULL, NULL },
  };
  luaL_newlib(L, functions);
  lua_setglobal(L, LUA_COLIBNAME);
}
