import Basics
import Configuration
import Foundation
import TestSupport
import Testing

/// Files, environment and command line become one typed configuration, or an error that names key and line.
@Suite struct ConfigurationTests {
    private let minimal = "model: m\ncertificates: c\n"

    private func load(
        _ text: String, environment: [String: String] = [:], overrides: [String: String] = [:]
    ) throws -> ClusterConfiguration {
        let directory = try TemporaryDirectory()
        let path = try directory.write("cluster.yaml", text: text)
        return try ClusterConfiguration.load(path: path, environment: environment, overrides: overrides)
    }

    private func error(_ text: String, environment: [String: String] = [:]) throws -> ConfigurationError {
        try #require(throws: ConfigurationError.self) { try load(text, environment: environment) }
    }

    /// The error's line with the file's random directory taken out.
    private func message(_ text: String, environment: [String: String] = [:]) throws -> String {
        let line = try error(text, environment: environment).description
        guard let start = line.range(of: "/")?.lowerBound, let end = line.range(of: "cluster.yaml")?.lowerBound else {
            return line
        }
        return line.replacingCharacters(in: start..<end, with: "")
    }

    @Test func theExampleIsValidAndExplainsEveryKey() throws {
        let path = Fixtures.repositoryRoot + "/cluster/cluster.yaml"
        let configuration = try ClusterConfiguration.load(path: path, environment: [:])
        #expect(configuration.workers.map(\.node.value) == ["worker-1", "worker-2", "worker-3"])
        #expect(configuration.workers.map(\.memoryBytes) == [24 << 30, 24 << 30, 12 << 30])
        #expect(configuration.coordinator.kvCacheBytes == 4 << 30)
        #expect(configuration.gateway == ClusterConfiguration.Gateway())
        let lines = try String(contentsOfFile: path, encoding: .utf8).split(separator: "\n").map(String.init)
        var section = ""
        var found: Set<String> = []
        for line in lines where !line.contains("#") {
            let words = line.drop { $0 == " " || $0 == "-" }
            let name = String(words.prefix { $0 != ":" })
            if line.first != " " { section = "" }
            found.insert(section + name)
            if line.first != " " { section = name == "workers" ? "workers[]." : name + "." }
        }
        for option in ConfigurationOption.all { #expect(found.contains(option.key), "\(option.key) is not explained") }
    }

    @Test func defaultsComeFromTheTable() throws {
        let loaded = try load(minimal + "workers: [{node: w, address: 'h:1'}]\n")
        var expected = ClusterConfiguration(model: loaded.model, certificates: loaded.certificates)
        expected.workers = [ClusterConfiguration.Worker(node: NodeID("w"), address: "h:1")]
        #expect(loaded == expected, "the defaults of the types and of the table differ")
        #expect(loaded.model.hasSuffix("/m") && loaded.model.hasPrefix("/"), "relative to the file")
    }

    @Test func everyOptionOfTheTableIsRead() throws {
        let workers = "workers: [{node: w, address: 'h:1'}]\n"
        let directory = try TemporaryDirectory()
        let path = try directory.write("c.yaml", text: minimal + workers)
        let plain = try ClusterConfiguration.load(path: path, environment: [:])
        for option in ConfigurationOption.all where option.isOverridable {
            let value =
                switch option.kind {
                case .byteCount(let range): String(range.lowerBound)
                case .choice(let words): words.last ?? ""
                case .endpoint: "elsewhere:1234"
                case .integer(let range): String(range.upperBound)
                case .nodeName: "another"
                case .path: "/somewhere/else"
                case .text: "words"
                }
            var overrides = [option.key: value]
            if option.key.contains("tls_") {
                overrides["gateway.tls_key"] = "/somewhere/key"
                overrides["gateway.tls_certificate"] = "/somewhere/certificate"
            }
            let fromCommandLine = try ClusterConfiguration.load(path: path, environment: [:], overrides: overrides)
            #expect(fromCommandLine != plain, "\(option.key) changes nothing")
            let fromEnvironment = try ClusterConfiguration.load(path: path, environment: environment(of: overrides))
            #expect(fromEnvironment == fromCommandLine, "\(option.key)")
        }
    }

    private func environment(of overrides: [String: String]) -> [String: String] {
        var environment: [String: String] = [:]
        for (key, value) in overrides { environment[ConfigurationOption.find(key)?.environmentName ?? ""] = value }
        return environment
    }

    @Test func commandLineBeatsEnvironmentBeatsFile() throws {
        let text = minimal + "log:\n  level: error\nworkers: [{node: w, address: 'h:1', threads: 3}]\n"
        #expect(try load(text).log.level == "error")
        let environment = ["COLONY_LOG_LEVEL": "debug", "COLONY_WORKER_THREADS": "5", "PATH": "/bin"]
        #expect(try load(text, environment: environment).log.level == "debug")
        #expect(try load(text, environment: environment).workers[0].threads == 5)
        #expect(try load(text, environment: environment, overrides: ["log.level": "trace"]).log.level == "trace")
        #expect(
            try message(text, environment: ["COLONY_WORKER_THREADS": "many"])
                == "environment variable COLONY_WORKER_THREADS: key workers[0].threads must be a whole number, "
                + "0 to 1024, found \"many\"")
    }

