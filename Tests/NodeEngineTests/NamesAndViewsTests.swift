import NodeCore
import Testing

@testable import NodeEngine

@Suite(.onEveryBackend) struct NamesAndViewsTests {
  @Test func `A node without a name gets one of its own`() throws {
    let names = try (0..<3).map { _ in try TestNode(Quiet()).node.name }
    #expect(Set(names).count == 3)
    #expect(names.allSatisfy { $0.hasPrefix("node-") })
  }

  @Test func `A name that was given is kept`() throws {
    #expect(try TestNode(Quiet()) { $0.name = "alice" }.node.name == "alice")
  }

  @Test func `What makes no sense is refused when the node is made, with the key`() {
    #expect {
      _ = try TestNode(Quiet()) { $0.maxConnections = 0 }
    } throws: { error in
      let error = error as? NodeError
      return error?.code == .configuration && error?.message.hasPrefix("max_connections: 0") == true
    }
  }

  @Test func `A node starts once`() async throws {
    try await withNode(Quiet()) { node in
      #expect(await failure { () throws(NodeError) in try await node.node.start() }?.code == .configuration)
      await node.node.shutDown()
      #expect(await failure { () throws(NodeError) in try await node.node.start() }?.code == .shutdown)
    }
  }

  @Test func `Both sides see one connection, each with its own end`() async throws {
    let a = Recorder()
    let b = Recorder()
    try await withNode(a) { one in
      try await withNode(b) { two in
        let info = try await one.dial(two)
        try await eventually("the other side has it") { await two.connected == 1 }
        let other = await two.node.connections()[0]
        #expect(info.side == .initiator && other.side == .responder)
        #expect(info.address == (await two.address) && info.localAddress == other.address)
        #expect(other.localAddress == info.address)
        #expect(await one.node.connections() == [info])
        #expect(info.peer == nil)
      }
    }
  }

  @Test func `The views agree at every step`() async throws {
    try await withNode(Recorder()) { hub in
      try await withNode(Recorder()) { spoke in
        for round in 0..<5 {
          let info = try await spoke.dial(hub)
          try await eventually("it is there") { await hub.connected == 1 }
          #expect(await hub.node.counts == (1, 0))
          #expect(await hub.node.connections().count == 1)
          #expect(await hub.inconsistency() == nil)
          #expect(await spoke.inconsistency() == nil)
          #expect(await spoke.node.disconnect(round.isMultiple(of: 2) ? info.id : info.id))
          try await eventually("it is gone") { await hub.connected == 0 }
          #expect(await spoke.node.counts == (0, 0))
          #expect(await spoke.node.connections().isEmpty)
        }
      }
    }
  }

  @Test func `Connections are listed in the order they came up, and numbers are not used again`() async throws {
    try await withNode(Recorder()) { hub in
      try await withNode(Recorder()) { a in
        try await withNode(Recorder()) { b in
          let first = try await hub.dial(a)
          let second = try await hub.dial(b)
          #expect(await hub.node.connections().map(\.id) == [first.id, second.id])
          await hub.node.disconnect(first.id)
          let third = try await hub.dial(a)
          #expect(third.id > second.id)
          #expect(await hub.node.connections().map(\.id) == [second.id, third.id])
        }
      }
    }
  }
}
