import NodeCore
import Testing

@Suite struct NearestNameTests {
  @Test(arguments: [
    ("procces_message", "process_message"), ("onconnect", "on_connect"), ("codce", "codec"), ("CODEC", "codec"), ("cdc", nil),
    ("", nil),
    ("something_else_entirely", nil), ("on_conect", "on_connect"),
  ])
  func `The name that was meant`(word: String, expected: String?) {
    #expect(NearestName.suggestion(for: word, among: ["codec", "on_connect", "on_disconnect", "process_message"]) == expected)
  }

  @Test func `Of two as near the first by name`() {
    #expect(NearestName.suggestion(for: "bat", among: ["cat", "hat", "bar"]) == "bar")
  }

  @Test func `A hint is a question, or nothing`() {
    #expect(NearestName.hint(for: "codce", among: ["codec"]) == "; did you mean \"codec\"?")
    #expect(NearestName.hint(for: "zzz", among: ["codec"]) == "")
    #expect(NearestName.suggestion(for: "x", among: []) == nil)
  }
}
