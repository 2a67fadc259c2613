// swift-tools-version:6.2
import PackageDescription

// A package that is not ours, as far as it can be: it knows Moonpeer by its products alone.
let package = Package(
  name: "external",
  dependencies: [
    .package(name: "moonpeer", path: "../.."),
    .package(url: "https://github.com/apple/swift-log", from: "1.16.2"),
  ],
  targets: [
    .executableTarget(
      name: "Embedding",
      dependencies: [
        .product(name: "NodeEngine", package: "moonpeer"),
        .product(name: "NodeScripting", package: "moonpeer"),
        .product(name: "TestNetwork", package: "moonpeer"),
        .product(name: "Logging", package: "swift-log"),
      ],
      swiftSettings: [.treatAllWarnings(as: .error), .enableUpcomingFeature("MemberImportVisibility")])
  ],
  swiftLanguageModes: [.v6]
)
