import Logging
import NodeCore
import Synchronization
import Testing

@testable import NodeEngine

@Suite(.onEveryBackend) struct ConnectingTests {
  @Test func `A disconnect is seen by both and by nobody else`() async throws {
    let logics = (0..<3).map { _ in Recorder() }
    try await withNode(Recorder()) { hub in
      try await withNode(logics[0]) { a in
        try await withNode(logics[1]) { b in
          try await withNode(logics[2]) { c in
            for node in [a, b, c] { try await node.dial(hub) }
            try await eventually("all are there") { await hub.connected == 3 }
            await b.node.disconnect(await hub.address)
            try await eventually("one is gone") { await hub.connected == 2 }
            #expect(await a.connected == 1)
            #expect(await b.connected == 0)
            #expect(await c.connected == 1)
            for info in await hub.node.connections() { try await hub.node.send([9], to: info.id) }
            try await eventually("the others still hear") { logics[0].messages == [[9]] && logics[2].messages == [[9]] }
          }
        }
      }
    }
  }

  @Test func `A peer that breaks the rules harms only itself`() async throws {
    let echo = Echo()
    try await withNode(echo) { hub in
      let good = try (0..<3).map { _ in try RawSocket(to: RawAddress.of(hub)) }
      let bad = try RawSocket(to: await hub.address)
      try await eventually("all are there") { await hub.connected == 4 }
      bad.send([255, 255, 255, 255, 1, 2, 3])
      try await eventually("it is gone") { await hub.connected == 3 }
      for raw in good {
        raw.send(frame([1]))
        #expect(try await raw.receive(5) == frame([1]))
      }
      #expect(await hub.node.heuristics().decodeErrors == 1)
    }
  }

