import Glibc
import NodeEngine

// Writing to a closed pipe is an error like any other here, not the end of the process.
signal(SIGPIPE, SIG_IGN)
// Ctrl-\\ is no crash that the runtime has to report on.
signal(SIGQUIT, SIG_DFL)
DescriptorLimit.raise()
Output.reserveStandardDescriptors()
ThreadRoom.require()
await CommandLineRun(Array(CommandLine.arguments.dropFirst())).finish()
