import TestNetwork

/// A test run as JUnit XML: a `testsuite` per file, a `testcase` per scenario.
struct JUnitReport: Sendable {
  func text(_ entries: [TestEntry], duration: Duration) -> String {
    var files: [String] = []
    for entry in entries where !files.contains(entry.file) { files.append(entry.file) }
    var xml = "<?xml version=\"1.0\" encoding=\"UTF-8\"?>\n"
    xml += "<testsuites name=\"moonpeer\"\(Self.counts(entries)) time=\"\(duration.secondsText)\">\n"
    for file in files {
      let own = entries.filter { $0.file == file }
      let time = own.reduce(Duration.zero) { $0 + $1.duration }
      xml += "  <testsuite name=\"\(Self.attribute(file))\"\(Self.counts(own)) skipped=\"0\" time=\"\(time.secondsText)\">\n"
      for entry in own { xml += Self.testcase(entry) }
      xml += "  </testsuite>\n"
    }
    return xml + "</testsuites>\n"
  }

  private static func counts(_ entries: [TestEntry]) -> String {
    var failures = 0
    var errors = 0
    for entry in entries {
      switch entry.outcome {
      case .passed: break
      case .failed: failures += 1
      case .unloadable: errors += 1
      }
    }
    return " tests=\"\(entries.count)\" failures=\"\(failures)\" errors=\"\(errors)\""
  }

  private static func testcase(_ entry: TestEntry) -> String {
    let name = attribute(entry.name)
    let head = "    <testcase classname=\"\(attribute(entry.file))\" name=\"\(name)\" time=\"\(entry.duration.secondsText)\""
    switch entry.outcome {
    case .passed: return head + "/>\n"
    case .unloadable(let reason):
      return head + ">\n      <error message=\"\(attribute(reason))\" type=\"load\"/>\n    </testcase>\n"
    case .failed(let failure):
      let place = failure.location ?? entry.location
      let details = ["\(place): \(failure.message)", failure.traceback].compactMap { $0 }.joined(separator: "\n")
      var xml =
        head + ">\n      <failure message=\"\(attribute(failure.message))\" type=\"scenario\">\(content(details))</failure>\n"
      if !failure.log.isEmpty { xml += "      <system-out>\(content(failure.log.joined(separator: "\n")))</system-out>\n" }
      return xml + "    </testcase>\n"
    }
  }

  private static func attribute(_ text: String) -> String {
    content(text).replacing("\"", with: "&quot;").replacing("\n", with: "&#10;").replacing("\t", with: "&#9;")
  }

  private static func content(_ text: String) -> String {
    var result = ""
    for scalar in text.unicodeScalars {
      switch scalar {
      case "&": result += "&amp;"
      case "<": result += "&lt;"
      case ">": result += "&gt;"
      case "\r": result += "&#13;"
      case "\n", "\t": result.unicodeScalars.append(scalar)
      // No XML 1.0 document may contain these, not even as references (section 2.2).
      case _ where scalar.value < 0x20 || (0xFFFE...0xFFFF).contains(scalar.value): result += "\u{FFFD}"
      default: result.unicodeScalars.append(scalar)
      }
    }
    return result
  }
}
