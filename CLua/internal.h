#ifndef CLUA_INTERNAL_H
#define CLUA_INTERNAL_H

#include "CLua.h"
#include "sanitizers.h"

#include <lauxlib.h>
#include <lua.h>
#include <lualib.h>
#include <pthread.h>
#include <stdatomic.h>
#include <stdint.h>
#include <sys/types.h>

enum { CLUA_LINE = 64 };  // bytes of a cache line

enum clua_kill { CLUA_KILL_NONE = 0, CLUA_KILL_TIME, CLUA_KILL_MEMORY, CLUA_KILL_ENDED };

// What a parked native call is answered with.
typedef struct clua_answer {
  const clua_pack *values;
  bool raises;
} clua_answer;

typedef struct clua_bytes_view {
  const uint8_t *bytes;
  size_t count;
  void *handle;  // the userdata that stands for it; NULL until it is first asked for
  clua_ref ref;
} clua_bytes_view;

// What every run touches comes first, on as few cache lines as it takes: of a thousand VMs in a process each is cold.
struct clua_vm {
  _Alignas(CLUA_LINE) lua_State *L;
  void *context;
  clua_thread *current;         // the run that executes now
  lua_State *running;           // the innermost Lua thread that executes now
  // Odd while Lua runs; changes with every run. Shared with the watchdog, as are all that are atomic.
  _Atomic uint64_t epoch;
  volatile int kill;            // enum clua_kill
  _Atomic pid_t thread;
  bool chain_yields;            // every resumer between the run's root and the running thread can be yielded through
  bool is_parking;              // the yield under way is a native's park, not an author's yield
  bool is_pushing;
  bool is_view_of_run;
  bool is_enforcing;
  bool is_closing;              // the state is being freed: finalizers may still run, natives may not
  uint32_t handle_tag;
  // The handle that the messages under way are delivered with, and what natives find by it; NULL for none. The handle is
  // on the run's stack as long as it stands here, so that no other table can come to have its address.
  const void *handle;

  void *handle_pointer;
  size_t used, peak, limit;
  size_t failing;               // the size of the allocation that was refused last
  clua_bytes_view view;

  size_t collected;             // what was in use after the last collection to make room for a buffer
  const clua_answer *answer;    // for the parked call that is being resumed
  clua_pack outgoing, bytes;
  clua_pack pushed;             // the outgoing values while they are pushed
  int closing_depth;            // coroutine.close inside __close handlers; Lua does not count that C recursion itself

  clua_failure failure;
  clua_pack raise_trace;        // taken where the error was raised that a run is about to end with
  char raise_place[160];
  clua_ref object_metatable, error_metatable;
  const void *unfilled;         // the metatable of `math` while that is empty
  clua_ref pristine;            // the globals of the shipped Lua

  _Atomic uint64_t time_limit;
  bool is_watched;
  _Atomic uint64_t kill_epoch;  // the run that is over its time
  _Atomic bool has_run_long;    // the watchdog has seen it run: whoever handles many messages should look at the clock
  uint64_t signaled_epoch;      // the run that was told of it last, and how often
  unsigned signals;
  int grace;                    // instructions the shipped Lua may still run once the run is over its budget
  bool has_kill_place;
  char kill_place[160];
  clua_pack kill_trace;
  uint64_t seen_epoch, seen_at; // the watchdog's own
  clua_vm *next;
};

// The extra space of a Lua thread holds its VM, and in the sixteen bits that no address of a program's has what is special
// about the thread. (Not in low bits: VMs that all lie at round addresses have the same places in the caches.)
#define CLUA_MARK(bits) ((uintptr_t)(bits) << 48)
#define CLUA_WAITS CLUA_MARK(1)   // a native inside it has parked: the host resumes it, nobody else may
#define CLUA_KILLED CLUA_MARK(2)  // ended by a budget. Lua leaves such a thread with its hooks off, so nothing may run in it again.
#define CLUA_HOSTS CLUA_MARK(4)   // runs happen in it: a script can name it, and neither resume nor close it, at any time
#define CLUA_PCALL CLUA_MARK(8)   // how many calls of pcall and xpcall are under way in it, times this
#define CLUA_PCALLS (255 * CLUA_PCALL)
#define CLUA_MARKS CLUA_MARK(0xffff)

