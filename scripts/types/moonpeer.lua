---@meta
-- Generated from Sources/NodeScripting/API and Sources/TestNetwork/API by `make api`; do not edit.
-- In an editor with the Lua language server: add scripts/types to workspace.library.

--- Seconds as a number, or text such as `"250ms"`, `"3s"`, `"2m"`, `"1h"`; not negative.
---@alias moonpeer.Duration number|string

--- Bytes as a whole number, or text such as `"64KiB"`, `"1MiB"`.
---@alias moonpeer.Size integer|string

--- `"127.0.0.1:4000"`, `"[::1]:4000"`, `"host.name:4000"`, or `"unix:/path"` where `--unix-sockets` allows it.
---@alias moonpeer.Address string

---@alias moonpeer.SocketOption
---| "nodelay" # `true`: small writes leave at once (TCP_NODELAY).
---| "keepalive" # `true`: the system probes an idle peer (SO_KEEPALIVE).
---| "send_buffer" # The kernel's send buffer, in bytes (SO_SNDBUF).
---| "receive_buffer" # The kernel's receive buffer, in bytes (SO_RCVBUF).

---@alias moonpeer.ReasonKind
---| "local" # This side asked for it.
---| "eof" # The peer closed its side.
---| "reset" # The peer reset the connection.
---| "idle" # No message came for `idle_timeout`.
---| "decode" # The peer's bytes are no message.
---| "read" # The system could not read from the connection.
---| "write" # The system could not write to it.
---| "write_timeout" # The peer did not read for `write_timeout`.
---| "script" # A hook raised an error.
---| "budget" # The script ran over its time or memory.
---| "session_ended" # `session` returned.
---| "shutdown" # The node shuts down.

---@alias moonpeer.ErrorKind
---| "address" # A text is no address, or an address cannot be used.
---| "address_in_use" # Another socket listens there.
---| "budget" # The script ran over `script_time` or `script_memory`. It cannot be caught.
---| "busy" # The connection has a reader already.
---| "cancelled" # The task or dial was cancelled while it waited.
---| "closed" # The connection is closed, or closed while it was waited for.
---| "configuration" # A configuration key or option was refused.
---| "decode" # Bytes are no message; raised by `codec.invalid` too.
---| "duplicate" # There is a connection with that peer already, or one is being set up.
---| "expectation" # A scenario's expectation or property does not hold.
---| "full" # `node:call`: `max_calls` are under way, here or there, or what they carry takes a quarter of `script_memory`.
---| "handshake" # The handshake hook failed.
---| "json" # A text is no JSON, or a value cannot be.
---| "limit" # One of `max_connections`, `max_connections_per_ip`, `max_connections_per_subnet`, `max_connecting`, `max_listeners` is used up, or calls that wait for each other are over 32 deep.
---| "load" # A module was not found or could not be loaded.
---| "not_allowed" # A Unix socket that whoever runs the node has not named (`--unix-sockets`).
---| "refused" # Nobody listens there.
---| "replaced" # The code was replaced by a reload, and what ran in it and was no hook ended.
---| "resolve" # The name has no address.
---| "script" # A hook raised an error of its own.
---| "self" # The node's own address.
---| "shutdown" # The node is shutting down or has stopped.
---| "stopped" # A scenario's node is not running.
---| "system" # The system refused; the message has its words.
---| "timeout" # It took longer than it may.
---| "too_large" # More bytes than the codec's `max`, a read's bound, or what a call may take or give.
---| "unknown" # `node:call`: no node has that name in this process.
---| "unknown_call" # The script has no such call.
---| "usage" # A call was made in a way it cannot be; the message says how it can.

--- What a script returns; put `---@type moonpeer.Script` above `local script = { … }`, and return it.
---@class moonpeer.Script
---@field name? string Shown in logs; `--name` and the configuration's `name` go before it.
---@field version? integer The script's own number, shown by `moonpeer check`.
---@field config? moonpeer.Config The node's defaults: the keys of the next section. The command line and Swift override them.
---@field args? table<string, moonpeer.Arg|string|number|boolean> Declared arguments: name → default, or `{ default =, type =, help = }`. Set with `--set name=value`; an undeclared one is refused.
---@field init? (fun(node: moonpeer.Node, args: table<string, any>): any) Sets up `node.state`, starts tasks. While it waits the node does not listen; an error in it keeps the node from starting.
---@field codec? (moonpeer.Codec|fun(node: moonpeer.Node, conn: moonpeer.Conn): moonpeer.Codec) How messages stand in the bytes, both ways. A function chooses per connection, after its handshake. Without one, messages are chunks of bytes as they come.
---@field handshake? (fun(node: moonpeer.Node, conn: moonpeer.Conn): any) Raw or framed reads and writes before the connection is live. What it returns becomes `conn.peer`; an error rejects the connection.
---@field on_connect? (fun(node: moonpeer.Node, conn: moonpeer.Conn): any) Runs beside message processing; up to its first wait it runs before the first message. An error closes the connection.
---@field process_message? (fun(node: moonpeer.Node, conn: moonpeer.Conn, message: any): any) While it waits, the connection's next message waits too and TCP pushes back. An error closes the connection.
---@field session? (fun(node: moonpeer.Node, conn: moonpeer.Conn): any) A straight-line conversation with `conn:receive()`. Returning closes the connection with reason `session_ended`.
---@field on_disconnect? (fun(node: moonpeer.Node, conn: moonpeer.Conn, reason: moonpeer.Reason): any) Runs before the connection is forgotten, never for one that was rejected. An error is logged and counted.
---@field timers? table<string, moonpeer.TimerEntry> Name → `{ every =, jitter =, run = function(node) end }`; they start after `init`. An error in one is logged and the timer goes on.
---@field calls? table<string, fun(node: moonpeer.Node, ...: any): any> Name → `function(node, …)`: what another script, a scenario or Swift may ask. Plain data in and out; an error is raised at the caller.
---@field save? (fun(state: table): any) What of `node.state` moves to the new code, as plain data. Without it: all of it. It cannot wait; an error gives the reload up.
---@field restore? (fun(data: any, from_version: integer?): any) Makes the new `node.state` from what the old code saved. Without it: the data as it is. `init` is not run again: tasks that the new code needs are started here, with `require("moonpeer.node"):spawn(…)`. It cannot wait; an error gives the reload up.
---@field save_connection? (fun(conn: moonpeer.Conn): any) What of `conn.state` moves. Without it: all of it.
---@field restore_connection? (fun(conn: moonpeer.Conn, data: any, from_version: integer?): any) What it returns becomes `conn.state`; after nil, that is what it has put into `conn.state` itself. Without it: the data as it is.
---@field on_shutdown? (fun(node: moonpeer.Node): any) The last word: connections are still live. An error is logged.

