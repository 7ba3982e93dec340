// swift-tools-version: 6.2
import PackageDescription

/// Every Swift target is held to the same rules: Swift 6 mode, warnings are errors, imports are explicit.
let strict: [SwiftSetting] = [
    .swiftLanguageMode(.v6),
    .treatAllWarnings(as: .error),
    .enableUpcomingFeature("MemberImportVisibility"),
    .enableUpcomingFeature("ExistentialAny"),
]

let strictC: [CSetting] = [.treatAllWarnings(as: .error)]

let argumentParser = Target.Dependency.product(name: "ArgumentParser", package: "swift-argument-parser")
let orderedCollections = Target.Dependency.product(name: "OrderedCollections", package: "swift-collections")
let logging = Target.Dependency.product(name: "Logging", package: "swift-log")
let yams = Target.Dependency.product(name: "Yams", package: "Yams")

func library(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .target(name: name, dependencies: dependencies, swiftSettings: strict)
}

func executable(_ name: String, _ dependencies: [Target.Dependency]) -> Target {
    .executableTarget(name: name, dependencies: [argumentParser] + dependencies, swiftSettings: strict)
}

func tests(
    of name: String, _ dependencies: [Target.Dependency] = [], exclude: [String] = [], resources: [Resource] = []
) -> Target {
    .testTarget(
        name: "\(name)Tests",
        dependencies: [.init(stringLiteral: name), "TestSupport"] + (name == "Basics" ? [] : ["Basics"]) + dependencies,
        exclude: exclude, resources: resources, swiftSettings: strict)
}

