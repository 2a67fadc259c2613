import CEpoll

/// The memory that handling a connection's bytes touches, as far as it is known.
///
/// In a process of many nodes each one's is cold when its turn comes, and what is found by following one pointer after the other
/// is waited for one after the other. A socket loop has the processor fetch all of it at once, while the kernel hands over
/// the bytes. A hint and no more: it is never looked at, so it may be out of date.
public struct Footprint {
  /// Addresses, with the number of cache lines above bit 48.
  private(set) var places: [UInt64] = []
  private static let line: UInt = 64

  /// Adds an object with its stored properties, or as many of them as stand on its first lines.
  public mutating func add(_ object: AnyObject, lines: Int = 16) {
    let address = Unmanaged.passUnretained(object).toOpaque()
    add(address, min(cepoll_block_size(address), lines * Int(Self.line)))
  }

  /// Adds `count` bytes; nil adds nothing.
  public mutating func add(_ address: UnsafeRawPointer?, _ count: Int) {
    guard let address, count > 0 else { return }
    let start = UInt(bitPattern: address) & ~(Self.line - 1)
    let lines = (UInt(bitPattern: address) + UInt(count) - start + Self.line - 1) / Self.line
    places.append(UInt64(start) | UInt64(lines) << 48)
  }
}