--- The keys of `config`.
---@class moonpeer.Config
---@field name? string the node's name in logs and metrics
---@field listen? moonpeer.Address|moonpeer.Address[]|false where the node listens: an address, a list of them, or "none"
---@field listener_backlog? integer connections the kernel may hold for the listener
---@field max_listeners? integer addresses it may listen at together, those of node:listen included
---@field reuse_port? boolean let several live listeners share one port
---@field max_connections? integer connections, pending ones included
---@field max_connections_per_ip? integer connections per IP address
---@field max_connections_per_subnet? integer connections per /24 (IPv4) or /64 (IPv6)
---@field max_connecting? integer set-ups in progress, both directions; at most max_connections
---@field connection_timeout? moonpeer.Duration for the TCP connect, and before it for the look-up of a name
---@field handshake_timeout? moonpeer.Duration for the handshake hook
---@field idle_timeout? moonpeer.Duration without an inbound message before the connection is closed
---@field write_timeout? moonpeer.Duration for the kernel to take the head of the outbound queue
---@field on_disconnect_timeout? moonpeer.Duration for the on_disconnect hook
---@field on_shutdown_timeout? moonpeer.Duration for the on_shutdown hook
---@field inbound_queue? integer messages that may wait while a hook is busy
---@field inbound_policy? "backpressure"|"drop" what happens to messages over inbound_queue: stop reading, or drop them
---@field outbound_high_water? moonpeer.Size queued bytes over which senders wait
---@field outbound_low_water? moonpeer.Size queued bytes under which they go on
---@field max_read_buffer? moonpeer.Size bytes received and not yet handled
---@field io_loops? integer threads that read and write the sockets for the node's own; 0: that does it itself
---@field script_memory? moonpeer.Size memory of the node's script
---@field script_time? moonpeer.Duration of one uninterrupted run of script code
---@field max_calls? integer calls of other scripts under way in the node, and as many of its own in others
---@field reload_timeout? moonpeer.Duration for running hooks to end before a reload is given up
---@field probation? moonpeer.Duration in which the code of a reload is watched and may be rolled back; 0: not at all
---@field probation_hooks? integer hooks after which the watching ends, if that comes first
---@field probation_failures? integer failures in that time that roll nothing back yet

--- One entry of `args`, where a plain default does not say enough.
---@class moonpeer.Arg
---@field default? any The value it has when it is not set; nil: the argument is nil then.
---@field type? "string"|"integer"|"number"|"boolean"|"duration"|"size"|"table" What a text from the command line is made into; durations become seconds, sizes bytes. `"string"` without a default. Default: the default's own.
---@field help? string Shown by `moonpeer check`.

--- One entry of `timers`.
---@class moonpeer.TimerEntry
---@field every moonpeer.Duration How often it runs; more than 0. The grid is kept: a tick that is due while the last still runs is left out.
---@field jitter? moonpeer.Duration Up to so much is added to each tick at random, without moving the grid; 0: none. Default: 0.
---@field run (fun(node: moonpeer.Node)) What runs; it may wait.

---@class moonpeer.Node.connect.options
---@field timeout? moonpeer.Duration For the TCP connect, and before it for the look-up of a name. Default: connection_timeout.
---@field local_address? moonpeer.Address Where the dial comes from; port 0: any.
---@field reuse_port? boolean Lets the local port be shared, with a listener say. Default: false.

---@class moonpeer.Node.open.options
---@field codec? moonpeer.Codec How `receive` and `send` frame. Default: codec.bytes().
---@field timeout? moonpeer.Duration For the TCP connect, and before it for the look-up of a name. Default: connection_timeout.
---@field local_address? moonpeer.Address Where the dial comes from; port 0: any.
---@field reuse_port? boolean Lets the local port be shared, with a listener say. Default: false.

---@class moonpeer.Node.broadcast.options
---@field except? moonpeer.Conn Is left out: the one it came from, say.

---@class moonpeer.Node.every.options
---@field jitter? moonpeer.Duration Up to so much is added to each tick at random; 0: none. Default: 0.

---@class moonpeer.Node.metric.options
---@field kind "counter"|"gauge"|"histogram" What it is.
---@field help? string What it counts, in one line, for who looks at it. Default: the name.
---@field labels? string[] The names of its labels, besides `node`, which all have. Default: none.
---@field buckets? number[] Of a histogram: the upper bounds, growing; at most 64. Default: from 0.005 to 10.