    @Test func noFileIsNeededWhenAllIsSet() throws {
        let configuration = try ClusterConfiguration.load(
            path: nil, environment: ["COLONY_MODEL": "relative/model"], overrides: ["certificates": "/c"])
        #expect(configuration.model == "relative/model" && configuration.workers.isEmpty)
        #expect(throws: ConfigurationError.keyMissing(key: "model", path: "configuration", line: nil)) {
            try ClusterConfiguration.load(path: nil, environment: [:])
        }
    }

    @Test func aValueCanBeTakenBack() throws {
        #expect(try load(minimal + "model_name: x\n", overrides: ["model_name": ""]).modelName == nil)
        #expect(throws: ConfigurationError.self) { try load(minimal, overrides: ["coordinator.threads": ""]) }
    }

    @Test(arguments: [
        ("modle: x\n", "cluster.yaml, line 1: there is no key modle; did you mean model?"),
        (
            "coordinator:\n  node: c\n  tread: 1\n",
            "cluster.yaml, line 3: there is no key coordinator.tread; did you mean coordinator.threads?"
        ),
        ("zzzzzzzzzzzz: 1\n", "cluster.yaml, line 1: there is no key zzzzzzzzzzzz"),
        (
            "workers:\n  - node: a\n    adress: b:1\n",
            "cluster.yaml, line 3: there is no key workers[0].adress; did you mean workers[0].address?"
        ),
        ("model: m\n", "cluster.yaml: key certificates is missing"),
        (
            "model: m\ncertificates: c\nworkers:\n  - node: a\n    address: b:1\n  - node: b\n",
            "cluster.yaml, line 6: key workers[1].address is missing"
        ),
        (
            "model: m\ncertificates: c\ncoordinator:\n  threads: 2000\n",
            "cluster.yaml, line 4: key coordinator.threads must be a whole number, 0 to 1024, found \"2000\""
        ),
        (
            "model: m\ncertificates: c\nlog: {level: loud}\n",
            "cluster.yaml, line 3: key log.level must be one of trace, debug, info, notice, warning, error, critical, "
                + "found \"loud\""
        ),
        (
            "model: m\ncertificates: c\ngateway:\n  address: nowhere\n",
            "cluster.yaml, line 4: key gateway.address must be host:port, found \"nowhere\""
        ),
        (
            "model: m\ncertificates: c\ncoordinator:\n  kv_cache_bytes: 1 gallon\n",
            "cluster.yaml, line 4: key coordinator.kv_cache_bytes must be a size such as 512MiB or 8GB, "
                + "1MiB to 1024TiB, found \"1 gallon\""
        ),
        ("model: [a, b]\n", "cluster.yaml, line 1: key model must be a single value, found \"a list\""),
        ("log: 5\n", "cluster.yaml, line 1: key log must be keys with values, found \"5\""),
        ("workers: 5\n", "cluster.yaml, line 1: key workers must be a list of workers, found \"5\""),
        ("- a\n- b\n", "cluster.yaml, line 1: key (the file) must be keys with values, found \"a list\""),
        ("", "cluster.yaml: key model is missing"),
        (
            "model: m\ncertificates: c\nworkers:\n  - {node: a, address: 'b:1'}\n  - {node: a, address: 'b:2'}\n",
            "cluster.yaml, line 5: key workers[1].node: workers[0].node is \"a\" too"
        ),
        (
            "model: m\ncertificates: c\nworkers:\n  - {node: a, address: 'b:1'}\n  - {node: b, address: 'b:1'}\n",
            "cluster.yaml, line 5: key workers[1].address: workers[0].address is \"b:1\" too"
        ),
        (
            "model: m\ncertificates: c\ngateway:\n  tls_key: k\n",
            "cluster.yaml, line 4: key gateway.tls_key: it needs gateway.tls_certificate beside it"
        ),
    ])
    func mistakesAreNamedWithTheirLine(_ text: String, _ expected: String) throws {
        #expect(try message(text) == expected)
    }

    @Test(arguments: ["a: [1\n", "a: b: c\n", "\t- x\n", "model: a\nmodel: b\n", "a: *nobody\n"])
    func brokenYAMLIsASyntaxError(_ text: String) throws {
        guard case .syntax(_, let line, let reason) = try error(text) else {
            Issue.record("\(try error(text))")
            return
        }
        #expect(line != nil && !reason.isEmpty)
    }

    @Test func unreadableFilesAreNamed() throws {
        guard
            case .fileUnreadable("/nowhere/cluster.yaml", _) = try #require(
                throws: ConfigurationError.self,
                performing: { try ClusterConfiguration.load(path: "/nowhere/cluster.yaml", environment: [:]) })
        else {
            Issue.record("another error")
            return
        }
        let directory = try TemporaryDirectory()
        let binary = try directory.write("c.yaml", [0xFF, 0xFE, 0x00, 0x80])
        #expect(throws: ConfigurationError.self) { try ClusterConfiguration.load(path: binary, environment: [:]) }
        let large = try directory.write("l.yaml", [UInt8](repeating: 0x20, count: (1 << 20) + 1))
        #expect(throws: ConfigurationError.fileBeyondLimit(path: large, byteCount: (1 << 20) + 1, limit: 1 << 20)) {
            try ClusterConfiguration.load(path: large, environment: [:])
        }
    }

    @Test func damagedFilesNeverTrap() throws {
        let example = Array(
            try String(contentsOfFile: Fixtures.repositoryRoot + "/cluster/cluster.yaml", encoding: .utf8).utf8)
        let directory = try TemporaryDirectory()
        var generator = SeededGenerator(seed: 5)
        for _ in 0..<300 {
            var bytes = example
            for _ in 0..<Int.random(in: 1...3, using: &generator) {
                let place = Int.random(in: 0..<bytes.count, using: &generator)
                if Bool.random(using: &generator) {
                    bytes[place] = UInt8.random(in: 0...127, using: &generator)
                } else {
                    bytes.removeSubrange(place..<min(bytes.count, place + 20))
                }
            }
            let path = try directory.write("c.yaml", bytes)
            _ = try? ClusterConfiguration.load(path: path, environment: [:])
        }
    }

    @Test func writtenTextReadsBack() throws {
        var configuration = ClusterConfiguration(model: "/m \"odd\": #name", certificates: "/c")
        configuration.modelName = "a: b"
        configuration.coordinator.threads = 7
        configuration.coordinator.pinning = .processor
        configuration.coordinator.hugePages = .off
        configuration.gateway.tlsCertificate = "/x"
        configuration.gateway.tlsKey = "/y"
        #expect(try load(configuration.text()) == configuration)
        for number in 1...3 {
            var worker = ClusterConfiguration.Worker(node: NodeID("w\(number)"), address: "127.0.0.\(number):0")
            worker.memoryBytes = number == 2 ? 5 << 30 : nil
            worker.instructionSet = .generic
            worker.pinning = .node
            worker.hugePages = number == 2 ? .off : .auto
            configuration.workers.append(worker)
        }
        #expect(try load(configuration.text()) == configuration)
        #expect(try configuration.worker(NodeID("w2")).memoryBytes == 5 << 30)
        #expect(throws: ConfigurationError.nodeUnknown(node: "w9", role: "worker", known: ["w1", "w2", "w3"])) {
            try configuration.worker(NodeID("w9"))
        }
    }

    /// `clusterctl up` hands its options on in a written file: one that is not written would be lost on the way.
    @Test(arguments: ConfigurationOption.all.filter { $0.isOverridable && !$0.key.hasPrefix("workers[].") })
    func everyOptionIsWritten(option: ConfigurationOption) throws {
        let value = Self.otherValue(option)
        var overrides = ["model": "/m", "certificates": "/c"]
        // A certificate without its key is refused.
        if option.key.hasPrefix("gateway.tls_") {
            overrides["gateway.tls_certificate"] = "/t"
            overrides["gateway.tls_key"] = "/k"
        }
        let usual = try ClusterConfiguration.load(path: nil, environment: [:], overrides: overrides)
        overrides[option.key] = value
        let configuration = try ClusterConfiguration.load(path: nil, environment: [:], overrides: overrides)
        #expect(configuration != usual, "\(option.key) \(value) changes nothing")
        #expect(try load(configuration.text()) == configuration, "\(option.key) \(value)")
    }

    /// A value that is not the default.
    private static func otherValue(_ option: ConfigurationOption) -> String {
        switch option.kind {
        case .byteCount(let range): "\(range.upperBound / 2)"
        case .choice(let words): words.first { $0 != option.defaultText } ?? ""
        case .endpoint: "127.0.0.9:9"
        case .integer(let range): "\(range.lowerBound + 1)" == option.defaultText ? "3" : "\(range.lowerBound + 1)"
        case .nodeName: "other"
        case .path: "/other"
        case .text: "another"
        }
    }
}
