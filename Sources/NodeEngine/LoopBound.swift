/// Carries a value that belongs to one scheduler's loop through code that runs elsewhere.
///
/// Unchecked: whoever takes the value out does so on that loop, which `execute` and the node's isolation see to.
package struct LoopBound<Value>: @unchecked Sendable {
  package let value: Value
  package init(_ value: Value) { self.value = value }
}
