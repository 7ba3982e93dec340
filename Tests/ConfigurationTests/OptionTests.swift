import Configuration
import Testing

/// The table of options and the small languages around it.
@Suite struct OptionTests {
    @Test(arguments: [
        ("0", 0), ("123", 123), ("512MiB", 512 << 20), ("8GB", 8_000_000_000), ("8gib", 8 << 30), ("1.5GiB", 3 << 29),
        ("2 TiB", 2 << 40), ("64k", 64 << 10), ("0.5KB", 500), ("10B", 10), ("9223372036854775807", UInt64(Int64.max)),
    ])
    func sizesAreRead(_ text: String, _ expected: UInt64) { #expect(ByteCountText.parse(text) == expected) }

    @Test(arguments: [
        "", "MiB", "-1", "1.2.3", ".5G", "5.", "1.5", "5 bytes", "1e9", "9223372036854775808", "99999999999TiB",
        "99999999.5TiB", "٣GiB",
    ])
    func otherTextIsNoSize(_ text: String) { #expect(ByteCountText.parse(text) == nil) }

    @Test func sizesAreWrittenAsRead() {
        let values: [UInt64] = [0, 1, 1000, 1024, 1 << 30, (1 << 30) + 1, 3 << 29, 1 << 50]
        for value in values {
            #expect(ByteCountText.parse(ByteCountText.format(value)) == value)
        }
        #expect(ByteCountText.format(3 << 30) == "3GiB")
    }

    @Test func namesAreUnique() {
        let all = ConfigurationOption.all
        #expect(Set(all.map(\.key)).count == all.count)
        let overridable = all.filter(\.isOverridable)
        #expect(Set(overridable.map(\.flag)).count == overridable.count)
        #expect(Set(overridable.map(\.environmentName)).count == overridable.count)
        #expect(ConfigurationOption.find("workers[].busy_poll_microseconds")?.flag == "--worker-busy-poll-microseconds")
        #expect(ConfigurationOption.find("log.level")?.environmentName == "COLONY_LOG_LEVEL")
    }

    @Test func everyDefaultIsAllowed() {
        for option in ConfigurationOption.all {
            guard let text = option.defaultText, !text.isEmpty else { continue }
            switch option.kind {
            case .byteCount(let range): #expect(ByteCountText.parse(text).map(range.contains) == true, "\(option.key)")
            case .choice(let words): #expect(words.contains(text), "\(option.key)")
            case .integer(let range): #expect(Int(text).map(range.contains) == true, "\(option.key)")
            case .endpoint, .nodeName, .path, .text: break
            }
        }
    }

    @Test func commandLinesAreTakenApart() throws {
        let (overrides, rest) = try ConfigurationOption.overrides(
            from: ["--config", "x.yaml", "--log-level", "debug", "--worker-memory=8GiB", "--model", "--odd", "extra"])
        #expect(overrides == ["log.level": "debug", "workers[].memory": "8GiB", "model": "--odd"])
        #expect(rest == ["--config", "x.yaml", "extra"])
        #expect(throws: ConfigurationError.self) { try ConfigurationOption.overrides(from: ["--log-level"]) }
        #expect(
            ConfigurationOption.unknownOption("--log-levle=info")
                == .optionUnknown(option: "--log-levle", suggestion: "--log-level"))
        let unknown = ConfigurationOption.unknownVariables(
            in: ["COLONY_LOG_LEVLE": "x", "COLONY_MODEL": "m", "HOME": "/"])
        #expect(unknown.map(\.name) == ["COLONY_LOG_LEVLE"] && unknown.first?.suggestion == "COLONY_LOG_LEVEL")
    }

    @Test func helpShowsEveryOptionOfARole() {
        for role in ConfigurationRole.allCases {
            let help = ConfigurationOption.helpText(for: role)
            for option in ConfigurationOption.all where option.isOverridable {
                #expect(help.contains(option.flag + " <") == option.roles.contains(role), "\(option.flag)")
            }
        }
        #expect(ConfigurationOption.helpText(for: .worker).contains("default: auto"))
    }
}
