import NodeCore
import Testing

@Suite struct AddressTests {
  private func parsed(_ text: String) -> String? { (try? PeerAddress(parsing: text))?.description }
  private func refusal(_ text: String) -> String? {
    do {
      _ = try PeerAddress(parsing: text)
      return nil
    } catch {
      #expect(error.code == .address)
      return error.message
    }
  }

  @Test(arguments: [
    ("127.0.0.1:4000", "127.0.0.1:4000"), ("0.0.0.0:0", "0.0.0.0:0"), ("[::1]:65535", "[::1]:65535"),
    ("[2001:0DB8:0:0:0:0:0:1]:1", "[2001:db8::1]:1"), ("[fe80::1%lo]:80", "[fe80::1%lo]:80"),
    ("localhost:80", "localhost:80"), ("a-b_c.example.com:1", "a-b_c.example.com:1"), ("unix:/run/x.sock", "unix:/run/x.sock"),
    ("unix:relative", "unix:relative"),
  ])
  func `An address is read and written`(text: String, expected: String) {
    #expect(parsed(text) == expected)
    #expect(parsed(expected) == expected)
  }

  @Test(arguments: ["[::ffff:1.2.3.4]:9", "[::FFFF:102:304]:9"])
  func `An IPv4 address mapped into IPv6 is the IPv4 one`(text: String) throws {
    #expect(try PeerAddress(parsing: text) == .ip(IPAddress("1.2.3.4")!, port: 9))
    #expect(parsed(text) == "1.2.3.4:9")
  }

  @Test(arguments: [
    ("", "the port is missing"), ("127.0.0.1", "the port is missing"), (":80", "the host is missing"),
    ("127.0.0.1:", "the port \"\""), ("127.0.0.1:65536", "0 to 65535"), ("127.0.0.1:-1", "0 to 65535"),
    ("127.0.0.1:+1", "0 to 65535"), ("127.0.0.1:٣", "0 to 65535"), ("127.0.0.1: 80", "0 to 65535"),
    ("1.2.3:80", "is not an IPv4 address"), ("1.2.3.256:80", "is not an IPv4 address"),
    ("1.2.3.4.5:80", "is not an IPv4 address"),
    ("::1:80", "needs brackets"), ("[::1]", "the port is missing"), ("[::1]80", "the port is missing"),
    ("[::1:80", "the ] is missing"),
    ("[127.0.0.1]:80", "is not an IPv6 address"), ("[::g]:80", "is not an IPv6 address"),
    ("[fe80::1%]:80", "is not an IPv6 address"),
    ("ho st:80", "neither an IP address nor a host name"), ("höst:80", "neither"), ("a\0b:80", "neither"),
    ("unix:", "the path is missing"), ("unix:a\0b", "a zero byte"),
    ("unix:/" + String(repeating: "x", count: 107), "longer than 107 bytes"),
  ])
  func `Junk is refused, with the reason and what is expected`(text: String, why: String) {
    let message = refusal(text)
    #expect(message?.contains(why) == true, "\(message ?? "accepted")")
    #expect(message?.contains("unix:/path") == true)
  }

  @Test func `A path of just the longest length is taken`() {
    #expect(refusal("unix:/" + String(repeating: "x", count: 106)) == nil)
  }

  @Test func `Only 4 or 16 bytes are an IP address`() {
    for count in 0...20 { #expect((IPAddress(bytes: Array(repeating: 1, count: count)) != nil) == [4, 16].contains(count)) }
    #expect(IPAddress(bytes: Array(repeating: 0, count: 10) + [255, 255, 9, 8, 7, 6]) == IPAddress("9.8.7.6"))
  }

  @Test func `Loopback and wildcard are known`() {
    for text in ["127.0.0.1", "127.9.9.9", "::1", "::ffff:127.0.0.1"] { #expect(IPAddress(text)!.isLoopback) }
    for text in ["128.0.0.1", "::2", "0.0.0.0", "::"] { #expect(!IPAddress(text)!.isLoopback) }
    for text in ["0.0.0.0", "::"] { #expect(IPAddress(text)!.isUnspecified) }
  }

  @Test func `A subnet is the first 24 or 64 bits`() {
    #expect(IPAddress("10.1.2.3")!.subnet == IPAddress("10.1.2.250")!.subnet)
    #expect(IPAddress("10.1.2.3")!.subnet != IPAddress("10.1.3.3")!.subnet)
    #expect(IPAddress("2001:db8:1:2::1")!.subnet == IPAddress("2001:db8:1:2:ffff::9")!.subnet)
    #expect(IPAddress("2001:db8:1:2::1")!.subnet != IPAddress("2001:db8:1:3::1")!.subnet)
  }

  @Test(arguments: [
    ("127.0.0.1:1", "127.0.0.1:1", true), ("127.0.0.1:1", "127.0.0.1:2", false), ("127.0.0.1:1", "0.0.0.0:1", true),
    ("[::1]:1", "[::]:1", true), ("0.0.0.0:1", "0.0.0.0:1", true), ("0.0.0.0:1", "127.0.0.1:1", true),
    ("127.0.0.2:1", "127.0.0.1:1", false), ("10.0.0.1:1", "0.0.0.0:1", false), ("unix:/a", "unix:/a", true),
    ("unix:/a", "unix:/b", false), ("unix:/a", "127.0.0.1:1", false), ("127.0.0.1:0", "0.0.0.0:0", false),
  ])
  func `Whether a dial reaches one's own listener`(dial: String, listener: String, expected: Bool) throws {
    #expect(try PeerAddress(parsing: dial).reaches(PeerAddress(parsing: listener)) == expected)
  }

  @Test func `Any text is read or refused, and what is read is written the same`() {
    var generator = SeededGenerator(seed: 7)
    let pieces = ["127.0.0.1", "[", "]", "::1", ":", "80", "unix:", "/x", "host", ".", "%", "ffff", "é", "\0", " ", "-"]
    for _ in 0..<5000 {
      let text = (0..<Int.random(in: 0...6, using: &generator)).map { _ in pieces.randomElement(using: &generator)! }.joined()
      guard let address = try? PeerAddress(parsing: text) else { continue }
      #expect((try? PeerAddress(parsing: "\(address)")) == address, "\(text)")
    }
  }
}
