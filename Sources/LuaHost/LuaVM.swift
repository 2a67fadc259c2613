internal import CLua
import Dispatch

/// What a VM may use.
public struct LuaLimits: Sendable {
  /// Bytes; 0 = no limit.
  public var memory: Int
  /// Of one uninterrupted run; zero = no limit.
  public var time: Duration

  public init(memory: Int = 64 << 20, time: Duration = .seconds(1)) {
    self.memory = memory
    self.time = time
  }

  fileprivate var raw: clua_limits {
    let (seconds, attoseconds) = time.components
    // Longer than 285 years, where the sum would overflow, is no limit, and so is a time that is not positive.
    let nanoseconds = (0...9_000_000_000).contains(seconds) ? max(0, seconds * 1_000_000_000 + attoseconds / 1_000_000_000) : 0
    return clua_limits(memory: max(0, memory), time: UInt64(nanoseconds))
  }
}

public enum LuaLibraries: Sendable {
  /// Without `io`, `package`, most of `os` and `debug`, binary chunks and `__gc`.
  case sandboxed
  /// All of Lua's own.
  case trusted
}

/// Gives the next message's bytes, valid until it is asked again; false where there is none.
public typealias LuaMessageSource =
  @convention(c) (UnsafeMutableRawPointer?, UnsafeMutablePointer<UnsafeRawPointer?>?, UnsafeMutablePointer<Int>?) -> Bool

/// A Lua state. Belongs to one thread at a time; nothing it does raises over a Swift frame.
public final class LuaVM {
  let raw: OpaquePointer
  private let libraries: LuaLibraries

  /// - Throws: kind `memory` when the limit is too small for the libraries.
  public init(limits: LuaLimits, libraries: LuaLibraries, context: UnsafeMutableRawPointer?) throws(LuaError) {
    guard let raw = clua_open(limits.raw, libraries == .trusted, context) else {
      throw LuaError(kind: .memory, message: "script_memory of \(limits.memory) bytes is too small for Lua's libraries")
    }
    self.raw = raw
    self.limits = limits
    self.libraries = libraries
  }

  /// What the VM may use, from the moment it is set: a memory limit under what is in use ends the next run that needs more.
  public var limits: LuaLimits {
    didSet { clua_set_limits(raw, limits.raw) }
  }

  deinit {
    precondition(!clua_is_running(raw), "a LuaVM was released while Lua code was running in it")
    // Finalizers, which only trusted code has, are to run where the others did.
    guard memoryUsed > Self.quicklyFreed, libraries == .sandboxed else { return clua_close(raw) }
    nonisolated(unsafe) let raw = raw
    Self.freeing.async { clua_close(raw) }
  }

  /// Lua frees block by block: 2 MiB in a millisecond or several, 64 MiB in 150 ms, for which no loop is to stand still.
  private static let quicklyFreed = 2 << 20
  private static let freeing = DispatchQueue(label: "moonpeer.lua")

  public static var version: String { String(cString: clua_version()) }

  /// Bytes in use now, and at most so far.
  public var memoryUsed: Int { clua_memory_used(raw) }
  public var memoryPeak: Int { clua_memory_peak(raw) }
  /// What it keeps beside that for what natives answer.
  package var buffered: Int { clua_buffered(raw) }
  /// What the process has taken for the small blocks of all its VMs so far; it keeps them for later ones.
  package static var smallBlocksReserved: Int { clua_small_blocks_reserved() }
  /// Whether Lua code is on the stack.
  public var isRunning: Bool { clua_is_running(raw) }

  /// Whether Lua has run for long, or often, since that was forgotten last: a series of messages that was broken
  /// off for it goes on once it is forgotten.
  public var hasRunLong: Bool { clua_has_run_long(raw) }
  public func forgetLongRun() { clua_forget_long_run(raw) }

  /// Ends the run under way as a budget does, whatever the script catches.
  public func endRun() { clua_end_run(raw) }

  /// A full collection.
  public func collect() { clua_collect(raw) }

  // Values

  /// Compiles source text; `@path` as the name makes messages say `path:line`.
  public func load(_ source: UnsafeRawBufferPointer, chunkName: String) throws(LuaError) -> LuaRef {
    let ref = clua_load(raw, source.baseAddress?.assumingMemoryBound(to: CChar.self), source.count, chunkName)
    return try checked(ref)
  }

  public func load(_ source: String, chunkName: String) throws(LuaError) -> LuaRef {
    let bytes = Array(source.utf8)
    let result = bytes.withUnsafeBytes { buffer in
      Result { () throws(LuaError) in try load(buffer, chunkName: chunkName) }
    }
    return try result.get()
  }