--- The running node: the first argument of every hook, and `require "moonpeer.node"` once the node starts. A name it does not have is an error that suggests one.
---@class moonpeer.Node
---@field name string In every log line; `calls` of other scripts find the node by it.
---@field id integer The node's number in this process.
---@field args table<string, any> The declared arguments with their values.
---@field config table<string, any> The configuration as it is in force, read only: durations in seconds, sizes in bytes; nil where a key is not set.
---@field state table The script's own state; starts as an empty table.
---@field address moonpeer.Address? Where the node listens, as bound; nil: it does not.
local moonpeerNode = {}

--- Listens there and gives the bound address; port 0: any free one. At `max_listeners` addresses at most. For a Unix socket `error.kind` may be `not_allowed`.
---@param address? moonpeer.Address default: the first of the configuration's
---@return moonpeer.Address|nil bound
---@return nil|moonpeer.Error error
function moonpeerNode:listen(address) end

--- Closes the listeners; established connections stay.
---@return true
function moonpeerNode:stop_listening() end

--- Dials, and gives a live connection after its handshake. `error.kind` is `refused`, `timeout`, `resolve`, `limit`, `duplicate`, `self`, `handshake`, `closed`, `system`, `shutdown` or `not_allowed`.
---@param address moonpeer.Address
---@param options? moonpeer.Node.connect.options
---@return moonpeer.Conn|nil conn
---@return nil|moonpeer.Error error
function moonpeerNode:connect(address, options) end

--- Opens a plain stream of the caller's own, for proxies and foreign services: no handshake, no hooks, counted in the limits.
---@param address moonpeer.Address
---@param options? moonpeer.Node.open.options
---@return moonpeer.Conn|nil conn
---@return nil|moonpeer.Error error
function moonpeerNode:open(address, options) end

--- Closes after what is queued has left and waits for `on_disconnect`; in a hook of that connection it only asks. False when there was none.
---@param target moonpeer.Address|moonpeer.Conn a peer's address or a conn
---@return boolean was_open
function moonpeerNode:disconnect(target) end

--- The live connections in the order they came up.
---@return moonpeer.Conn[]
function moonpeerNode:connections() end

--- The live connection with that peer; nil when there is none.
---@param address moonpeer.Address the peer's address
---@return moonpeer.Conn|nil conn
function moonpeerNode:connection(address) end

--- Whether there is a live connection with that peer.
---@param address moonpeer.Address the peer's address
---@return boolean
function moonpeerNode:is_connected(address) end

--- How many connections are live and how many are being set up.
---@return moonpeer.Counts
function moonpeerNode:counts() end

--- As `conn:send` on that connection; `closed` where there is none.
---@param address moonpeer.Address the peer's address
---@param message any
---@return true|nil
---@return nil|"closed" why
function moonpeerNode:send(address, message) end

--- Queues the message on every live connection without waiting, encoded once per codec; how many took it. A full queue is passed over.
---@param message any
---@param options? moonpeer.Node.broadcast.options
---@return integer count
function moonpeerNode:broadcast(message, options) end

--- Runs another script's call and gives what it returns; raises what it raises, and kind `full` at once where `max_calls` are under way in one of the two nodes or what they carry takes a quarter of its `script_memory`: try again when some have ended. A call counts until it has ended, also where its caller has given up.
---@param target string a node's name in this process
---@param name string one of its `calls`
---@param ... any plain data
---@return any ...
function moonpeerNode:call(target, name, ...) end

--- Traffic of the node in all its life, closed connections included.
---@return moonpeer.Stats
function moonpeerNode:stats() end

--- What the node noticed: counters that only grow.
---@return moonpeer.Heuristics
function moonpeerNode:heuristics() end

--- Asks for the node's shutdown and returns at once.
function moonpeerNode:shut_down() end

--- Runs `fn` as a task of its own, from the end of this tick. An error no one joins is logged and counted.
---@param fn function
---@param ... any handed to `fn`
---@return moonpeer.Task
function moonpeerNode:spawn(fn, ...) end

--- Runs `fn` and gives what it returns; past the time it is cancelled and an error of kind `timeout` is raised.
---@param duration moonpeer.Duration
---@param fn function
---@param ... any handed to `fn`
---@return any ...
function moonpeerNode:timeout(duration, fn, ...) end

--- Waits for all; the first result of each, in order (a list for a list). Raises the first error and cancels the functions that still run.
---@param ... function|moonpeer.Task functions and tasks, or one list of them
---@return any ...
function moonpeerNode:all(...) end

--- Waits for the first to finish well and gives what it returns; the other functions are cancelled. Raises when all fail.
---@param ... function|moonpeer.Task functions and tasks, or one list of them
---@return any ...
function moonpeerNode:any(...) end

--- A bounded queue between tasks.
---@param bound? integer values it holds, at least 1; default: 1024
---@return moonpeer.Queue
function moonpeerNode:queue(bound) end

--- Waits.
---@param duration moonpeer.Duration 0: until the next turn of the loop
function moonpeerNode:sleep(duration) end

--- Runs `fn` once, as a task of its own.
---@param duration moonpeer.Duration
---@param fn fun()
---@return moonpeer.Timer
function moonpeerNode:after(duration, fn) end

--- Runs `fn` again and again. The grid is kept, and a tick that is due while the last still runs is left out.
---@param duration moonpeer.Duration more than 0
---@param fn fun()
---@param options? moonpeer.Node.every.options
---@return moonpeer.Timer
function moonpeerNode:every(duration, fn, options) end

--- Seconds from an arbitrary start, never going back: for differences. `os.time()` tells the date.
---@return number
function moonpeerNode:now() end

