import FuzzSupport
import Glibc
import GuidedCoverage

// The targets of the tests under libFuzzer: `make fuzz-guided`, Tests/fuzz/guided.
//   Guided --list                   names the targets
//   Guided --seeds TARGET FOLDER    writes the seeds and the corpus of one
//   Guided TARGET [libFuzzer's arguments]

func usage() -> Never {
  print("Guided --list | --seeds TARGET FOLDER | TARGET [ARGUMENT…]; targets: \(GuidedTarget.names.joined(separator: ", "))")
  exit(64)
}

let words = Array(CommandLine.arguments.dropFirst())
if words == ["--list"] {
  for name in GuidedTarget.names { print(name) }
  exit(0)
}
let isForSeeds = words.first == "--seeds"
guard let name = words.dropFirst(isForSeeds ? 1 : 0).first, let target = try GuidedTarget.named(name) else { usage() }
if isForSeeds {
  guard words.count == 3 else { usage() }
  for (index, seed) in (target.seeds + target.corpus).enumerated() {
    guard let file = fopen("\(words[2])/seed-\(index)", "w") else { usage() }
    fwrite(seed, 1, seed.count, file)
    fclose(file)
  }
  exit(0)
}
GuidedTarget.chosen = target
// Without the target's name.
var count = CommandLine.argc - 1
var arguments: UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>? = CommandLine.unsafeArgv + 1
arguments?[0] = CommandLine.unsafeArgv[0]
exit(LLVMFuzzerRunDriver(&count, &arguments) { GuidedTarget.check($0, $1) })
