import ArgumentParser
import Basics
import Foundation
import Transport
import Wire

/// `clusterctl certs`: who belongs to the cluster, and as what.
struct CertificateCommands: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "certs", abstract: "Makes and shows the certificates of a cluster.",
        discussion: """
            A cluster has one authority, and every process a certificate that the authority signed: it carries the \
            name and the role of the process. Keep ca.key where no process of the cluster runs.
            """,
        subcommands: [Init.self, Issue.self, Show.self])

    /// `clusterctl certs init`
    struct Init: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Makes the authority of a new cluster.")

        @Option(name: .long, help: "Directory for ca.pem and ca.key; made where it does not exist.")
        var directory = "certificates/authority"

        @Option(name: .long, help: "How many days the authority is valid.")
        var days = 3650

        @Flag(name: .long, help: "Replace an authority that is there: its certificates become worthless.")
        var force = false

        func validate() throws { try checkDays(days) }

        func run() throws {
            let authority = try explainingForce {
                try CertificateAuthority.create(directory: directory, validity: .days(days), overwrites: force)
            }
            print("made \(directory)/ca.pem and ca.key")
            print(CertificateCommands.text(authority.certificate))
        }
    }

    /// `clusterctl certs issue`
    struct Issue: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Makes the certificate of a process.")

        @Argument(help: "Name of the process, e.g. worker-1.")
        var node: String

        @Option(name: .long, help: "What it may do: coordinator, gateway, operator or worker.")
        var role: String

        @Option(
            name: .long,
            help: "Names and addresses at which clients reach it, separated by commas (default: this machine).")
        var hosts = ""

        @Option(name: .long, help: "Directory of the authority.")
        var authority = "certificates/authority"

        @Option(name: .long, help: "Directory for ca.pem, node.pem and node.key (default: certificates/NODE).")
        var directory: String?

        @Option(name: .long, help: "How many days the certificate is valid.")
        var days = 825

        @Flag(name: .long, help: "Replace a certificate that is there.")
        var force = false

        func validate() throws {
            try checkDays(days)
            guard Role(rawValue: role) != nil else {
                let roles = Role.allCases.map(\.rawValue).joined(separator: ", ")
                throw ValidationError("'\(role)' is not a role; the roles are \(roles)")
            }
        }

        func run() throws {
            guard let role = Role(rawValue: role) else { throw ExitCode.validationFailure }
            let destination = directory ?? "certificates/\(node)"
            let authority = try CertificateAuthority.load(directory: authority)
            let names = hosts.split(separator: ",").map { $0.trimmingCharacters(in: .whitespaces) }
            let certificate = try explainingForce {
                try authority.issue(
                    node: NodeID(node), role: role, hosts: names, validity: .days(days), into: destination,
                    overwrites: force)
            }
            print("made \(destination)/ca.pem, node.pem and node.key")
            print(CertificateCommands.text(certificate))
        }
    }

    /// `clusterctl certs show`
    struct Show: ParsableCommand {
        static let configuration = CommandConfiguration(abstract: "Shows certificates.")

        @Argument(help: "PEM files, or directories with ca.pem and node.pem.")
        var paths: [String]

        func run() throws {
            for path in paths.flatMap(CertificateCommands.files) {
                print("\(path)\n\(CertificateCommands.text(try Certificate.load(path: path)))")
            }
        }
    }

    /// The certificates that a path stands for.
    private static func files(_ path: String) -> [String] {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory), isDirectory.boolValue else {
            return [path]
        }
        let files = ["ca.pem", "node.pem"].map { "\(path)/\($0)" }.filter { FileManager.default.fileExists(atPath: $0) }
        // An empty directory is answered by the error about its missing certificate.
        return files.isEmpty ? ["\(path)/node.pem"] : files
    }

    private static func text(_ certificate: Certificate) -> String {
        let now = Int64(Date().timeIntervalSince1970)
        let left = (certificate.validUntilSeconds - now) / 86400
        let verdict =
            switch now {
            case ..<certificate.validFromSeconds: "not valid yet"
            case certificate.validUntilSeconds...: "EXPIRED"
            default: "\(left) days left"
            }
        let role = certificate.isAuthority ? "authority" : certificate.role?.rawValue ?? "none"
        return """
              subject      \(certificate.subject)
              role         \(role)
              hosts        \(certificate.hosts.isEmpty ? "none" : certificate.hosts.joined(separator: ", "))
              valid        \(date(certificate.validFromSeconds)) to \(date(certificate.validUntilSeconds)) (\(verdict))
              fingerprint  \(certificate.fingerprint)
            """
    }

    private static func date(_ seconds: Int64) -> String {
        Date(timeIntervalSince1970: TimeInterval(seconds)).formatted(.iso8601)
    }
}

private func checkDays(_ days: Int) throws {
    guard (1...36500).contains(days) else { throw ValidationError("days must be from 1 to 36500, not \(days)") }
}

/// Adds what to do about a file that is there already.
private func explainingForce<Value>(_ body: () throws -> Value) throws -> Value {
    do {
        return try body()
    } catch TransportError.fileExists(let path) {
        throw PlainFailure(description: "\(path) exists already; --force replaces it")
    }
}

/// An error that is one line for people.
private struct PlainFailure: Error, CustomStringConvertible {
    let description: String
}