--- `random()` is in [0, 1), `random(n)` in 1 to n, `random(m, n)` in m to n; from this world's generator, as whole numbers but for the first.
---@param low? integer
---@param high? integer
---@return number
---@overload fun(self: moonpeer.Node, high: integer): integer
---@overload fun(self: moonpeer.Node, low: integer, high: integer): integer
function moonpeerNode:random(low, high) end

--- Finds or makes a metric of the script's own, for `--metrics`. The same name is the same metric, also after a reload. A node has at most 200 metrics and 1,000 series; what is over is dropped, counted and logged once.
---@param name string of a counter, ends in `_total`
---@param options moonpeer.Node.metric.options
---@return moonpeer.Metric
function moonpeerNode:metric(name, options) end

--- What `node:counts()` gives.
---@class moonpeer.Counts
---@field connected integer Live connections.
---@field connecting integer Set-ups in progress, both directions.

--- What `node:stats()` and `conn:stats()` give.
---@class moonpeer.Stats
---@field messages_sent integer Messages queued to be sent.
---@field bytes_sent integer Their bytes, without what the framing adds.
---@field messages_received integer Messages handed to the script.
---@field bytes_received integer Their bytes, as the codec cut them.
---@field created_at number When it came up, in seconds since the epoch.

--- What `node:heuristics()` gives: counters that only grow.
---@class moonpeer.Heuristics
---@field dials_refused integer Outbound dials refused because the connecting budget or a limit was used up.
---@field rejected_max_connections integer Inbound connections rejected by max_connections.
---@field rejected_per_ip integer Inbound connections rejected by max_connections_per_ip.
---@field rejected_per_subnet integer Inbound connections rejected by max_connections_per_subnet.
---@field rejected_duplicate integer Inbound connections rejected because their address is still taken.
---@field rejected_shutdown integer Inbound connections rejected because the node was shutting down.
---@field accept_errors integer Errors of the listening socket (no descriptors left, say).
---@field handshake_failures integer Handshakes that failed, on either side.
---@field handshake_timeouts integer Handshakes that ran over handshake_timeout, or over a quarter of it while others waited.
---@field idle_timeouts integer Connections closed after idle_timeout without a message.
---@field write_timeouts integer Connections closed because the peer did not read for write_timeout.
---@field decode_errors integer Connections closed because their bytes were no message.
---@field dropped_messages integer Messages dropped by inbound_policy "drop".
---@field hook_timeouts integer on_disconnect or on_shutdown hooks that ran over their bound.
---@field script_errors integer Errors raised by the script and not caught.
---@field budget_kills integer Runs ended for script_time or script_memory.
---@field reloads integer Reloads that took effect.
---@field failed_reloads integer Reloads that were given up before they took effect.
---@field rolled_back integer Reloads that took effect and were rolled back.

---@class moonpeer.Conn.request.options
---@field timeout? moonpeer.Duration For the reply. Default: 30.
---@field match? (fun(reply: any): boolean) Whether a message is the reply. Default: any message.

--- A connection: one handle for its whole life, so it can be compared and used as a table key. Sends answer `true`, or `nil` and why; raw reads and writes raise an error of kind `closed` instead. A name it does not have is an error that suggests one.
---@class moonpeer.Conn
---@field id integer 1, 2, 3… per node, never used again.
---@field address moonpeer.Address The peer's address.
---@field local_address moonpeer.Address This side's address.
---@field side "initiator"|"responder" `initiator` dialled, `responder` accepted.
---@field state table The script's own, per connection; starts as an empty table.
---@field peer any What the handshake returned; nil before, or without one. The script may set it.
local moonpeerConn = {}

--- Encodes and queues; waits while more than `outbound_high_water` bytes are queued. A message over the codec's `max` raises `too_large`.
---@param message any
---@return true|nil
---@return nil|"closed" why
function moonpeerConn:send(message) end

--- As `send`, and never waits: `full` where more than 8 × `outbound_high_water` would be queued.
---@param message any
---@return true|nil
---@return nil|"full"|"closed" why
function moonpeerConn:try_send(message) end

--- Waits until the kernel has taken all that was queued; it says nothing about the peer.
---@return true|nil
---@return nil|"closed"|"write_timeout" why
function moonpeerConn:flush() end

--- The next message, for `session`, `handshake` and tasks. Beside a `process_message` it raises `busy`, unless that hook itself waits or calls it. What has not been taken when the connection is being closed goes with it.
---@param timeout? moonpeer.Duration 0: only what has arrived; default: none
---@return any|nil message
---@return nil|"closed"|"timeout" why
function moonpeerConn:receive(timeout) end

--- Sends, and gives the matching reply; other messages go where they would have gone. Works in every hook. `full`: 64 others came first and no one takes them.
---@param message any
---@param options? moonpeer.Conn.request.options
---@return any|nil reply
---@return nil|"closed"|"timeout"|"full" why
function moonpeerConn:request(message, options) end

--- Exactly n bytes; raises `closed` when the stream ends before.
---@param n integer 0 or more
---@return string bytes
function moonpeerConn:read(n) end

--- At least one byte, as soon as there is one; raises `closed` at the end of the stream.
---@param max? integer at least 1; default: all that is there
---@return string bytes
function moonpeerConn:read_some(max) end

--- The bytes before the delimiter, which is taken too; raises `too_large` where there is none within `max`, which can be no more than `max_read_buffer` holds.
---@param delimiter string at least one byte
---@param max? moonpeer.Size bytes before the delimiter; default: "1MiB"
---@return string bytes
function moonpeerConn:read_until(delimiter, max) end

--- The next n bytes, left where they are; raises `closed` when the stream ends before.
---@param n integer 0 or more
---@return string bytes
function moonpeerConn:peek(n) end