  /// Source text as a binary chunk, for ``load(compiled:chunkName:)`` in any VM of this process. It keeps its name and
  /// loses its lines and the names of its locals.
  package func compile(_ source: UnsafeRawBufferPointer, chunkName: String) throws(LuaError) -> [UInt8] {
    var compiled = clua_pack()
    defer { clua_pack_free(&compiled) }
    let text = source.baseAddress?.assumingMemoryBound(to: CChar.self)
    guard clua_compile(raw, text, source.count, chunkName, &compiled) else { throw takeError() }
    return Array(UnsafeBufferPointer(start: compiled.bytes, count: compiled.count))
  }

  /// A function that ``load(_:chunkName:)`` gave, as a binary chunk with its lines and names.
  package func dump(_ chunk: LuaRef) throws(LuaError) -> [UInt8] {
    var compiled = clua_pack()
    defer { clua_pack_free(&compiled) }
    guard clua_dump(raw, chunk.slot, &compiled) else { throw takeError() }
    return Array(UnsafeBufferPointer(start: compiled.bytes, count: compiled.count))
  }

  /// Only what ``compile(_:chunkName:)`` and ``dump(_:)`` made: Lua does not check binary chunks, and a forged one breaks its memory safety.
  package func load(compiled: [UInt8], chunkName: String) throws(LuaError) -> LuaRef {
    try checked(compiled.withUnsafeBytes { clua_load_compiled(raw, $0.baseAddress, $0.count, chunkName) })
  }

  public func newTable() throws(LuaError) -> LuaRef { try checked(clua_new_table(raw)) }
  public func globals() throws(LuaError) -> LuaRef { try checked(clua_globals(raw)) }

  /// A table's field, without metamethods; nil where there is none.
  public func field(_ table: LuaRef, _ name: String) -> LuaRef? {
    let ref = clua_field(raw, table.slot, name)
    return ref > 0 ? LuaRef(ref) : nil
  }

  public func setField(_ table: LuaRef, _ name: String, _ write: (inout LuaPack) -> Void) throws(LuaError) {
    let is_done = withPack(write) { clua_set_field(raw, table.slot, name, $0) }
    guard is_done else { throw takeError() }
  }

  public func setNative(_ table: LuaRef, _ name: String, _ native: LuaNative) throws(LuaError) {
    guard clua_set_native(raw, table.slot, name, native) else { throw takeError() }
  }

  /// `table.unyielding(function, ...)`: as `pcall`, but nothing inside can wait.
  package func setUnyielding(_ table: LuaRef) throws(LuaError) {
    guard clua_set_unyielding(raw, table.slot) else { throw takeError() }
  }

  /// `table.next_run()`: what follows in the run under way has a time budget of its own.
  package func setNextRun(_ table: LuaRef) throws(LuaError) {
    guard clua_set_next_run(raw, table.slot) else { throw takeError() }
  }

  public func plain(_ ref: LuaRef) throws(LuaError) -> LuaValue {
    var pack = clua_pack()
    defer { clua_pack_free(&pack) }
    guard clua_pack_ref_value(raw, ref.slot, &pack) else { throw takeError() }
    return LuaPackReader.values(pack).first ?? .nil
  }

  @inline(__always)
  public func release(_ ref: LuaRef) { clua_release(raw, ref.slot) }

  /// An object Lua code can hold and natives recognise by its tag; what it points to is the host's.
  public func makeObject(tag: UInt32) throws(LuaError) -> LuaObject {
    var box: UnsafeMutablePointer<clua_object_box>?
    let ref = try checked(clua_new_object(raw, tag, &box))
    return LuaObject(ref: ref, box: box!, vm: self)
  }

  // Calls that cannot wait

  public func callNow(_ function: LuaRef, _ arguments: (inout LuaPack) -> Void = { _ in }) throws(LuaError) -> [LuaValue] {
    var results = clua_pack()
    defer { clua_pack_free(&results) }
    let is_done = withPack(arguments) { clua_call(raw, function.slot, $0, &results, nil) }
    guard is_done else { throw takeError() }
    return LuaPackReader.values(results)
  }

  /// Calls and keeps the first result, whatever it is, as a reference.
  public func callNowRef(_ function: LuaRef, _ arguments: (inout LuaPack) -> Void = { _ in }) throws(LuaError) -> LuaRef {
    var first: clua_ref = 0
    let is_done = withPack(arguments) { clua_call(raw, function.slot, $0, nil, &first) }
    guard is_done else { throw takeError() }
    return LuaRef(first)
  }

  // Runs

