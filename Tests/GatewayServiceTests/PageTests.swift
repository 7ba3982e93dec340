import Basics
import GatewayService
import Testing

@Suite("The page at /", .serialized)
struct PageTests {
    private static let types = [
        "css": "text/css; charset=utf-8", "ico": "image/svg+xml", "js": "text/javascript; charset=utf-8",
        "svg": "image/svg+xml",
    ]

    private static func service() throws -> TestService { try TestService { _, _ in } }

    @Test("every file has its type, and headers that let a browser do nothing else with it")
    func headers() throws {
        let service = try Self.service()
        defer { service.gateway.stop() }
        #expect(WebPage.paths.contains("/"))
        for path in WebPage.paths {
            let answer = try TestClient.get(service.port, path)
            #expect(answer.status == 200)
            let fileExtension = path.split(separator: ".").last.map(String.init) ?? ""
            #expect(
                answer.headers["content-type"] == Self.types[fileExtension] ?? "text/html; charset=utf-8", "\(path)")
            #expect(answer.headers["content-length"] == "\(answer.body.utf8.count)")
            #expect(answer.headers["x-content-type-options"] == "nosniff")
            #expect(answer.headers["cache-control"] == "no-cache")
            let policy = try #require(answer.headers["content-security-policy"]).components("; ")
            #expect(policy.first == "default-src 'none'")
            #expect(policy.contains("require-trusted-types-for 'script'"))
            #expect(!policy.joined().contains("unsafe") && !policy.joined().contains("*"))
        }
    }

    @Test("HEAD says the same without the file")
    func head() throws {
        let service = try Self.service()
        defer { service.gateway.stop() }
        let whole = try TestClient.get(service.port, "/")
        let head = try TestClient.get(service.port, "/", method: "HEAD")
        #expect(head.status == 200)
        #expect(head.body.isEmpty)
        for name in ["content-type", "content-length", "etag", "content-security-policy"] {
            #expect(head.headers[name] == whole.headers[name])
        }
    }

    @Test("a browser that has a file does not get it again, unless it has become another")
    func caching() throws {
        let service = try Self.service()
        defer { service.gateway.stop() }
        let tags = try WebPage.paths.map { try TestClient.get(service.port, $0).headers["etag"] ?? "" }
        #expect(tags.allSatisfy { $0.hasPrefix("\"") && $0.hasSuffix("\"") && $0.count > 8 })
        // The icon has two paths; all else differs.
        #expect(Set(tags).count == tags.count - 1)
        for known in [tags[0], "W/\(tags[0])", "\"other\", \(tags[0])", "*"] {
            let answer = try TestClient.get(service.port, "/", headers: ["If-None-Match": known])
            #expect(answer.status == 304, "\(known)")
            #expect(answer.body.isEmpty)
            #expect(answer.headers["etag"] == tags[0])
        }
        let changed = try TestClient.get(service.port, "/", headers: ["If-None-Match": "\"other\""])
        #expect(changed.status == 200)
        #expect(!changed.body.isEmpty)
    }

    @Test("the page names only files that are served, and nobody else")
    func references() throws {
        let served = Set(WebPage.paths)
        for path in WebPage.paths {
            let file = try #require(WebPage.file(at: path))
            let text = String(decoding: file.bytes, as: UTF8.self)
            for match in text.matches(of: /(?:src|href)="(\/[^"]*)"/) { #expect(served.contains(String(match.1))) }
            for match in text.matches(of: /from "\.(\/[^"]*)"/) { #expect(served.contains("/page" + match.1)) }
            let others = text.matches(of: /https?:\/\/[^"' ]+/).map { String($0.0) }
            #expect(others.allSatisfy { $0 == "http://www.w3.org/2000/svg" }, "\(path)")
        }
    }

    @Test("what is beside the page is not found, and the page takes no POST; metrics count all files as one")
    func paths() throws {
        let service = try Self.service()
        defer { service.gateway.stop() }
        for path in ["/page", "/page/", "/page/none.js", "/page/../page/main.js", "/index.html", "//"] {
            #expect(try TestClient.get(service.port, path).status == 404, "\(path)")
        }
        let answer = try TestClient.post(service.port, "/", [:])
        #expect(answer.status == 405)
        #expect(answer.headers["allow"] == "GET")
        #expect(try TestClient.get(service.port, "/?a=b").status == 200)
        #expect(try TestClient.get(service.port, "/page/main.js").status == 200)
        let metrics = try TestClient.get(service.port, "/metrics").body
        #expect(metrics.contains(#"colony_gateway_requests_total{route="/",status="200"} 2"#))
    }
}