--- Queues raw bytes past the codec; waits as `send` does and raises `closed`.
---@param bytes string
---@return true
function moonpeerConn:write(bytes) end

--- Traffic of this connection; nil once it is over and forgotten.
---@return moonpeer.Stats|nil
function moonpeerConn:stats() end

--- Sets a socket option (below); raises what the system says.
---@param name moonpeer.SocketOption
---@param value boolean|integer
---@return true
function moonpeerConn:set_option(name, value) end

--- Takes no more messages and lets TCP push back, until `resume_reading`.
function moonpeerConn:pause_reading() end

--- Goes on reading.
function moonpeerConn:resume_reading() end

--- Closes after what is queued has left; does not wait. False when it was closed already.
---@param reason? string for the log and `reason.message`
---@return boolean was_open
function moonpeerConn:disconnect(reason) end

--- Closes at once; what is queued is lost.
---@return boolean was_open
function moonpeerConn:abort() end

--- Why a connection ended, as `on_disconnect` sees it.
---@class moonpeer.Reason
---@field kind moonpeer.ReasonKind One of the words below.
---@field message string? What happened, for people; nil where the kind says it all.

--- What `node:spawn` gives. `local task <close> = node:spawn(…)` cancels what still runs when the block is left.
---@class moonpeer.Task
---@field status "running"|"waiting"|"finished"|"failed"|"cancelled" Where it stands.
local moonpeerTask = {}

--- Waits for the end: what the function returned; raises what it raised.
---@return any ...
function moonpeerTask:join() end

--- Raises an error of kind `cancelled` where the task waits. False when it was over.
---@return boolean was_running
function moonpeerTask:cancel() end

--- What `node:after` and `node:every` give; `<close>` cancels it.
---@class moonpeer.Timer
local moonpeerTimer = {}

--- No more ticks; one that runs goes on to its end. False when there was none to come.
---@return boolean was_pending
function moonpeerTimer:cancel() end

--- What `node:queue` gives: first in, first out, bounded. `#queue` is how many values are in it.
---@class moonpeer.Queue
---@operator len:integer
local moonpeerQueue = {}

--- Waits while the queue is full.
---@param value any not nil
---@return true|nil
---@return nil|"closed" why
function moonpeerQueue:put(value) end

--- As `put`, and never waits.
---@param value any not nil
---@return true|nil
---@return nil|"full"|"closed" why
function moonpeerQueue:try_put(value) end

--- The oldest value; `closed` once the queue is closed and empty.
---@param timeout? moonpeer.Duration default: none
---@return any|nil value
---@return nil|"closed"|"timeout" why
function moonpeerQueue:get(timeout) end

--- As `get`, and never waits.
---@return any|nil value
---@return nil|"empty"|"closed" why
function moonpeerQueue:try_get() end

--- No more puts; what is in it can still be taken.
function moonpeerQueue:close() end

--- How many values are in it.
---@return integer
function moonpeerQueue:len() end

--- For `for value in queue:items() do … end`: waits for each value, until the queue is closed and empty.
---@return fun(): any iterator
function moonpeerQueue:items() end

--- How messages stand in the bytes; made by `moonpeer.codec`.
---@class moonpeer.Codec

--- What `node:metric` gives. `labels` has a value (a string, number or boolean) for every declared label.
---@class moonpeer.Metric
---@field name string Its name.
---@field kind "counter"|"gauge"|"histogram" What it is.
local moonpeerMetric = {}

--- Adds to a counter, which takes nothing below 0, or to a gauge.
---@param number? number default: 1
---@param labels? table<string, any>
function moonpeerMetric:add(number, labels) end

--- Sets a gauge.
---@param number number
---@param labels? table<string, any>
function moonpeerMetric:set(number, labels) end

--- Puts a number into its bucket of a histogram: base units, so seconds and bytes.
---@param number number
---@param labels? table<string, any>
function moonpeerMetric:observe(number, labels) end

--- What a `codec.custom` decoder looks through: all that has arrived, in place, and valid during that call only. Positions count from 1; a position below 1 is an error; what reaches past the end is nil, so that asking and checking are one. `#view` is how many bytes there are.
---@class moonpeer.View
---@operator len:integer
local moonpeerView = {}

--- 8 bits, unsigned.
---@param at integer from 1
---@return integer|nil value
function moonpeerView:u8(at) end

--- 16 bits, unsigned, big-endian.
---@param at integer from 1
---@return integer|nil value
function moonpeerView:u16(at) end

--- 16 bits, unsigned, little-endian.
---@param at integer from 1
---@return integer|nil value
function moonpeerView:u16le(at) end

--- 32 bits, unsigned, big-endian.
---@param at integer from 1
---@return integer|nil value
function moonpeerView:u32(at) end

--- 32 bits, unsigned, little-endian.
---@param at integer from 1
---@return integer|nil value
function moonpeerView:u32le(at) end

--- 64 bits, unsigned, big-endian, in Lua's signed integers.
---@param at integer from 1
---@return integer|nil value
function moonpeerView:u64(at) end

--- 64 bits, unsigned, little-endian, in Lua's signed integers.
---@param at integer from 1
---@return integer|nil value
function moonpeerView:u64le(at) end

--- 8 bits, signed.
---@param at integer from 1
---@return integer|nil value
function moonpeerView:i8(at) end

--- 16 bits, signed, big-endian.
---@param at integer from 1
---@return integer|nil value
function moonpeerView:i16(at) end

--- 16 bits, signed, little-endian.
---@param at integer from 1
---@return integer|nil value
function moonpeerView:i16le(at) end