  /// nil where there is no memory for one.
  public func makeThread() -> LuaThread? { LuaThread(self) }

  /// The thread of the run that executes now.
  public var currentThread: LuaThread? {
    guard let host = clua_current(raw)?.pointee.host else { return nil }
    return Unmanaged<LuaThread>.fromOpaque(host).takeUnretainedValue()
  }

  public func start(_ thread: LuaThread, _ function: LuaRef, _ arguments: (inout LuaPack) -> Void) -> LuaRunStatus {
    withPack(arguments) { Self.status(clua_start(thread.raw, function.slot, $0)) }
  }

  /// `receiver`'s call for each message that `next` gives: the message path, with no allocation but the Lua strings. Each
  /// call has a budget of its own; one that waits or fails ends the series. It is broken off where Lua has run for long: see
  /// ``hasRunLong``.
  @inline(__always)
  public func deliver(
    to receiver: LuaReceiver, in thread: LuaThread, from next: @escaping LuaMessageSource, _ context: UnsafeMutableRawPointer
  ) -> LuaRunStatus {
    Self.status(clua_deliver(thread.raw, receiver.raw, next, context))
  }

  /// The same with a decoder written in Lua: `look` gives all that has arrived.
  @inline(__always)
  public func deliver(
    to receiver: LuaReceiver, in thread: LuaThread, from look: @escaping LuaMessageSource, through decoder: LuaDecoder,
    _ context: UnsafeMutableRawPointer
  ) -> LuaRunStatus {
    Self.status(clua_deliver_decoded(thread.raw, receiver.raw, look, decoder.raw, context))
  }

  /// The memory that calling `receiver` in `thread` touches first, as addresses and counts of bytes.
  package func visitPlaces(of receiver: LuaReceiver, in thread: LuaThread, _ visit: (UnsafeRawPointer?, Int) -> Void) {
    visit(Unmanaged.passUnretained(self).toOpaque(), 32)
    withUnsafeTemporaryAllocation(of: clua_place_in_memory.self, capacity: 16) { places in
      for index in 0..<clua_places(thread.raw, receiver.raw, places.baseAddress, places.count) {
        visit(places[index].address, places[index].count)
      }
    }
  }

  /// The call that parked the thread returns these values.
  public func resume(_ thread: LuaThread, _ values: (inout LuaPack) -> Void) -> LuaRunStatus {
    withPack(values) { Self.status(clua_resume(thread.raw, $0)) }
  }

  /// The call that parked the thread raises this error.
  public func resume(_ thread: LuaThread, raising error: LuaError) -> LuaRunStatus {
    withPack({ $0.error(error) }, { Self.status(clua_resume_raising(thread.raw, $0)) })
  }

  // The view a decoder looks through

  public func setView(_ bytes: UnsafeRawBufferPointer) { clua_set_view(raw, bytes.baseAddress, bytes.count) }
  public func clearView() { clua_clear_view(raw) }
  public var view: LuaRef { LuaRef(clua_view(raw)) }

  @inline(__always)
  private static func status(_ raw: clua_status) -> LuaRunStatus {
    raw == CLUA_FINISHED ? .finished : raw == CLUA_PARKED ? .parked : .failed
  }

  private func withPack<Result>(
    _ write: (inout LuaPack) -> Void, _ body: (UnsafePointer<clua_pack>) -> Result
  ) -> Result {
    var raw = clua_pack()
    return withUnsafeMutablePointer(to: &raw) { pointer in
      var pack = LuaPack(pointer)
      write(&pack)
      defer { clua_pack_free(pointer) }
      return body(pointer)
    }
  }

  func checked(_ ref: clua_ref) throws(LuaError) -> LuaRef {
    guard ref > 0 else { throw takeError() }
    return LuaRef(ref)
  }

  private func takeError() -> LuaError {
    let (error, ref) = LuaError.taken(from: raw)
    release(ref)
    return error
  }
}

/// An object's place in Lua; its pointer may be changed or taken away at any time.
public struct LuaObject {
  public let ref: LuaRef
  private let box: UnsafeMutablePointer<clua_object_box>
  /// The box is memory of the VM's.
  private let vm: LuaVM

  init(ref: LuaRef, box: UnsafeMutablePointer<clua_object_box>, vm: LuaVM) {
    self.ref = ref
    self.box = box
    self.vm = vm
  }

  /// nil makes natives answer as for an object that is over. Valid while ``ref`` is held.
  public func setPointer(_ pointer: UnsafeMutableRawPointer?) {
    box.pointee.pointer = pointer
    clua_forget_handle(vm.raw)
  }
}
