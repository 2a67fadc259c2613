import Logging
import Testing

/// Every fault in every hook: the report says where, the connection or the node pays, and an innocent node on the same
/// thread goes on answering.
@Suite(.serialized, .timeLimit(.minutes(5))) struct FaultMatrixTests {
  @Test(arguments: FaultyHook.all) func `An error costs what it should and no more`(hook: FaultyHook) async throws {
    let level: Logger.Level = hook.payer == .decoding ? .info : .error
    try await Neighbourhood.with { try await $0.suffer(Fault.errors, in: hook, level: level) }
  }

  @Test(arguments: FaultyHook.all) func `A run over its budget costs what it should and no more`(hook: FaultyHook) async throws {
    try await Neighbourhood.with { try await $0.suffer(Fault.budgets, in: hook) }
  }

  @Test(arguments: [FaultyHook.custom, .size]) func `A decoder that answers nonsense costs its connection`(hook: FaultyHook)
    async throws
  {
    try await Neighbourhood.with { try await $0.suffer(Fault.nonsense, in: hook) }
  }
}
