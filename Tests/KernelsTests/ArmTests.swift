import Foundation
import Testing

/// The NEON kernels on a machine without them: always compiled, and run where an emulator is installed.
@Suite struct ArmTests {
    @Test(.enabled(if: Tools.find("clang") != nil, "no clang on the path"))
    func compilesForArm() async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        #expect(try Tools.sources().count >= 5)
        _ = try await compileKernels(into: directory)
    }

    @Test(.enabled(if: Tools.missingForEmulation.isEmpty, "missing: \(Tools.missingForEmulation)"))
    func givesTheGenericBits() async throws {
        let directory = try temporaryDirectory()
        defer { try? FileManager.default.removeItem(at: directory) }
        var objects = try await compileKernels(into: directory)
        let harness = Tools.tests.appendingPathComponent("ArmHarness/compare.c")
        let object = directory.appendingPathComponent("compare.o").path
        try await run(
            "clang", Tools.compileFlags + ["-isystem", Tools.armHeaders, "-c", harness.path, "-o", object])
        objects.append(object)
        let program = directory.appendingPathComponent("compare").path
        try await run("aarch64-linux-gnu-gcc", ["-static", "-o", program] + objects + ["-lm"])
        let output = try await run("qemu-aarch64", [program])
        #expect(output.contains(" 0 failures"))
    }

    private func compileKernels(into directory: URL) async throws -> [String] {
        var objects: [String] = []
        for source in try Tools.sources() {
            let object = directory.appendingPathComponent("\(objects.count).o").path
            try await run("clang", Tools.compileFlags + ["-ffreestanding", "-c", source.path, "-o", object])
            objects.append(object)
        }
        return objects
    }

    private func temporaryDirectory() throws -> URL {
        let directory = FileManager.default.temporaryDirectory.appendingPathComponent("colony-arm-\(UUID())")
        try FileManager.default.createDirectory(at: directory, withIntermediateDirectories: true)
        return directory
    }

    /// Runs a program to its end; answers what it printed, which is also the failure's text.
    @discardableResult
    private func run(_ tool: String, _ arguments: [String]) async throws -> String {
        let process = Process()
        process.executableURL = URL(fileURLWithPath: try #require(Tools.find(tool)))
        process.arguments = arguments
        let pipe = Pipe()
        process.standardOutput = pipe
        process.standardError = pipe
        let status = try await withCheckedThrowingContinuation { (ended: CheckedContinuation<Int32, any Error>) in
            process.terminationHandler = { ended.resume(returning: $0.terminationStatus) }
            do { try process.run() } catch { ended.resume(throwing: error) }
        }
        // Compilers and the harness print less than a pipe holds, so reading after the end cannot block them.
        let output = String(decoding: pipe.fileHandleForReading.readDataToEndOfFile(), as: UTF8.self)
        #expect(status == 0, "\(tool): \(output)")
        return output
    }
}

/// Where programs and sources are.
private enum Tools {
    static let tests = URL(fileURLWithPath: #filePath).deletingLastPathComponent()
    static let kernels = tests.deletingLastPathComponent().deletingLastPathComponent()
        .appendingPathComponent("Sources/CKernels")
    /// Where Debian puts the C library's headers for arm64.
    static let armHeaders = "/usr/aarch64-linux-gnu/include"

    static var compileFlags: [String] {
        [
            "--target=aarch64-linux-gnu", "-O2", "-Wall", "-Wextra", "-Werror",
            "-I\(kernels.appendingPathComponent("include").path)",
        ]
    }

    static var missingForEmulation: [String] {
        var missing = ["clang", "aarch64-linux-gnu-gcc", "qemu-aarch64"].filter { find($0) == nil }
        if !FileManager.default.fileExists(atPath: armHeaders) { missing.append(armHeaders) }
        return missing
    }

    static func sources() throws -> [URL] {
        let folders = ["generic", "avx2", "avx512", "neon"].map { kernels.appendingPathComponent($0) }
        return try folders.flatMap { folder in
            try FileManager.default.contentsOfDirectory(at: folder, includingPropertiesForKeys: nil)
                .filter { $0.pathExtension == "c" }
        }
    }

    static func find(_ tool: String) -> String? {
        let folders = (ProcessInfo.processInfo.environment["PATH"] ?? "").split(separator: ":")
        return folders.map { "\($0)/\(tool)" }.first { FileManager.default.isExecutableFile(atPath: $0) }
    }
}