  @Test func `A name server that does not answer is waited for as long as a peer`() async throws {
    let environment = Backend.current.environment(logger: Logger(label: "test") { _ in SwiftLogNoOpLogHandler() })
    let transport = SilentNames(environment.transport)
    let silent = NodeEnvironment(scheduler: environment.scheduler, transport: transport, logger: environment.logger)
    try await withNode(Quiet(), in: silent, { $0.connectionTimeout = .milliseconds(20) }) { node in
      let name = try PeerAddress(parsing: "somewhere.example:80")
      let error = await failure { () throws(NodeError) in _ = try await node.node.connect(to: name) }
      #expect(error?.code == .timeout)
      #expect(
        error?.message == "cannot connect to somewhere.example:80: no address was found for somewhere.example within 0.02 s")
      #expect(await node.node.counts == (0, 0))
      // An answer that comes late changes nothing.
      await node.look { _ in transport.answer() }
      #expect(await node.node.counts == (0, 0))
      let options = DialOptions(timeout: .milliseconds(10))
      #expect(
        await failure { () throws(NodeError) in _ = try await node.node.connect(to: name, options: options) }?.code == .timeout)
      await node.look { _ in transport.answer() }
    }
  }

  @Test func `Nobody listens there`() async throws {
    let address = try PeerAddress.unused()
    try await withNode(Quiet()) { node in
      let error = await failure { () throws(NodeError) in _ = try await node.node.connect(to: address) }
      #expect(error?.code == .refused)
      #expect(error?.message.contains("\(address)") == true)
      #expect(await node.node.counts == (0, 0))
    }
  }

  @Test func `A socket that the system connects to itself is no connection`() async throws {
    let address = try PeerAddress.unused()
    try await withNode(Quiet()) { node in
      let options = DialOptions(localAddress: address, reusePort: true)
      let error = await failure { () throws(NodeError) in _ = try await node.node.connect(to: address, options: options) }
      #expect(error?.code == .refused)
      #expect(error?.message.contains("itself") == true)
      #expect(await node.node.counts == (0, 0))
    }
  }

  @Test func `Who does not answer times out, and its place is free`() async throws {
    let listener = try RawListener(backlog: 0)
    let fillers = (0..<4).map { _ in RawSocket(dialling: listener.address) }
    try await withNode(Quiet(), { $0.connectionTimeout = .milliseconds(100) }) { node in
      let error = await failure { () throws(NodeError) in _ = try await node.node.connect(to: listener.address) }
      #expect(error?.code == .timeout)
      #expect(await node.node.counts == (0, 0))
      var options = DialOptions()
      options.timeout = .milliseconds(50)
      #expect(
        await failure { () throws(NodeError) in _ = try await node.node.connect(to: listener.address, options: options) }?.code
          == .timeout)
    }
    fillers.forEach { $0.close() }
  }

  @Test(arguments: ["127.0.0.1:0", "0.0.0.0:0", "[::]:0", "[::1]:0"])
  func `A node does not connect to itself`(wish: String) async throws {
    try await withNode(Recorder(), { $0.listen = [try! PeerAddress(parsing: wish)] }) { node in
      let own = await node.address
      var ways = [own]
      if own.ip!.isUnspecified { ways += ["127.0.0.1", "127.1.2.3"].map { .ip(IPAddress($0)!, port: own.port!) } }
      if own.ip == .loopback {
        ways += [
          .name("localhost", port: own.port!), .ip(IPAddress("0.0.0.0")!, port: own.port!),
          .ip(IPAddress("::ffff:127.0.0.1")!, port: own.port!),
        ]
      }
      for way in ways {
        let error = await failure { () throws(NodeError) in _ = try await node.node.connect(to: way) }
        #expect(error?.code == .own, "\(way): \(error.map { "\($0)" } ?? "connected")")
      }
      #expect(await node.node.counts == (0, 0))
      #expect(await node.node.heuristics().dialsRefused == 0)
    }
  }

  @Test func `A second connection to one address is refused, pending or live`() async throws {
    let door = Door()
    try await withNode(Recorder()) { listener in
      try await withNode(Shaker(.wait(door)), { $0.handshakeTimeout = .seconds(600) }) { dialler in
        let address = await listener.address
        let outcome = Mutex<NodeError?>(nil)
        async let first = {
          do throws(NodeError) {
            return try await dialler.node.connect(to: address)
          } catch {
            outcome.withLock { $0 = error }
            throw error
          }
        }()
        try await eventually("the first is under way") {
          if let error = outcome.withLock({ $0 }) { throw error }
          return await dialler.connecting == 1
        }
        #expect(await failure { () throws(NodeError) in _ = try await dialler.node.connect(to: address) }?.code == .duplicate)
        door.open()
        _ = try await first
        #expect(await failure { () throws(NodeError) in _ = try await dialler.node.connect(to: address) }?.code == .duplicate)
        #expect(await dialler.node.counts == (1, 0))
        await dialler.node.disconnect(address)
        try await dialler.dial(listener)
      }
    }
  }

  @Test func `Two nodes may have a connection each way`() async throws {
    let a = Recorder()
    let b = Recorder()
    try await withNode(a) { one in
      try await withNode(b) { two in
        let out = try await one.dial(two)
        let back = try await two.dial(one)
        try await eventually("both have both") { await (one.connected, two.connected) == (2, 2) }
        try await one.node.send([1], to: out.id)
        try await two.node.send([2], to: back.id)
        try await eventually("each has its message") { b.messages == [[1]] && a.messages == [[2]] }
      }
    }
  }

  @Test func `Connecting is observable on both sides`() async throws {
    let door = Door()
    try await withNode(Shaker(.wait(door))) { listener in
      try await withNode(Shaker(.wait(door))) { dialler in
        async let info = dialler.dial(listener)
        try await eventually("both are setting up") { await (listener.connecting, dialler.connecting) == (1, 1) }
        #expect(await listener.node.connections().isEmpty)
        door.open()
        _ = try await info
        try await eventually("both are up") { await (listener.connected, dialler.connected) == (1, 1) }
      }
    }
  }

  @Test func `A cancelled dial gives its place back, in the connect and in the handshake`() async throws {
    let listener = try RawListener(backlog: 0)
    let fillers = (0..<4).map { _ in RawSocket(dialling: listener.address) }
    try await withNode(Shaker(.read), { ($0.connectionTimeout, $0.handshakeTimeout) = (.seconds(60), .seconds(60)) }) { node in
      try await withNode(Quiet()) { silent in
        for address in [listener.address, await silent.address] {
          let dial = Task { await failure { () throws(NodeError) in _ = try await node.node.connect(to: address) } }
          try await eventually("it is under way") { await node.connecting == 1 }
          dial.cancel()
          #expect(await dial.value?.code == .cancelled)
          #expect(await node.node.counts == (0, 0))
        }
        try await eventually("the other side lets go too") { await silent.connected == 0 }
      }
      #expect(node.logic.connects.isEmpty)
    }
    fillers.forEach { $0.close() }
  }

  @Test func `A cancelled dial holds no socket until its time is over`() async throws {
    let full = try RawListener(backlog: 0)
    let fillers = (0..<4).map { _ in RawSocket(dialling: full.address) }
    let open = try RawListener()
    // As long as the dial has its socket, nobody else can bind it.
    let port = try PeerAddress.unused()
    try await withNode(Quiet(), { $0.connectionTimeout = .seconds(600) }) { node in
      let options = DialOptions(localAddress: port)
      let dial = Task {
        await failure { () throws(NodeError) in _ = try await node.node.connect(to: full.address, options: options) }
      }
      try await eventually("it is under way") { await node.connecting == 1 }
      #expect(throws: SocketFailure.self) { try RawSocket(to: open.address, from: port) }
      dial.cancel()
      #expect(await dial.value?.code == .cancelled)
      try await eventually("its socket is gone") { (try? RawSocket(to: open.address, from: port)) != nil }
    }
    fillers.forEach { $0.close() }
  }

  @Test func `A dial that is cancelled before it starts ends as cancelled`() async throws {
    try await withNode(Quiet()) { node in
      let listener = try RawListener()
      let dial = Task {
        try? await Task.sleep(for: .seconds(3600))
        return await failure { () throws(NodeError) in _ = try await node.node.connect(to: listener.address) }
      }
      dial.cancel()
      #expect(await dial.value?.code == .cancelled)
      #expect(await node.node.counts == (0, 0))
    }
  }

  @Test func `localhost is dialled by its name`() async throws {
    try await withNode(Echo()) { server in
      let client = Recorder()
      try await withNode(client) { node in
        let info = try await node.node.connect(to: .name("localhost", port: await server.address.port!))
        #expect(info.address == (await server.address))
        try await node.node.send([5], to: info.id)
        try await eventually("the answer is there") { client.messages == [[5]] }
      }
    }
  }

  @Test func `The local end can be chosen`() async throws {
    try await withNode(Recorder()) { server in
      try await withNode(Recorder()) { client in
        let info = try await client.node.connect(
          to: await server.address, options: DialOptions(localAddress: .ip(IPAddress("127.0.0.9")!, port: 0)))
        #expect(info.localAddress.ip == IPAddress("127.0.0.9"))
        try await eventually("it is there") { await server.node.connections().first?.address == info.localAddress }
      }
    }
  }
}