static inline uintptr_t *clua_extra(lua_State *L) { return (uintptr_t *)lua_getextraspace(L); }
static inline clua_vm *vm_of(lua_State *L) { return (clua_vm *)(*clua_extra(L) & ~CLUA_MARKS); }
// No pcall is under way in it. A new thread has what the main one has, and one that was reset left them without an end.
static inline void clua_forget_pcalls(lua_State *L) { *clua_extra(L) &= ~CLUA_PCALLS; }

// value.c
int clua_push_all(lua_State *L, const clua_pack *pack);
void clua_pack_text(clua_pack *pack, const char *text, size_t count);
void clua_pack_append(clua_pack *pack, const char *text, size_t count);
// What is read out already: a large one is given back, which script_memory does not count.
static inline void clua_trim(clua_pack *pack) {
  enum { KEPT = 64 << 10 };
  if (__builtin_expect(pack->capacity > KEPT, 0)) clua_pack_free(pack);
}

// call.c: runs body(L, argument) with everything it raises caught; false puts the failure into vm->failure
bool clua_protected(clua_vm *vm, lua_CFunction body, void *argument);

// failure.c
int clua_note_raise(lua_State *L);  // the message handler of every run
void clua_describe(clua_vm *vm, lua_State *from, int status);
void clua_fail(clua_vm *vm, const char *text);
void clua_failure_free(clua_failure *failure);

// trace.c: none of these allocates in Lua, so they work where memory has run out
void clua_trace(lua_State *L, int level, clua_pack *text);
size_t clua_place(lua_State *L, int level, char *buffer, size_t capacity);

// thread.c
typedef struct clua_frame {
  clua_thread *current;
  lua_State *running;
  // Of a VM's first run on the thread: whose it is, and that of the VM one of whose natives began it; NULL for none.
  clua_vm *vm;
  const struct clua_frame *outer;
  bool chain_yields;
} clua_frame;
void clua_enter(clua_vm *vm, clua_thread *thread, lua_State *L, clua_frame *frame);
void clua_leave(clua_vm *vm, const clua_frame *frame);
// Resumes the coroutine with the topmost values, the first of which is the function where it was idle.
enum clua_status clua_run(clua_thread *thread, int arguments);
// What the call of a run's code ended with; the context is the clua_thread.
int clua_settle_run(lua_State *L, int status, lua_KContext context);
enum clua_status clua_misused(clua_thread *thread, const char *text);

// function.c, coroutine.c: called protected, while the VM is opened
void clua_open_objects(clua_vm *vm, lua_State *L);
void clua_open_coroutines(lua_State *L);
lua_State *clua_resumed_by(lua_State *L);
void clua_open_libraries(lua_State *L, bool trusted);
int clua_load_text(lua_State *L);
void clua_open_bounded(lua_State *L);
void clua_open_unfilled(lua_State *L);
void clua_fill(lua_State *L, int index);
void clua_open_pristine(clua_vm *vm, lua_State *L);
// As lua_setmetatable for the table below the top, without a finalizer.
void clua_set_metatable(lua_State *L);
int clua_trampoline(lua_State *L);
int clua_answer_native(lua_State *L, int status, lua_KContext context);

// blocks.c
void clua_open_blocks(void);
void clua_free_block(void *block, size_t size);
void *clua_resize_block(void *block, size_t old_size, size_t size, size_t used);

// budget.c
void *clua_allocate(void *vm, void *block, size_t old_size, size_t new_size);
void clua_arm(clua_vm *vm);
bool clua_is_armed(const clua_vm *vm);
// For C code that looks at vm->kill itself: raises what the hook would.
void clua_stop_over_budget(lua_State *L);
static inline void clua_look_at_budget(lua_State *L) {
  if (__builtin_expect(vm_of(L)->kill, 0)) clua_stop_over_budget(L);
}
void clua_disarm(clua_vm *vm, lua_State *L);

// watchdog.c
void clua_watch(clua_vm *vm);
void clua_unwatch(clua_vm *vm);
pid_t clua_this_thread(void);
void clua_begin_on_thread(clua_vm *vm, clua_frame *frame);
void clua_end_on_thread(const clua_frame *frame);

#endif
