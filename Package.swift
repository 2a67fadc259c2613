// swift-tools-version:6.2
import PackageDescription

let strict: [SwiftSetting] = [
  .treatAllWarnings(as: .error),
  .enableUpcomingFeature("ExistentialAny"),
  .enableUpcomingFeature("InternalImportsByDefault"),
  .enableUpcomingFeature("MemberImportVisibility"),
]

func engine(_ name: String) -> Target.Dependency { .product(name: name, package: "swift-nio") }
let logging: Target.Dependency = .product(name: "Logging", package: "swift-log")
let metrics: Target.Dependency = .product(name: "CoreMetrics", package: "swift-metrics")
let lifecycle: Target.Dependency = .product(name: "ServiceLifecycle", package: "swift-service-lifecycle")

let package = Package(
  name: "moonpeer",
  products: [
    // With the modules whose types show in their interfaces: addresses and configuration, values of Lua.
    .library(name: "NodeEngine", targets: ["NodeEngine", "NodeCore"]),
    .library(name: "NodeScripting", targets: ["NodeScripting", "LuaHost"]),
    .library(name: "TestNetwork", targets: ["TestNetwork"]),
    // Metrics, captures and the console of running nodes; the products above work without it.
    .library(name: "NodeAdmin", targets: ["NodeAdmin"]),
    .executable(name: "moonpeer", targets: ["MoonpeerCLI"]),
    .executable(name: "moonpeer-bench", targets: ["Benchmarks"]),
  ],
  dependencies: [
    .package(url: "https://github.com/apple/swift-nio", from: "2.101.2"),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
    .package(url: "https://github.com/apple/swift-metrics", from: "2.13.0"),
    .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.2"),
    .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
    .package(url: "https://github.com/swift-server/swift-service-lifecycle", from: "2.13.0"),
  ],
  targets: [
    // Arrows never turn back: each target names only what stands above it here.
    .systemLibrary(
      name: "CLuaSystem", path: "CLua/system", pkgConfig: "lua5.4", providers: [.apt(["liblua5.4-dev"])]),
    .target(
      name: "CLua", dependencies: ["CLuaSystem"], path: "CLua", exclude: ["system"],
      cSettings: [.treatAllWarnings(as: .error)]),
    // What the Swift module of the C library leaves out.
    .target(name: "CEpoll", cSettings: [.treatAllWarnings(as: .error)]),
    .target(name: "LuaHost", dependencies: ["CLua"], swiftSettings: strict),
    .target(name: "NodeCore", swiftSettings: strict),
    .target(
      name: "NodeEngine",
      dependencies: [
        "NodeCore", "CEpoll", engine("NIOCore"), engine("NIOPosix"), logging, lifecycle,
        .product(name: "DequeModule", package: "swift-collections"),
      ], swiftSettings: strict),
    .target(
      name: "NodeScripting", dependencies: ["NodeEngine", "NodeCore", "LuaHost", logging],
      resources: [.embedInCode("Prelude")], swiftSettings: strict),
    .target(
      name: "TestNetwork",
      dependencies: ["NodeScripting", "NodeEngine", "NodeCore", "LuaHost", logging, engine("NIOCore"), engine("NIOPosix")],
      resources: [.embedInCode("Lua")], swiftSettings: strict),
    .target(
      name: "NodeAdmin",
      dependencies: [
        "NodeScripting", "NodeEngine", "NodeCore", "LuaHost", logging, metrics, engine("NIOCore"), engine("NIOPosix"),
        engine("NIOHTTP1"),
      ], swiftSettings: strict),
    // Line editing for the console, over Debian's libedit.
    .target(
      name: "CEdit", cSettings: [.treatAllWarnings(as: .error)], linkerSettings: [.linkedLibrary("edit")]),
    .executableTarget(
      name: "MoonpeerCLI",
      dependencies: [
        "NodeAdmin", "CEdit", "TestNetwork", "NodeScripting", "NodeEngine", "NodeCore", "LuaHost", logging, lifecycle,
        metrics,
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: strict),
    // Writes the reference, the editor annotations and .luacheckrc: `make api`.
    .executableTarget(
      name: "APIReference", dependencies: ["TestNetwork", "NodeScripting", "NodeCore"], swiftSettings: strict),

    .executableTarget(
      name: "Benchmarks",
      dependencies: [
        "NodeScripting", "NodeEngine", "NodeCore", "LuaHost", logging, engine("NIOPosix"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: strict),

    // Treats nodes badly and looks after what they promise: `make chaos`.
    .target(name: "CHeap", cSettings: [.treatAllWarnings(as: .error)]),
    .executableTarget(
      name: "Chaos",
      dependencies: [
        "CHeap", "NodeScripting", "NodeEngine", "NodeCore", "LuaHost", logging, engine("NIOPosix"),
        .product(name: "ArgumentParser", package: "swift-argument-parser"),
      ], swiftSettings: strict),

    .testTarget(name: "ChaosTests", dependencies: ["Chaos", "TestSettings"], swiftSettings: strict),
    .testTarget(name: "BenchmarksTests", dependencies: ["Benchmarks"], swiftSettings: strict),
    .target(name: "TestSettings", path: "Tests/TestSettings"),
    .target(name: "NodeSupport", dependencies: ["NodeScripting"], path: "Tests/NodeSupport", swiftSettings: strict),
    .target(name: "FuzzSupport", dependencies: ["NodeCore"], path: "Tests/FuzzSupport", swiftSettings: strict),
    .target(name: "PlainLua", dependencies: ["CLuaSystem"], path: "Tests/PlainLua"),
    .testTarget(
      name: "LuaHostTests", dependencies: ["LuaHost", "TestSettings", "FuzzSupport", "NodeCore", "PlainLua"],
      swiftSettings: strict),
    .testTarget(name: "NodeCoreTests", dependencies: ["NodeCore", "FuzzSupport"], swiftSettings: strict),
    .testTarget(
      name: "NodeEngineTests",
      dependencies: ["NodeEngine", "NodeCore", "CEpoll", "FuzzSupport", logging, engine("NIOCore"), engine("NIOPosix")],
      swiftSettings: strict),
    .testTarget(
      name: "NodeScriptingTests",
      dependencies: ["NodeScripting", "NodeEngine", "NodeCore", "LuaHost", "FuzzSupport", "NodeSupport", logging],
      swiftSettings: strict),
    .testTarget(
      name: "TestNetworkTests", dependencies: ["TestNetwork", "NodeScripting", "NodeEngine", "NodeSupport", logging],
      swiftSettings: strict),
    .testTarget(
      name: "NodeAdminTests",
      dependencies: [
        "NodeAdmin", "NodeScripting", "NodeEngine", "NodeCore", "LuaHost", "FuzzSupport", "NodeSupport", logging, metrics,
        engine("NIOCore"),
      ],
      swiftSettings: strict),
    .testTarget(
      name: "APIReferenceTests",
      dependencies: [
        "APIReference", "TestNetwork", "NodeScripting", "NodeEngine", "NodeCore", "LuaHost", "NodeSupport", logging,
      ],
      swiftSettings: strict),
    .testTarget(
      name: "CLITests",
      dependencies: ["MoonpeerCLI", "NodeAdmin", "TestNetwork", "NodeCore", "NodeEngine", "TestSettings", logging],
      swiftSettings: strict),
    .testTarget(
      name: "ScriptTests",
      // The command line too, so that the binary that the documentation is checked against has been built.
      dependencies: ["MoonpeerCLI", "TestNetwork", "NodeScripting", "NodeEngine", "NodeCore", "LuaHost", "NodeSupport", logging],
      exclude: ["clients"], swiftSettings: strict),
  ],
  swiftLanguageModes: [.v6]
)

// The guided fuzzer takes the targets of the tests, so it is there instead of them: Tests/fuzz/guided.
if Context.environment["MOONPEER_GUIDED"] != nil {
  package.targets.removeAll { $0.type == .test }
  package.targets += [
    .target(
      name: "GuidedCoverage", dependencies: ["CLua", "CLuaSystem"], path: "Tests/GuidedCoverage",
      cSettings: [.headerSearchPath("../../CLua")]),
    .executableTarget(
      name: "Guided",
      dependencies: [
        "GuidedCoverage", "FuzzSupport", "PlainLua", "LuaHost", "NodeCore", "NodeEngine", "NodeScripting", "NodeAdmin",
      ],
      path: "Tests",
      sources: [
        "Guided", "LuaHostTests/Machine.swift", "LuaHostTests/DecoderTarget.swift", "LuaHostTests/ViewTarget.swift",
        "LuaHostTests/PatternTarget.swift", "LuaHostTests/ValueTarget.swift", "NodeCoreTests/TextTargets.swift",
        "NodeEngineTests/FramingTarget.swift", "NodeAdminTests/AdminTargets.swift", "NodeAdminTests/CaptureTarget.swift",
        "NodeAdminTests/Support/NotSo.swift", "NodeAdminTests/Support/PcapngReader.swift",
        "NodeScriptingTests/PreludeHarness.swift", "NodeScriptingTests/CodecCases.swift",
        "NodeScriptingTests/CodecTargets.swift",
      ], swiftSettings: strict),
  ]
  package.products.append(.executable(name: "Guided", targets: ["Guided"]))
}
