/// Something that should have been so.
struct NotSo: Error, CustomStringConvertible {
  var description: String
}
