import CPage
import HTTPServer

/// The page at `/`. Its files are part of the program, and it asks nobody but this gateway for anything.
package enum WebPage {
    /// A file of the page as it is served.
    package struct File: Sendable {
        /// Its bytes.
        package let bytes: [UInt8]
        /// What is sent before them.
        package let headers: [(String, String)]
        /// Names these bytes, in quotes.
        let entityTag: String

        init(contentType: String, bytes: [UInt8]) {
            self.bytes = bytes
            entityTag = "\"\(WebPage.digest(bytes))\""
            headers = [
                ("content-type", contentType),
                // Kept by browsers, but asked about each time: a new version of the gateway brings all of a new page.
                ("cache-control", "no-cache"),
                ("etag", entityTag),
                ("content-security-policy", WebPage.securityPolicy),
                ("referrer-policy", "no-referrer"),
                ("x-content-type-options", "nosniff"),
            ]
        }

        /// Whether the client says that it has these bytes already.
        func isKnown(to headers: HTTPHeaders) -> Bool {
            headers.tokens("if-none-match").contains { tag in
                tag == "*" || tag == entityTag || tag == "w/" + entityTag
            }
        }
    }

    /// The file that is served under a path; nil if the page has none there.
    package static func file(at path: String) -> File? { files[path] }

    /// All paths of the page.
    package static var paths: [String] { files.keys.sorted() }

    /// Nothing but what this gateway serves, no script but the page's files, and no text that becomes HTML: with
    /// trusted types that none may create, a browser refuses to parse any.
    private static let securityPolicy = """
        default-src 'none'; script-src 'self'; style-src 'self'; img-src 'self'; connect-src 'self'; base-uri 'none'; \
        form-action 'none'; frame-ancestors 'none'; require-trusted-types-for 'script'; trusted-types 'none'
        """

    private static let files: [String: File] = {
        let embedded = UnsafeBufferPointer(start: page_files(), count: page_file_count())
        return embedded.reduce(into: [:]) { files, file in
            let bytes = UnsafeBufferPointer(start: file.bytes, count: file.byte_count)
            files[String(cString: file.path)] = File(
                contentType: String(cString: file.content_type), bytes: Array(bytes))
        }
    }()

    /// FNV-1a: says whether a file is another one, and needs to say no more.
    private static func digest(_ bytes: [UInt8]) -> String {
        let hash = bytes.reduce(UInt64(0xcbf2_9ce4_8422_2325)) { ($0 ^ UInt64($1)) &* 0x100_0000_01b3 }
        return String(hash, radix: 16)
    }
}
