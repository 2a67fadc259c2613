import Testing

@testable import Benchmarks

/// A quick run has fewer connections, nodes and reloads than a case's name says: the table says how many it had.
struct CaseTitleTests {
  @Test func `A title has the number that a run had`() throws {
    let idle = try #require(Case.named("idle-10000"))
    #expect(idle.title() == ("idle-10000", "memory per idle connection, of 10,000"))
    #expect(idle.title(of: 1000) == ("idle-1000", "memory per idle connection, of 1,000"))
    let reload = try #require(Case.named("reload"))
    #expect(reload.title(of: 100).name == "reload")
    #expect(reload.title(of: 100).summary.hasPrefix("100 reloads under load"))
    #expect(try #require(Case.named("echo-64-lua-one-loop")).title().name == "echo-64-lua-one-loop")
  }

  @Test(arguments: Case.all.map(\.name))
  func `No title has a place left for a number`(name: String) throws {
    let title = try #require(Case.named(name)).title()
    #expect(!title.summary.contains("%"))
  }
}
