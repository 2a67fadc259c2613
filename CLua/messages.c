#include "internal.h"

// The message path: a hook's calls for all messages of one read, in one resume of one coroutine.

// What both ways to cut have in common; copied to the coroutine's C stack, for the caller's is gone once a hook has waited.
typedef struct { clua_receiver receiver; clua_next next; void *context; } messages_request;
typedef struct { messages_request messages; clua_decoder decoder; } decoding_request;

// One message is over and well: the next has a budget of its own. False where a budget ran out as this one ended, which
// leaving the run undoes; the next message must not pay for it. False, too, where the host should look at the clock.
static bool next_run(clua_vm *vm) {
  uint64_t epoch = atomic_load_explicit(&vm->epoch, memory_order_relaxed);
  atomic_store_explicit(&vm->epoch, epoch + 2, memory_order_release);
  atomic_signal_fence(memory_order_seq_cst);
  vm->failing = 0;
  return __builtin_expect(!vm->kill && !atomic_load_explicit(&vm->has_run_long, memory_order_relaxed), 1);
}

// next_run() for the shipped Lua, where the messages of a read are handled in a loop of its own.
static int next_run_in_lua(lua_State *L) {
  next_run(vm_of(L));
  return 0;
}

static int set_next_run(lua_State *L) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, *(clua_ref *)lua_touserdata(L, 1));
  lua_pushcfunction(L, next_run_in_lua);
  lua_setfield(L, -2, "next_run");
  return 0;
}

bool clua_set_next_run(clua_vm *vm, clua_ref table) { return clua_protected(vm, set_next_run, &table); }

// After the call that waited, or failed.
static int end_messages(lua_State *L, int status, lua_KContext context) {
  clua_settle_run(L, status, context);
  return status == LUA_OK || status == LUA_YIELD ? 0 : 1;
}

enum { HANDLER = 1, REQUEST, FUNCTION, FIRST, SECOND, DECODE, VIEW, REFUSE };

static void push_receiver(lua_State *L, clua_vm *vm, const clua_receiver *receiver) {
  lua_rawgeti(L, LUA_REGISTRYINDEX, receiver->function);
  lua_rawgeti(L, LUA_REGISTRYINDEX, receiver->first);
  lua_rawgeti(L, LUA_REGISTRYINDEX, receiver->second);
  vm->handle = receiver->pointer ? lua_topointer(L, SECOND) : NULL;
  vm->handle_tag = receiver->tag;
  vm->handle_pointer = receiver->pointer;
}

void clua_forget_handle(clua_vm *vm) { vm->handle = NULL; }

static void push_call(lua_State *L) {
  lua_pushvalue(L, FUNCTION);
  lua_pushvalue(L, FIRST);
  lua_pushvalue(L, SECOND);
}

static int messages_body(lua_State *L) {
  messages_request request = *(messages_request *)lua_touserdata(L, REQUEST);
  clua_vm *vm = vm_of(L);
  lua_KContext thread = (lua_KContext)vm->current;
  push_receiver(L, vm, &request.receiver);
  const void *bytes;
  size_t count;
  while (request.next(request.context, &bytes, &count)) {
    push_call(L);
    lua_pushlstring(L, bytes, count);  // fails for want of memory only, which asks no handler
    int status = lua_pcallk(L, 3, 0, HANDLER, thread, end_messages);
    if (__builtin_expect(status != LUA_OK, 0)) return end_messages(L, status, thread);
    if (!next_run(vm)) break;
  }
  return 0;
}

enum verdict { IS_MESSAGE, NEEDS_MORE, IS_WRONG };

// What a decoder returned: the message and the count are the two topmost values.
static enum verdict judge(lua_State *L, size_t available, int64_t max, size_t *amount) {
  bool is_message = !lua_isnil(L, -2), has_count = lua_isinteger(L, -1);
  lua_Integer count = has_count ? lua_tointeger(L, -1) : (lua_Integer)available + 1;
  if (count > max || !(has_count || (!is_message && lua_isnil(L, -1)))) return IS_WRONG;
  *amount = (size_t)count;
  if (is_message) return count >= 1 && (size_t)count <= available ? IS_MESSAGE : IS_WRONG;
  return count > 0 && (size_t)count > available ? NEEDS_MORE : IS_WRONG;
}

// refuse(second, available, ok, message, count) raises, and says why.
static int refuse(lua_State *L, size_t available, bool is_ok, lua_KContext thread) {
  if (!is_ok) lua_pushnil(L);
  lua_pushvalue(L, REFUSE);
  lua_pushvalue(L, SECOND);
  lua_pushinteger(L, (lua_Integer)available);
  lua_pushboolean(L, is_ok);
  lua_rotate(L, -6, 4);
  int status = lua_pcallk(L, 5, 0, HANDLER, thread, end_messages);
  return status == LUA_OK ? 0 : end_messages(L, status, thread);
}

