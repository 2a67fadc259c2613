#ifndef CLUA_H
#define CLUA_H

#include <stdbool.h>
#include <stddef.h>
#include <stdint.h>

// The whole of Lua that Swift sees. lua.h stays behind it: what can raise or yield (longjmp) runs in C, below the last
// Swift frame, so it can never pass over one.

typedef struct lua_State lua_State;
typedef struct clua_vm clua_vm;

// A registry slot; 0 is none.
typedef int32_t clua_ref;

// ---- values on their way between the sides: written and read without touching Lua, so neither can raise

typedef struct clua_pack {
  uint8_t *bytes;
  size_t count, capacity;
} clua_pack;

enum clua_op {
  CLUA_OP_NIL = 1, CLUA_OP_FALSE, CLUA_OP_TRUE, CLUA_OP_INTEGER, CLUA_OP_NUMBER, CLUA_OP_BYTES, CLUA_OP_REF,
  CLUA_OP_TABLE, CLUA_OP_ERROR, CLUA_OP_ELEMENT, CLUA_OP_FIELD, CLUA_OP_END, CLUA_OP_TAKEN_REF
};

void clua_pack_op(clua_pack *pack, enum clua_op op);
void clua_pack_integer(clua_pack *pack, int64_t value);
void clua_pack_number(clua_pack *pack, double value);
void clua_pack_bytes(clua_pack *pack, const void *bytes, size_t count);
void clua_pack_ref(clua_pack *pack, clua_ref ref);
void clua_pack_taken_ref(clua_pack *pack, clua_ref ref);  // released once it is pushed
static inline void clua_pack_clear(clua_pack *pack) { pack->count = 0; }
void clua_pack_free(clua_pack *pack);

// ---- natives: C calls them, they answer with a verdict, and C pushes, raises or yields after they have returned

enum clua_verdict { CLUA_NONE = 0, CLUA_TRUE = 1, CLUA_RETURN_BYTES = 2, CLUA_RETURN = 3, CLUA_PARK = 4, CLUA_RAISE = 5 };
typedef int32_t (*clua_native)(lua_State *L);

void *clua_context(lua_State *L);
// What CLUA_RETURN and CLUA_RAISE read: values, or one error table. Taken empty and put back written, because a
// finalizer that runs while it is written may be a native too.
clua_pack clua_take_outgoing(lua_State *L);
void clua_put_outgoing(lua_State *L, clua_pack pack);
// What CLUA_RETURN_BYTES pushes; a copy is taken, because the source may go before the push.
void clua_return_bytes(lua_State *L, const void *bytes, size_t count);
// `file:line: ` of the Lua code that called the native, into a buffer; its length.
size_t clua_where(lua_State *L, int level, char *buffer, size_t capacity);
// "file:line" where the function at index is written; 0 for one that is no script's.
size_t clua_written_at(lua_State *L, int index, char *buffer, size_t capacity);
bool clua_can_park(lua_State *L);

enum clua_type { CLUA_TNONE = -1, CLUA_TNIL, CLUA_TBOOLEAN, CLUA_TLIGHT, CLUA_TNUMBER, CLUA_TSTRING, CLUA_TTABLE,
                 CLUA_TFUNCTION, CLUA_TUSERDATA, CLUA_TTHREAD };
int clua_top(lua_State *L);
int clua_type(lua_State *L, int index);
const char *clua_type_name(lua_State *L, int index);
const char *clua_bytes(lua_State *L, int index, size_t *count);      // strings only; NULL otherwise
bool clua_integer(lua_State *L, int index, int64_t *value);          // numbers with an integer value only
bool clua_number(lua_State *L, int index, double *value);            // numbers only
bool clua_boolean(lua_State *L, int index);
void *clua_object(lua_State *L, int index, uint32_t tag);            // an object, or a table that carries one at [1]
// The object at 1 and the string at 2, in one call: what the message path asks for.
bool clua_object_and_bytes(lua_State *L, uint32_t tag, void **pointer, const char **bytes, size_t *count);
clua_ref clua_ref_of(lua_State *L, int index);                       // 0 when there is no memory; below it for nil
// Plain data at index into pack; false with the reason (and the path to the offender) in `problem`.
bool clua_pack_value(lua_State *L, int index, clua_pack *pack, char *problem, size_t capacity);

