/// Looks for a delimiter in bytes that only grow at their end: each is looked at once, however often it is asked.
package struct DelimiterSearch {
  private let delimiter: [UInt8]
  /// No delimiter begins before this place.
  private var searched = 0

  /// For a delimiter of at least one byte.
  package init(_ delimiter: [UInt8]) { self.delimiter = delimiter }

  /// Where it first stands; `bytes` begins with what was looked at before.
  package mutating func find(in bytes: UnsafeRawBufferPointer) -> Int? {
    if let index = bytes.firstIndex(of: delimiter, from: searched) { return index }
    searched = max(searched, bytes.count - delimiter.count + 1)
    return nil
  }
}
