import LuaHost

/// A VM with a few natives, as a host would set it up.
final class Machine {
  let vm: LuaVM
  private let anchor: UnsafeMutablePointer<Unmanaged<Machine>?>

  init(
    memory: Int = 16 << 20, time: Duration = .seconds(30), libraries: LuaLibraries = .sandboxed,
    natives: [(String, LuaNative)] = Machine.natives
  ) throws {
    anchor = .allocate(capacity: 1)
    anchor.initialize(to: nil)
    do throws(LuaError) {
      vm = try LuaVM(
        limits: LuaLimits(memory: memory, time: time), libraries: libraries, context: UnsafeMutableRawPointer(anchor))
    } catch {
      anchor.deallocate()
      throw error
    }
    anchor.pointee = Unmanaged.passUnretained(self)
    let globals = try vm.globals()
    for (name, native) in natives { try vm.setNative(globals, name, native) }
    vm.release(globals)
  }

  deinit {
    anchor.deallocate()
  }

  static func of(_ call: LuaCall) -> Machine {
    call.context!.assumingMemoryBound(to: Unmanaged<Machine>?.self).pointee!.takeUnretainedValue()
  }

  /// Runs the code as a call that cannot wait.
  @discardableResult
  func run(_ code: String, _ arguments: (inout LuaPack) -> Void = { _ in }) throws(LuaError) -> [LuaValue] {
    let chunk = try vm.load(code, chunkName: "@test.lua")
    defer { vm.release(chunk) }
    return try vm.callNow(chunk, arguments)
  }

  /// What running the code fails with.
  func failure(_ code: String) -> LuaError? {
    do throws(LuaError) {
      try run(code)
      return nil
    } catch {
      return error
    }
  }

  /// Starts the code in a thread of its own.
  func start(
    _ code: String, in thread: LuaThread? = nil, _ arguments: (inout LuaPack) -> Void = { _ in }
  ) throws -> (thread: LuaThread, status: LuaRunStatus) {
    let chunk = try vm.load(code, chunkName: "@test.lua")
    defer { vm.release(chunk) }
    guard let thread = thread ?? vm.makeThread() else { throw LuaError(kind: .memory, message: "no memory for a thread") }
    return (thread, vm.start(thread, chunk, arguments))
  }

  /// Runs the code in a thread, answering every wait with its number, until it ends.
  func finish(_ code: String) throws -> [LuaValue] {
    var (thread, status) = try start(code)
    var waits: Int64 = 0
    while status == .parked {
      waits += 1
      let answer = waits
      status = vm.resume(thread) { $0.integer(answer) }
    }
    guard status == .finished else {
      let (error, value) = thread.takeFailure()
      vm.release(value)
      throw error
    }
    return try thread.results()
  }

  /// The failure of a run in a thread.
  func takeFailure(_ thread: LuaThread) -> LuaError {
    let (error, value) = thread.takeFailure()
    vm.release(value)
    return error
  }

  static let natives: [(String, LuaNative)] = [
    ("park", park), ("fail", fail), ("misuse", misuse), ("echo", echo), ("back", back),
  ]

  /// park() waits for the host
  private static let park: LuaNative = { state in
    let call = LuaCall(state)
    guard call.canPark else { return call.raise("usage", "cannot wait here") }
    return call.park()
  }

  /// fail(text) raises an error table of kind `failed`
  private static let fail: LuaNative = { state in
    let call = LuaCall(state)
    return call.raise("failed", call.string(1) ?? "it failed")
  }

  /// misuse() raises a mistake of its caller's
  private static let misuse: LuaNative = { state in LuaCall(state).raise("usage", "used wrongly") }

  /// echo(value) → the value, by way of Swift
  private static let echo: LuaNative = { state in
    let call = LuaCall(state)
    do throws(LuaError) {
      let value = try call.plain(1)
      return call.returns { $0.value(value) }
    } catch {
      return call.raise("type", error.message)
    }
  }

  /// back(fn) → what fn returns, called by Swift
  private static let back: LuaNative = { state in
    let call = LuaCall(state)
    let vm = Machine.of(call).vm
    guard let function = call.ref(1) else { return call.raise("usage", "a function is expected") }
    defer { vm.release(function) }
    do throws(LuaError) {
      let values = try vm.callNow(function)
      return call.returns { pack in values.forEach { pack.value($0) } }
    } catch {
      return call.raise("failed", error.message)
    }
  }
}