// ---- the VM

typedef struct clua_limits {
  size_t memory;        // bytes; 0 = none
  uint64_t time;        // nanoseconds of one uninterrupted run; 0 = none
} clua_limits;

clua_vm *clua_open(clua_limits limits, bool trusted, void *context);
// From now on: a run that is under way is measured by them too.
void clua_set_limits(clua_vm *vm, clua_limits limits);
void clua_close(clua_vm *vm);
size_t clua_memory_used(const clua_vm *vm);
size_t clua_memory_peak(const clua_vm *vm);
// What the VM keeps beside that, for what natives answer.
size_t clua_buffered(const clua_vm *vm);
// What the process has taken for the small blocks of all its VMs, so far.
size_t clua_small_blocks_reserved(void);
bool clua_is_running(const clua_vm *vm);
// Whether the watchdog, which looks a few times in a budget, has seen it run since that was forgotten last: only then,
// and after many messages, is the clock worth a look.
bool clua_has_run_long(const clua_vm *vm);
void clua_forget_long_run(clua_vm *vm);
// Ends the run under way as a budget does: no pcall holds it up. For runs that were told to end and do not.
void clua_end_run(clua_vm *vm);
void clua_collect(clua_vm *vm);
const char *clua_version(void);

// Each of these is protected: false or 0 means the failure is in clua_failure.
clua_ref clua_load(clua_vm *vm, const char *text, size_t count, const char *chunk_name);
// Source text as a binary chunk without debug information but for its name; and a binary chunk that this process made.
bool clua_compile(clua_vm *vm, const char *text, size_t count, const char *chunk_name, clua_pack *compiled);
// A loaded chunk as a binary one, with all its debug information.
bool clua_dump(clua_vm *vm, clua_ref function, clua_pack *compiled);
clua_ref clua_load_compiled(clua_vm *vm, const void *bytes, size_t count, const char *chunk_name);
clua_ref clua_new_table(clua_vm *vm);
clua_ref clua_field(clua_vm *vm, clua_ref table, const char *name);  // 0 for nil
bool clua_set_field(clua_vm *vm, clua_ref table, const char *name, const clua_pack *value);
// unyielding(function, ...) for the shipped Lua: a pcall inside which nothing can park.
bool clua_set_unyielding(clua_vm *vm, clua_ref table);
// next_run() for the shipped Lua: what was done is over and well, and what follows has a time budget of its own.
bool clua_set_next_run(clua_vm *vm, clua_ref table);
bool clua_set_native(clua_vm *vm, clua_ref table, const char *name, clua_native function);
clua_ref clua_globals(clua_vm *vm);
// These look at a table without metamethods. The first two are false too for what is no table or has a metatable.
// The types of the fields of those names, CLUA_TNIL where there is none; false where it has any other key.
bool clua_outline(clua_vm *vm, clua_ref table, const char *const *names, size_t count, int8_t *types);
// The keys, as values; false where one is no string or stands for no function.
bool clua_functions(clua_vm *vm, clua_ref table, clua_pack *names);
bool clua_has_metatable(clua_vm *vm, clua_ref value, clua_ref meta);
clua_ref clua_copy_table(clua_vm *vm, clua_ref table);
bool clua_call(clua_vm *vm, clua_ref function, const clua_pack *arguments, clua_pack *results, clua_ref *first);
bool clua_pack_ref_value(clua_vm *vm, clua_ref ref, clua_pack *pack);
void clua_release(clua_vm *vm, clua_ref ref);

typedef struct clua_object_box {
  struct clua_object_box *self;  // what no other userdata has: how an object is recognised
  uint32_t tag;
  void *pointer;
} clua_object_box;
clua_ref clua_new_object(clua_vm *vm, uint32_t tag, clua_object_box **box);

