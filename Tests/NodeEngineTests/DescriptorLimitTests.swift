import NodeEngine
import Testing

@Suite struct DescriptorLimitTests {
  @Test func `Only what is too little is said, with what is there and what to do`() throws {
    let limit = DescriptorLimit(current: 1000, most: 4000)
    #expect(limit.shortage(of: 1000) == nil)
    let text = try #require(limit.shortage(of: 1001))
    for part in ["up to 1001 open files", "allows this process 1000", "ulimit -n 1001", "hard limit of 4000"] {
      #expect(text.contains(part), "\(text)")
    }
  }

  @Test func `Raised, it is what the system allows at most`() {
    let limit = DescriptorLimit.raise()
    #expect(limit.current == limit.most || limit.most > 1 << 20)
    #expect(DescriptorLimit.raise() == limit)
  }
}