--- 32 bits, signed, big-endian.
---@param at integer from 1
---@return integer|nil value
function moonpeerView:i32(at) end

--- 32 bits, signed, little-endian.
---@param at integer from 1
---@return integer|nil value
function moonpeerView:i32le(at) end

--- 64 bits, signed, big-endian.
---@param at integer from 1
---@return integer|nil value
function moonpeerView:i64(at) end

--- 64 bits, signed, little-endian.
---@param at integer from 1
---@return integer|nil value
function moonpeerView:i64le(at) end

--- A 32-bit float, big-endian.
---@param at integer from 1
---@return number|nil value
function moonpeerView:f32(at) end

--- A 32-bit float, little-endian.
---@param at integer from 1
---@return number|nil value
function moonpeerView:f32le(at) end

--- A 64-bit float, big-endian.
---@param at integer from 1
---@return number|nil value
function moonpeerView:f64(at) end

--- A 64-bit float, little-endian.
---@param at integer from 1
---@return number|nil value
function moonpeerView:f64le(at) end

--- So many bytes as a string.
---@param at integer from 1
---@param count integer 0 or more
---@return string|nil bytes
function moonpeerView:bytes(at, count) end

--- Where those bytes start; plain text, no pattern.
---@param text string
---@param from? integer default: 1
---@return integer|nil at
function moonpeerView:find(text, from) end

--- Whether those bytes come first.
---@param text string
---@return boolean
function moonpeerView:starts_with(text) end

--- The value of JSON's null: truthy, equal to itself alone.
---@class moonpeer.json.null

--- A structured error: raised by raw reads and writes and by wrong use, and given after nil by dials. `tostring` shows its message. An error a script raises itself is its own value; `error("text")` stays a text.
---@class moonpeer.Error
---@field kind moonpeer.ErrorKind One of the words below.
---@field message string What happened, for people.
---@field peer moonpeer.Address? The peer it was about.
---@field position integer? Kind `json`, decoding: where in the text, from 1.
---@field path string? Kind `json`, encoding: which part of the value.
---@field where string? Kind `expectation`: file:line of the property or expectation.

--- The network of one scenario, on loopback sockets in this process. After every step and every 20 ms its properties are looked at.
---@class moonpeer.Net
local moonpeerNet = {}

--- Starts a node; without a `name` it is the script's name and a number.
---@param script string its file, from the scenario's folder
---@param args? table<string, any> declared arguments and configuration keys; `unix_sockets`: paths of Unix sockets, or of their folders, for the script; default: {}
---@return moonpeer.NodeHandle
function moonpeerNet:node(script, args) end

--- Starts several.
---@param count integer at least 1
---@param script string as for `net:node`
---@param args? table<string, any>|fun(i: integer): table<string, any> as for `net:node`, or what each gets; default: {}
---@return moonpeer.NodeHandle[]
function moonpeerNet:nodes(count, script, args) end

--- Makes them dial, and waits up to 10 s until every connection stands on both sides; how many there are. Fails where the topology cannot be formed.
---@param nodes moonpeer.NodeHandle[]
---@param topology moonpeer.Topology
---@return integer count
function moonpeerNet:connect(nodes, topology) end

--- Waits.
---@param duration moonpeer.Duration
function moonpeerNet:sleep(duration) end

--- Runs `fn` then; the scenario does not end before.
---@param moment moonpeer.Duration since the scenario's start
---@param fn fun()
function moonpeerNet:at(moment, fn) end

--- Fails unless the value is true; gives it back.
---@param value any
---@param message? string default: "the expectation does not hold"
---@return any value
function moonpeerNet:expect(value, message) end

--- Fails the scenario.
---@param message? string default: "failed"
function moonpeerNet:fail(message) end

--- Asks again and again until it holds; what it gave then. Fails past the time.
---@param name string
---@param within moonpeer.Duration
---@param fn fun(): any, string? true when it holds; else false, and perhaps why
---@return any value
function moonpeerNet:eventually(name, within, fn) end

--- From now on it must hold at every look.
---@param name string
---@param fn fun(): any, string? true when it holds; else false, and perhaps why
function moonpeerNet:always(name, fn) end

--- It must hold at one look at least, before the scenario ends.
---@param name string
---@param fn fun(): any, string? true when it holds; else false, and perhaps why
function moonpeerNet:sometimes(name, fn) end

--- A node of the scenario, seen from outside.
---@class moonpeer.NodeHandle
---@field name string The node's name.
---@field id integer 1, 2, 3… per scenario.
---@field address moonpeer.Address? Where it listens; nil: it does not, or is not running.
local moonpeerNodeHandle = {}

--- What the call returns; raises what it raises.
---@param name string one of its `calls`
---@param ... any plain data
---@return any ...
function moonpeerNodeHandle:call(name, ...) end

--- Runs Lua inside the node, with `node` in scope; what it returns.
---@param code string an expression or statements
---@param ... any plain data, `...` in there
---@return any ...
function moonpeerNodeHandle:eval(code, ...) end

--- Its live connections.
---@return moonpeer.ConnectionInfo[]
function moonpeerNodeHandle:connections() end

--- As `node:stats()`.
---@return moonpeer.Stats
function moonpeerNodeHandle:stats() end

--- As `node:heuristics()`.
---@return moonpeer.Heuristics
function moonpeerNodeHandle:heuristics() end

--- Cuts everything at once, without hooks; false when it was not running.
---@return boolean was_running
function moonpeerNodeHandle:crash() end

--- Ends it in order; false when it was not running.
---@return boolean was_running
function moonpeerNodeHandle:shut_down() end