static int decoding_body(lua_State *L) {
  decoding_request request = *(decoding_request *)lua_touserdata(L, REQUEST);
  clua_vm *vm = vm_of(L);
  lua_KContext thread = (lua_KContext)vm->current;
  void *context = request.messages.context;
  push_receiver(L, vm, &request.messages.receiver);
  lua_rawgeti(L, LUA_REGISTRYINDEX, request.decoder.decode);
  lua_rawgeti(L, LUA_REGISTRYINDEX, vm->view.ref);
  // All of them now: a decoder that ends its connection has the references let go of.
  lua_rawgeti(L, LUA_REGISTRYINDEX, request.decoder.refuse);
  const void *bytes;
  size_t available, amount;
  while (request.messages.next(context, &bytes, &available)) {
    push_call(L);
    lua_pushvalue(L, DECODE);
    lua_pushvalue(L, VIEW);
    clua_set_view(vm, bytes, available);
    // No continuation: what a decoder looks at is gone once control returns to the loop, so nothing in it can wait.
    int status = lua_pcall(L, 1, 2, 0);
    clua_clear_view(vm);
    // A budget's end is the run's, not a mistake in the bytes.
    if (__builtin_expect(vm->kill || status == LUA_ERRMEM, 0)) {
      if (status != LUA_OK) return end_messages(L, status, thread);
      break;
    }
    if (__builtin_expect(status != LUA_OK, 0)) return refuse(L, available, false, thread);
    switch (judge(L, available, request.decoder.max, &amount)) {
    case IS_MESSAGE: break;
    case NEEDS_MORE: request.decoder.expect(context, amount); return 0;
    case IS_WRONG: return refuse(L, available, true, thread);
    }
    lua_pop(L, 1);
    // A decoder may have ended its own connection; nothing reaches the hook after that.
    if (!request.decoder.take(context, amount)) return 0;
    status = lua_pcallk(L, 3, 0, HANDLER, thread, end_messages);
    if (__builtin_expect(status != LUA_OK, 0)) return end_messages(L, status, thread);
    if (!next_run(vm)) break;
  }
  return 0;
}

static enum clua_status start(clua_thread *thread, lua_CFunction body, void *request) {
  if (thread->state != CLUA_IDLE) {
    return clua_misused(thread, "messages were delivered to a thread that is in the middle of a run");
  }
  lua_settop(thread->L, 0);
  lua_pushcfunction(thread->L, body);
  lua_pushcfunction(thread->L, clua_note_raise);
  lua_pushlightuserdata(thread->L, request);
  enum clua_status status = clua_run(thread, 2);
  clua_forget_handle(thread->vm);
  return status;
}

enum clua_status clua_deliver(clua_thread *thread, clua_receiver receiver, clua_next next, void *context) {
  messages_request request = { receiver, next, context };
  return start(thread, messages_body, &request);
}

enum clua_status clua_deliver_decoded(
  clua_thread *thread, clua_receiver receiver, clua_next look, clua_decoder decoder, void *context) {
  if (!clua_view(thread->vm)) return CLUA_FAILED;
  decoding_request request = { { receiver, look, context }, decoder };
  return start(thread, decoding_body, &request);
}

// ---- what a delivery touches

// A state with its first frame; the main one is followed by what all share, the counts and lists of the collector first.
enum { STATE = 208, SHARED = 256, OBJECT = 64, VM_HOT = 3 * CLUA_LINE };

size_t clua_places(clua_thread *thread, clua_receiver receiver, clua_place_in_memory *places, size_t capacity) {
  clua_vm *vm = thread->vm;
  lua_State *L = vm->L;
  size_t count = 0;
  clua_place_in_memory fixed[] = {
    { vm, VM_HOT }, { thread, sizeof *thread }, { thread->L, STATE }, { L, STATE + SHARED },
    { lua_topointer(L, LUA_REGISTRYINDEX), OBJECT },
  };
  for (size_t i = 0; i < sizeof fixed / sizeof *fixed && count < capacity; i++) places[count++] = fixed[i];
  clua_ref refs[] = { receiver.function, receiver.first, receiver.second };
  if (!lua_checkstack(L, 2)) return count;
  for (size_t i = 0; i < 3 && count + 2 <= capacity; i++) {
    lua_rawgeti(L, LUA_REGISTRYINDEX, refs[i]);
    places[count++] = (clua_place_in_memory){ lua_topointer(L, -1), OBJECT };
    if (lua_getmetatable(L, -1)) {
      places[count++] = (clua_place_in_memory){ lua_topointer(L, -1), OBJECT };
      lua_pop(L, 1);
    }
    lua_pop(L, 1);
  }
  return count;
}