// ---- failures

enum clua_failure_kind { CLUA_FAIL_RUNTIME = 0, CLUA_FAIL_SYNTAX, CLUA_FAIL_TIME, CLUA_FAIL_MEMORY };
typedef struct clua_failure {
  enum clua_failure_kind kind;
  clua_pack message;     // raw text, not ops
  clua_pack traceback;   // raw text
  clua_pack value;       // ops: the error value where it is plain data; empty otherwise
  clua_ref ref;          // the error value itself; the taker releases it
  char place[160];       // `file:line: ` of the author's line it was raised at, whatever the message says; may be empty
} clua_failure;
clua_failure *clua_failure_of(clua_vm *vm);

// ---- threads: pooled coroutines that runs happen in

enum clua_thread_state { CLUA_IDLE = 0, CLUA_RUNNING, CLUA_WAITING };

typedef struct clua_thread {
  clua_vm *vm;
  lua_State *L;
  clua_ref ref;
  int results;
  int failure;                    // the status a run ended with, where it raised
  enum clua_thread_state state;
  void *host;
} clua_thread;

enum clua_status { CLUA_FINISHED = 0, CLUA_PARKED = 1, CLUA_FAILED = 2 };

clua_thread *clua_thread_new(clua_vm *vm, void *host);
void clua_thread_free(clua_thread *thread);
clua_thread *clua_current(const clua_vm *vm);
enum clua_status clua_start(clua_thread *thread, clua_ref function, const clua_pack *arguments);
// Calls function(first, second, message) for each message `next` gives, as one resume of the coroutine but a run each for
// the budget. A call that waits ends the series: the messages after it are not asked for.
typedef bool (*clua_next)(void *context, const void **bytes, size_t *count);
// What is called with each message. `second` carries an object of that tag, which points to `pointer` until
// clua_forget_handle: natives find it without a look into the table.
typedef struct clua_receiver { clua_ref function, first, second; uint32_t tag; void *pointer; } clua_receiver;
enum clua_status clua_deliver(clua_thread *thread, clua_receiver receiver, clua_next next, void *context);
// Where delivering to it begins in memory, for the processor to fetch: at most `capacity` places; how many there are.
typedef struct clua_place_in_memory { const void *address; size_t count; } clua_place_in_memory;
size_t clua_places(clua_thread *thread, clua_receiver receiver, clua_place_in_memory *places, size_t capacity);
// An object's pointer has changed.
void clua_forget_handle(clua_vm *vm);
// The same with a decoder written in Lua, decode(view) → nil | nil, need | message, taken: `next` gives all that has
// arrived, `take` removes so many bytes and says whether the message may reach the hook, `expect` hears how many are
// needed in all. What a decoder must not return, or raises, goes to refuse(second, available, ok, message, taken), which raises.
typedef struct clua_decoder {
  clua_ref decode, refuse;
  int64_t max;
  bool (*take)(void *context, size_t count);
  void (*expect)(void *context, size_t total);
} clua_decoder;
enum clua_status clua_deliver_decoded(
  clua_thread *thread, clua_receiver receiver, clua_next look, clua_decoder decoder, void *context);
enum clua_status clua_resume(clua_thread *thread, const clua_pack *values);
enum clua_status clua_resume_raising(clua_thread *thread, const clua_pack *error);
// Ends what the thread was doing (pending <close> handlers run) and makes it ready for another run.
void clua_abandon(clua_thread *thread);
bool clua_result(clua_thread *thread, int index, clua_pack *pack, char *problem, size_t capacity);
clua_ref clua_result_ref(clua_thread *thread, int index);
void clua_stack(clua_thread *thread, clua_pack *text);

// ---- the view a decoder looks through

void clua_set_view(clua_vm *vm, const void *bytes, size_t count);
void clua_clear_view(clua_vm *vm);
clua_ref clua_view(clua_vm *vm);  // 0 when there is no memory

#endif