--- Gives it new code while it runs: same connections, same state. Raises where that fails; the old code runs on then.
---@param script? string another script; its path starts at the scenario's folder; default: its own file
---@return moonpeer.ReloadReport
function moonpeerNodeHandle:reload(script) end

--- Ends it where it still runs, and starts it anew: empty state, same name and address.
---@return true
function moonpeerNodeHandle:restart() end

--- An element of `handle:connections()`.
---@class moonpeer.ConnectionInfo
---@field id integer 1, 2, 3… per node.
---@field address moonpeer.Address The peer's address.
---@field local_address moonpeer.Address This side's address.
---@field side "initiator"|"responder" Which end it is.

--- What `handle:reload()` gives.
---@class moonpeer.ReloadReport
---@field generation integer The number of the code in force; what a node starts with is 1.
---@field moved integer Live connections that the new code has now.
---@field left integer Connections that stay with the old code until they end.
---@field pause number For how many seconds messages were held back.
---@field warnings string[] Settings that need a restart.

--- Who dials whom; for `net:connect`.
---@class moonpeer.Topology

---@class moonpeer.codec.bytes.options
---@field max? moonpeer.Size The longest chunk; a longer one breaks the connection. 1 byte to 1024GiB. Default: "1MiB".

---@class moonpeer.codec.lines.options
---@field delimiter? string What ends a message; not part of it. At least 1 byte. Default: "\n".
---@field max? moonpeer.Size The longest message; a longer one breaks the connection. 1 byte to 1024GiB. Default: "1MiB".

---@class moonpeer.codec.length_prefixed.options
---@field width? 1|2|3|4|8|"varint" Bytes of the length; `varint` is LEB128, seven bits a byte, low ones first. Default: 4.
---@field endian? "big"|"little" The byte order. Default: "big".
---@field max? moonpeer.Size The longest message without its length; a longer one breaks the connection. 1 byte to 1024GiB. Default: "1MiB", or what the width can say.
---@field length_includes_header? boolean Whether the length counts its own bytes; not with `varint`. Default: false.

---@class moonpeer.codec.packed.options
---@field max? moonpeer.Size The longest record; a longer one breaks the connection. 1 byte to 1024GiB. Default: "1MiB".

---@class moonpeer.codec.struct.fields
---@field [integer] { [1]: string, [2]: string }
---@field endian? "big"|"little" The byte order. Default: "big".
---@field max? moonpeer.Size The longest record; a longer one breaks the connection. 1 byte to 1024GiB. Default: "1MiB".

---@class moonpeer.codec.union.variants
---@field [integer] { [1]: integer, [2]: string, [3]: moonpeer.Codec? }
---@field tag? "u8"|"u16"|"u32" The tag's width. Default: "u8".
---@field endian? "big"|"little" The byte order. Default: "big".
---@field max? moonpeer.Size The longest message with its tag; a longer one breaks the connection. 1 byte to 1024GiB. Default: "1MiB".

---@class moonpeer.codec.map.outer
---@field decode? (fun(message: any): any) What comes out of `inner` goes through it; must not give nil. Default: none.
---@field encode? (fun(message: any): any) What is sent goes through it first; gives what `inner` takes. Default: none.

---@class moonpeer.codec.framed.options
---@field header integer Bytes that `size` looks at, at least 1.
---@field size (fun(head: string): integer) The bytes of the whole frame, its header included.
---@field decode? (fun(frame: string): any) The message in a frame; must not give nil. Default: the frame.
---@field encode? (fun(message: any): string) The whole frame of a message. Default: the message.
---@field max? moonpeer.Size The longest frame with its header; a longer one breaks the connection. 1 byte to 1024GiB. Default: "1MiB".

---@class moonpeer.codec.custom.options
---@field decode (fun(view: moonpeer.View): any, integer?) `nil`: more is needed; `nil, n`: n bytes in all are needed; `message, n`: a message that took n bytes, 1 or more.
---@field encode? (fun(message: any): string) The bytes of a message. Default: the message.
---@field max? moonpeer.Size The longest message as it stands in the bytes; a longer one breaks the connection. 1 byte to 1024GiB. Default: "1MiB".

--- How messages stand in the stream, both ways. A peer whose bytes are no message loses its connection with reason `decode`. `packed`, `struct`, `union`, `fixed` and `length_prefixed` (but `varint`) can stand inside `union` and as the second argument of `map`.
---@class moonpeer.codec
local moonpeercodec = {}

--- Chunks as they come; where one ends means nothing.
---@param options? moonpeer.codec.bytes.options
---@return moonpeer.Codec
function moonpeercodec.bytes(options) end

--- Text up to a delimiter.
---@param options? moonpeer.codec.lines.options
---@return moonpeer.Codec
function moonpeercodec.lines(options) end

--- A length, then so many bytes.
---@param options? moonpeer.codec.length_prefixed.options
---@return moonpeer.Codec
function moonpeercodec.length_prefixed(options) end

--- Every message is n bytes.
---@param size integer bytes of every message, at least 1
---@return moonpeer.Codec
function moonpeercodec.fixed(size) end

--- One record per message: the value where the format has one, else a list of its values.
---@param format string as for `string.pack`, big-endian unless it says otherwise
---@param options? moonpeer.codec.packed.options
---@return moonpeer.Codec
function moonpeercodec.packed(format, options) end

--- A record with names: a list of `{ "name", "type" }`; the message is a table. Types: `u8` `u16` `u32` `u64`, `int8` `int16` `int32` `int64`, `f32` `f64`, `bool`, or one `string.pack` option such as `"s2"`.
---@param fields moonpeer.codec.struct.fields
---@return moonpeer.Codec
function moonpeercodec.struct(fields) end