let package = Package(
    name: "colony",
    products: [
        .executable(name: "coordinator", targets: ["coordinator"]),
        .executable(name: "worker", targets: ["worker"]),
        .executable(name: "gateway", targets: ["gateway"]),
        .executable(name: "clusterctl", targets: ["clusterctl"]),
        .executable(name: "clusterbench", targets: ["clusterbench"]),
    ],
    dependencies: [
        .package(url: "https://github.com/apple/swift-argument-parser", from: "1.8.0"),
        .package(url: "https://github.com/apple/swift-collections", from: "1.6.0"),
        .package(url: "https://github.com/apple/swift-log", from: "1.16.0"),
        .package(url: "https://github.com/jpsim/Yams", from: "6.2.0"),
    ],
    targets: [
        // Level 0: C, system libraries, and the vocabulary that every other target speaks.
        .target(name: "CKernels", cSettings: strictC),
        .target(name: "CLinux", cSettings: strictC),
        .target(name: "CPage", exclude: ["files"], cSettings: strictC),
        .systemLibrary(name: "COpenSSL", pkgConfig: "openssl", providers: [.apt(["libssl-dev"])]),
        .systemLibrary(name: "CEditLine", pkgConfig: "libedit", providers: [.apt(["libedit-dev"])]),
        .systemLibrary(name: "CNghttp2", pkgConfig: "libnghttp2", providers: [.apt(["libnghttp2-dev"])]),
        .systemLibrary(name: "CPCRE2", pkgConfig: "libpcre2-8", providers: [.apt(["libpcre2-dev"])]),
        library("Basics", [orderedCollections]),

        // Level 1
        library("Kernels", ["Basics", "CKernels", "CLinux"]),
        library("Wire", ["Basics"]),
        library("Placement", ["Basics"]),
        library("Scheduling", ["Basics"]),
        library("Tokenizer", ["Basics", "CPCRE2", orderedCollections]),
        library("Configuration", ["Basics", yams]),

        // Level 2
        library("Weights", ["Basics", "Kernels", "COpenSSL", orderedCollections]),
        library("Membership", ["Basics", "Wire"]),
        library("Transport", ["Basics", "Wire", "COpenSSL", "CLinux", logging]),

        // Level 3
        library("Models", ["Basics", "Kernels", "Weights"]),
        library("HTTPServer", ["Basics", "Transport", "CNghttp2", "COpenSSL", "CLinux", logging]),

        // Level 4
        library("Engine", ["Basics", "Kernels", "Models", "Scheduling", "Wire", logging]),
        library(
            "ExpertParallel", ["Basics", "Kernels", "Models", "Weights", "Wire", "Transport", logging]),
        library("GatewayClient", ["Basics", "HTTPServer", orderedCollections]),
        library(
            "ServiceSupport",
            [
                "Basics", "Configuration", "CLinux", "Kernels", "Transport", "Weights", "Wire", argumentParser,
                orderedCollections, logging,
            ]),

        // Level 5
        library(
            "CoordinatorService",
            [
                "Basics", "Kernels", "Models", "Weights", "Wire", "Transport", "Membership", "Placement", "Scheduling",
                "Engine", "ExpertParallel", "ServiceSupport", "Configuration", logging,
            ]),
        library(
            "WorkerService",
            [
                "Basics", "Kernels", "Models", "Weights", "Wire", "Transport", "ExpertParallel", "ServiceSupport",
                "Configuration", logging,
            ]),
        library(
            "GatewayService",
            [
                "Basics", "Wire", "Transport", "Tokenizer", "HTTPServer", "ServiceSupport", "Configuration", "CPage",
                orderedCollections, logging,
            ]),

        // Level 6
        executable("coordinator", ["CoordinatorService", "Configuration", "ServiceSupport"]),
        executable("worker", ["WorkerService", "Configuration", "ServiceSupport"]),
        executable("gateway", ["GatewayService", "Configuration", "ServiceSupport"]),
        executable(
            "clusterctl",
            [
                "Basics", "Wire", "Transport", "Tokenizer", "Configuration", "ServiceSupport", "Models", "Weights",
                "HTTPServer", "GatewayClient", "CEditLine", orderedCollections, logging,
            ]),
        executable(
            "clusterbench",
            [
                "Basics", "Kernels", "Weights", "Models", "ExpertParallel", "Engine", "Wire", "Transport", "HTTPServer",
                "Configuration", "ServiceSupport", "CLinux", "COpenSSL", orderedCollections, logging,
            ]),

        // Tests
        .target(name: "TestSupport", dependencies: ["Basics"], path: "Sources/TestSupport", swiftSettings: strict),
        tests(of: "Basics"),
        tests(of: "Kernels", ["CKernels"], exclude: ["ArmHarness", "Fixtures"]),
        tests(of: "Wire"),
        tests(of: "Placement"),
        tests(of: "Scheduling"),
        tests(of: "Tokenizer", exclude: ["Fixtures"]),
        tests(of: "Configuration"),
        tests(of: "Weights", ["Kernels", "Tokenizer"], exclude: ["Fixtures"]),
        tests(of: "Membership", ["Wire"]),
        tests(of: "Transport", ["Wire", "COpenSSL"]),
        tests(of: "Models", ["Kernels", "Weights", orderedCollections]),
        tests(of: "HTTPServer", ["Transport", "Wire"]),
        tests(of: "Engine", ["ExpertParallel", "Kernels", "Models", "Scheduling", "Weights", "Wire"]),
        tests(of: "ExpertParallel", ["Kernels", "Models", "Wire", "Transport", "Weights", logging]),
        tests(of: "GatewayClient", ["HTTPServer", logging, orderedCollections]),
        tests(of: "ServiceSupport", ["Kernels", logging]),
        tests(of: "GatewayService", ["HTTPServer", "Tokenizer", "Transport", "Wire", logging]),
        .testTarget(
            name: "ClusterTests",
            dependencies: [
                "Basics", "TestSupport", "Wire", "Transport", "Kernels", "Weights", "Models", "Engine",
                "ExpertParallel", "Membership", "CoordinatorService", "WorkerService", logging,
            ],
            swiftSettings: strict),
        .testTarget(name: "TidyTests", dependencies: ["TestSupport"], swiftSettings: strict),
    ]
)
