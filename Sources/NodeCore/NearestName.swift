/// The name that was probably meant.
public enum NearestName {
  /// The closest of the names by edits (a swap of neighbours counts one), or nil where none is close.
  public static func suggestion(for word: String, among names: [String]) -> String? {
    let word = Array(word.lowercased().utf8)
    let limit = max(1, min(3, word.count / 2))
    var best: (name: String, distance: Int)?
    for name in names.sorted() {
      let distance = edits(word, Array(name.lowercased().utf8))
      if distance <= limit, distance < best?.distance ?? Int.max { best = (name, distance) }
    }
    return best?.name
  }

  /// `; did you mean "x"?`, or nothing.
  public static func hint(for word: String, among names: [String]) -> String {
    suggestion(for: word, among: names).map { "; did you mean \"\($0)\"?" } ?? ""
  }

  // Optimal string alignment (Damerau–Levenshtein with each substring edited once).
  private static func edits(_ a: [UInt8], _ b: [UInt8]) -> Int {
    guard !a.isEmpty, !b.isEmpty else { return max(a.count, b.count) }
    var before: [Int] = []
    var last = Array(0...b.count)
    for i in 1...a.count {
      var row = [i]
      for j in 1...b.count {
        var cost = min(last[j] + 1, row[j - 1] + 1, last[j - 1] + (a[i - 1] == b[j - 1] ? 0 : 1))
        if i > 1, j > 1, a[i - 1] == b[j - 2], a[i - 2] == b[j - 1] { cost = min(cost, before[j - 2] + 1) }
        row.append(cost)
      }
      before = last
      last = row
    }
    return last[b.count]
  }
}