--- Several kinds of message: a list of `{ tag, "name", codec }`. A message has its `type`; a struct's fields stand beside it, what another codec carries is its `value`, and a variant without codec has neither.
---@param variants moonpeer.codec.union.variants
---@return moonpeer.Codec
function moonpeercodec.union(variants) end

--- Another codec's messages, made into something else: by functions (at least one), or by a codec that reads each of them whole.
---@param inner moonpeer.Codec what frames
---@param outer moonpeer.codec.map.outer
---@return moonpeer.Codec
---@overload fun(inner: moonpeer.Codec, outer: moonpeer.Codec): moonpeer.Codec
function moonpeercodec.map(inner, outer) end

--- The script says how long the frame is that starts here; the engine cuts it.
---@param options moonpeer.codec.framed.options
---@return moonpeer.Codec
function moonpeercodec.framed(options) end

--- Full control over what has arrived.
---@param options moonpeer.codec.custom.options
---@return moonpeer.Codec
function moonpeercodec.custom(options) end

--- In a decoder: raises an error of kind `decode`, which breaks the connection.
---@param message? string default: "invalid message"
function moonpeercodec.invalid(message) end

--- Whether it is a codec.
---@param value any
---@return boolean
function moonpeercodec.is_codec(value) end

--- Lines of the node's log; the node's name and the peer of the connection that is handled are added. `print` writes at level `info`.
---@class moonpeer.log
local moonpeerlog = {}

--- A line of level trace.
---@param message any shown as text
---@param fields? table<string, any> shown beside it as key=value
function moonpeerlog.trace(message, fields) end

--- A line of level debug.
---@param message any shown as text
---@param fields? table<string, any> shown beside it as key=value
function moonpeerlog.debug(message, fields) end

--- A line of level info.
---@param message any shown as text
---@param fields? table<string, any> shown beside it as key=value
function moonpeerlog.info(message, fields) end

--- A line of level notice.
---@param message any shown as text
---@param fields? table<string, any> shown beside it as key=value
function moonpeerlog.notice(message, fields) end

--- A line of level warning.
---@param message any shown as text
---@param fields? table<string, any> shown beside it as key=value
function moonpeerlog.warning(message, fields) end

--- A line of level error.
---@param message any shown as text
---@param fields? table<string, any> shown beside it as key=value
function moonpeerlog.error(message, fields) end

--- Whether such a line would be written, for lines that are dear to make.
---@param level "trace"|"debug"|"info"|"notice"|"warning"|"error"
---@return boolean
function moonpeerlog.enabled(level) end

---@class moonpeer.json.encode.options
---@field max_depth? integer Tables within tables; deeper ones are refused. Default: 128.

---@class moonpeer.json.decode.options
---@field max_depth? integer Tables within tables; deeper ones are refused. Default: 128.

--- Strict JSON (RFC 8259) in UTF-8. Integers stay integers; errors are of kind `json` and say where.
---@class moonpeer.json
---@field null moonpeer.json.null JSON's null, which Lua's nil cannot be: it would vanish from a table.
local moonpeerjson = {}

--- A table with `[1]` is an array, any other an object; an empty one is `{}` unless it is marked.
---@param value any text, number, boolean, `json.null`, or tables of them
---@param options? moonpeer.json.encode.options
---@return string text
function moonpeerjson.encode(value, options) end

--- Arrays come marked, so that they encode as they were.
---@param text string
---@param options? moonpeer.json.decode.options
---@return any value
function moonpeerjson.decode(text, options) end

--- Marks a list as an array, even if it is empty, and gives it back.
---@param list? table default: {}
---@return table list
function moonpeerjson.array(list) end

---@class moonpeer.network.scenario.options
---@field timeout? moonpeer.Duration For the whole scenario. Default: 60.

---@class moonpeer.network.grid.options
---@field width integer At least 1.
---@field height integer At least 1.

---@class moonpeer.network.tree.options
---@field branching? integer Children of each, at least 1. Default: 2.

---@class moonpeer.network.random.options
---@field degree? integer Neighbours of each; less than the number of nodes. Default: 3.
---@field seed? integer The same seed, the same network. Default: 0.

--- Only in files that `moonpeer test` runs.
---@class moonpeer.network
local moonpeernetwork = {}

--- Declares a scenario: it passes when `fn` returns and every property held. Each runs with nodes and a Lua of its own.
---@param name string not twice in a file
---@param options? moonpeer.network.scenario.options
---@param fn fun(net: moonpeer.Net)
---@overload fun(name: string, fn: fun(net: moonpeer.Net))
function moonpeernetwork.scenario(name, options, fn) end

--- Each dials the next; at least 2 nodes.
---@return moonpeer.Topology
function moonpeernetwork.line() end

--- A line whose last dials the first; at least 3.
---@return moonpeer.Topology
function moonpeernetwork.ring() end

--- Each with each; at least 2.
---@return moonpeer.Topology
function moonpeernetwork.mesh() end

--- All dial the first; at least 2.
---@return moonpeer.Topology
function moonpeernetwork.star() end

--- Rows of `width`, each connected with its neighbours; width × height nodes.
---@param options moonpeer.network.grid.options
---@return moonpeer.Topology
function moonpeernetwork.grid(options) end

--- The first is the root; at least 2.
---@param options? moonpeer.network.tree.options
---@return moonpeer.Topology
function moonpeernetwork.tree(options) end

--- Connected, each with `degree` neighbours; an error when there is no such network.
---@param options? moonpeer.network.random.options
---@return moonpeer.Topology
function moonpeernetwork.random(options) end
