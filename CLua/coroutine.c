#include "internal.h"

// The author's coroutines. They differ from Lua's own in two ways: a wait of the host inside one passes up through
// everyone who resumed it to the run's root, and the running thread is known, so that a budget can end it.

// The main thread, or the thread a run started in: not a coroutine to the author.
static bool is_root(lua_State *L) {
  clua_vm *vm = vm_of(L);
  return L == vm->L || (vm->current && vm->current->L == L);
}

static lua_State *coroutine_at(lua_State *L, int index) {
  lua_State *co = lua_tothread(L, index);
  luaL_argexpected(L, co, index, "coroutine");
  return co;
}

static const char *status_of(lua_State *L, lua_State *co) {
  if (L == co) return "running";
  // What a hook ran in serves another one later: whoever kept it must not get into that one's way.
  if (co == vm_of(L)->L || (*clua_extra(co) & CLUA_HOSTS)) return "normal";
  // Seen from elsewhere, one that waits for the host is in a call: it can be neither resumed nor closed.
  if (*clua_extra(co) & CLUA_WAITS) return "normal";
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

static bool is_error(int status) { return status != LUA_OK && status != LUA_YIELD; }

// Runs co, which has its arguments on its stack already, and moves what it yields, returns or raises to L.
static enum outcome step(lua_State *L, lua_State *co, int arguments, int *results) {
  clua_vm *vm = vm_of(L);
  bool chain = vm->chain_yields;
  vm->chain_yields = chain && lua_isyieldable(L);
  vm->running = co;
  if (vm->kill) clua_arm(vm);
  vm->is_parking = false;
  *clua_extra(co) &= ~CLUA_WAITS;
  int status = lua_resume(co, L, arguments, results);
  vm->running = L;
  vm->chain_yields = chain;
  // A budget that ended co must end its resumer too: hooks belong to one thread each.
  if (vm->kill) {
    clua_arm(vm);
    if (is_error(status)) *clua_extra(co) |= CLUA_KILLED;
  }
  if (status == LUA_YIELD && vm->is_parking) {
    *clua_extra(co) |= CLUA_WAITS;
    return WAITS;
  }
  if (!is_error(status)) {
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

// Runs co's pending <close> handlers and makes it dead. Lua 5.4.4 counts C calls anew in each thread, so that handlers
// that close coroutines in turn would run into the end of the C stack: counted here. The handlers' error is left on co.
static int close_down(lua_State *L, lua_State *co) {
  clua_vm *vm = vm_of(L);
  if (vm->closing_depth >= 100) return luaL_error(L, "C stack overflow: coroutines that close each other");
  bool chain = vm->chain_yields;
  vm->chain_yields = false;
  vm->running = co;
  vm->closing_depth++;
  int status = lua_resetthread(co);
  vm->closing_depth--;
  vm->running = L;
  vm->chain_yields = chain;
  if (vm->kill) {
    clua_arm(vm);
    if (status != LUA_OK) *clua_extra(co) |= CLUA_KILLED;
  }
  return status;
}

// The arguments from `first` on go to co; false with a message on L when it cannot be resumed.
static bool hand_over(lua_State *L, lua_State *co, int count) {
  const char *status = status_of(L, co);
  if (status[0] != 's') {
    lua_pop(L, count);
    lua_pushfstring(L, "cannot resume %s coroutine", status[0] == 'd' ? "dead" : "non-suspended");
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

// Only the host goes on with a coroutine that waits for it.
static void need_answer(lua_State *L) {
  if (!vm_of(L)->answer) luaL_error(L, "cannot resume a coroutine that waits for the host: it goes on by itself");
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
  need_answer(L);
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
  if (is_error(status) && !(*clua_extra(co) & CLUA_KILLED)) {
    status = close_down(L, co);
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
  need_answer(L);
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
  clua_forget_pcalls(co);
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
  if (is_root(L)) {
    return luaL_error(L, "coroutine.yield outside a coroutine: to wait in a hook, call what waits (node:sleep, conn:receive)");
  }
  vm_of(L)->is_parking = false;
  return lua_yield(L, lua_gettop(L));
}

static int co_status(lua_State *L) {
  lua_pushstring(L, status_of(L, coroutine_at(L, 1)));
  return 1;
}

static int co_isyieldable(lua_State *L) {
  lua_State *co = lua_isnone(L, 1) ? L : coroutine_at(L, 1);
  lua_pushboolean(L, lua_isyieldable(co) && !is_root(co));
  return 1;
}

static int co_running(lua_State *L) {
  lua_pushthread(L);
  lua_pushboolean(L, is_root(L));
  return 2;
}

static int co_close(lua_State *L) {
  lua_State *co = coroutine_at(L, 1);
  const char *status = status_of(L, co);
  if (status[0] != 'd' && status[0] != 's') return luaL_error(L, "cannot close a %s coroutine", status);
  if (*clua_extra(co) & CLUA_KILLED) {
    lua_pushboolean(L, 0);
    lua_pushliteral(L, "the coroutine ran over its budget");
    return 2;
  }
  int outcome = close_down(L, co);
  if (outcome == LUA_OK) {
    lua_pushboolean(L, 1);
    return 1;
  }
  lua_pushboolean(L, 0);
  lua_xmove(co, L, 1);
  return 2;
}

// The coroutine that a waiting thread has resumed and waits for; NULL where it waits itself.
lua_State *clua_resumed_by(lua_State *L) {
  lua_Debug info;
  lua_State *co = NULL;
  if (lua_status(L) != LUA_YIELD || !lua_getstack(L, 0, &info) || !lua_checkstack(L, 2)) return NULL;
  lua_getinfo(L, "f", &info);
  lua_CFunction function = lua_tocfunction(L, -1);
  if (function == co_resume && lua_getlocal(L, &info, 1)) {
    co = lua_tothread(L, -1);
    lua_pop(L, 1);
  } else if (function == wrapped && lua_getupvalue(L, -1, 1)) {
    co = lua_tothread(L, -1);
    lua_pop(L, 1);
  }
  lua_pop(L, 1);
  return co;
}

void clua_open_coroutines(lua_State *L) {
  static const luaL_Reg functions[] = {
    { "create", co_create }, { "resume", co_resume }, { "wrap", co_wrap }, { "yield", co_yield },
    { "status", co_status }, { "isyieldable", co_isyieldable }, { "running", co_running }, { "close", co_close },
    { NULL, NULL },
  };
  luaL_newlib(L, functions);
  // Lua's own must not be left where `package.loaded` shows it: a wait could not pass through its coroutines.
  luaL_getsubtable(L, LUA_REGISTRYINDEX, LUA_LOADED_TABLE);
  lua_pushvalue(L, -2);
  lua_setfield(L, -2, LUA_COLIBNAME);
  lua_pop(L, 1);
  lua_setglobal(L, LUA_COLIBNAME);
}
