import Glibc
import NodeEngine

// Writing to a closed pipe is an error like any other here, not the end of the process.
signal(SIGPIPE, SIG_IGN)
DescriptorLimit.raise()
Output.reserveStandardDescriptors()
await CommandLineRun(Array(CommandLine.arguments.dropFirst())).finish()
