public import NodeEngine

/// Runs the body with event loops of its own, which end with it: what holds one up (an endless loop, say) holds up no other test.
public func withLoops<T>(_ body: (EpollLoops) async throws -> T) async rethrows -> T {
  let loops = EpollLoops(count: 2)
  do {
    let result = try await body(loops)
    await loops.shutDown()
    return result
  } catch {
    await loops.shutDown()
    throw error
  }
}
