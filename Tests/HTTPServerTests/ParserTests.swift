import Basics
import HTTPServer
import Testing

@Suite struct ParserTests {
    /// Requests and what they mean; pipelined ones included.
    static let goldens: [(String, String)] = [
        ("GET / HTTP/1.1\nHost: a\n\n", "GET / HTTP/1.1 | host=a | end | ok"),
        ("\n\nGET /x?y=1&z HTTP/1.1\nHost: a:80\n\n", "GET /x?y=1&z HTTP/1.1 | host=a:80 | end | ok"),
        ("GET / HTTP/1.0\n\n", "GET / HTTP/1.0 | [close] | end | ok"),
        (
            "GET / HTTP/1.0\nConnection: Keep-Alive\n\n",
            "GET / HTTP/1.0 | connection=Keep-Alive | end | ok"
        ),
        (
            "GET / HTTP/1.1\nHost: a\nConnection: x, Close\n\n",
            "GET / HTTP/1.1 | host=a | connection=x, Close | [close] | end | ok"
        ),
        (
            "POST /a HTTP/1.1\nHost:a\nContent-Length: \t5 \n\nhelloGET /b HTTP/1.1\nHost: b\n\n",
            "POST /a HTTP/1.1 | host=a | content-length=5 | body hello | end | GET /b HTTP/1.1 | host=b | end | ok"
        ),
        (
            "POST / HTTP/1.1\nHost: a\nTransfer-Encoding: Chunked\n\n5\nhello\n00A;x=\"y\"\n, world!!!\n0\nT: v\n\n",
            "POST / HTTP/1.1 | host=a | transfer-encoding=Chunked | [chunked] | body hello, world!!! | end | ok"
        ),
        (
            "POST / HTTP/1.1\nHost: a\nExpect: 100-Continue\nContent-Length: 1\n\n!",
            "POST / HTTP/1.1 | host=a | expect=100-Continue | content-length=1 | [continue] | body ! | end | ok"
        ),
        ("GET http://h:1/p?q HTTP/1.1\nHost: h\n\n", "GET /p?q HTTP/1.1 | host=h | end | ok"),
        ("GET http://h HTTP/1.1\nHost: h\n\n", "GET / HTTP/1.1 | host=h | end | ok"),
        ("OPTIONS * HTTP/1.1\nHost: h\n\n", "OPTIONS * HTTP/1.1 | host=h | end | ok"),
        ("GET / HTTP/1.1\nHost:\nX:\n\n", "GET / HTTP/1.1 | host= | x= | end | ok"),
        ("GET / HTTP/1.1\nHost: a\nX: \u{e9}\n\n", "GET / HTTP/1.1 | host=a | x=\u{e9} | end | ok"),
        (
            "POST / HTTP/1.1\nHost: a\nContent-Length: 3\n\nab",
            "POST / HTTP/1.1 | host=a | content-length=3 | part ab | ok"
        ),
    ]

    @Test(arguments: goldens)
    func golden(_ request: String, _ expected: String) {
        #expect(Transcript(wire(request)).description == expected)
    }

    /// What must be refused, with which status; everything is refused however little of it is wrong.
    static let malformed: [(String, Int)] = [
        ("GET / HTTP/1.1\nHost: a\nContent-Length: 1\nTransfer-Encoding: chunked\n\n", 400),
        ("GET / HTTP/1.1\nHost: a\nContent-Length: 1\nContent-Length: 2\n\n", 400),
        ("GET / HTTP/1.1\nHost: a\nContent-Length: +1\n\n", 400),
        ("GET / HTTP/1.1\nHost: a\nContent-Length: 1, 1\n\n", 400),
        ("GET / HTTP/1.1\nHost: a\nContent-Length:\n\n", 400),
        ("GET / HTTP/1.1\nHost: a\nContent-Length: 99999999999999999999999\n\n", 413),
        ("GET / HTTP/1.1\nHost: a\nContent-Length: 33554433\n\n", 413),
        ("GET / HTTP/1.1\nHost: a\nTransfer-Encoding: gzip, chunked\n\n", 501),
        ("GET / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\nTransfer-Encoding: chunked\n\n", 501),
        ("GET / HTTP/1.1\nHost: a\nTransfer-Encoding: xchunked\n\n", 501),
        ("GET / HTTP/1.0\nTransfer-Encoding: chunked\n\n", 400),
        ("GET / HTTP/1.1\nHost: a\n folded\n\n", 400),
        ("GET / HTTP/1.1\n Host: a\n\n", 400),
        ("GET / HTTP/1.1\nHost : a\n\n", 400),
        ("GET / HTTP/1.1\nHo st: a\n\n", 400),
        ("GET / HTTP/1.1\nHost: a\n: b\n\n", 400),
        ("GET / HTTP/1.1\nHost: a\nnocolon\n\n", 400),
        ("GET / HTTP/1.1\nHost: a\nX: a\u{0}b\n\n", 400),
        ("GET / HTTP/1.1\nHost: a\nX: a\rb\n\n", 400),
        ("GET / HTTP/1.1\nHost: a\nX: a\u{7f}b\n\n", 400),
        ("GET / HTTP/1.1\n\n", 400),
        ("GET / HTTP/1.1\nHost: a\nHost: a\n\n", 400),
        ("GET / HTTP/1.0\nHost: a\nHost: b\n\n", 400),
        ("GET / HTTP/1.1\nHost: a/b\n\n", 400),
        ("GET  / HTTP/1.1\nHost: a\n\n", 400),
        ("GET / HTTP/1.1 \nHost: a\n\n", 400),
        ("GET /\nHost: a\n\n", 400),
        (" GET / HTTP/1.1\nHost: a\n\n", 400),
        ("G@T / HTTP/1.1\nHost: a\n\n", 400),
        ("GET /a#b HTTP/1.1\nHost: a\n\n", 400),
        ("GET /\u{1} HTTP/1.1\nHost: a\n\n", 400),
        ("GET /\u{e9} HTTP/1.1\nHost: a\n\n", 400),
        ("GET a HTTP/1.1\nHost: a\n\n", 400),
        ("GET * HTTP/1.1\nHost: a\n\n", 400),
        ("GET ftp://a/ HTTP/1.1\nHost: a\n\n", 400),
        ("GET http:///a HTTP/1.1\nHost: a\n\n", 400),
        ("CONNECT a:443 HTTP/1.1\nHost: a\n\n", 501),
        ("GET / HTTP/2.0\nHost: a\n\n", 505),
        ("GET / HTTP/1.2\nHost: a\n\n", 505),
        ("GET / http/1.1\nHost: a\n\n", 400),
        ("GET / HTTP/11\nHost: a\n\n", 400),
        ("GET / HTTP/1.1\nHost: a\nExpect: tea\n\n", 417),
        ("\n\n\n\n\nGET / HTTP/1.1\nHost: a\n\n", 400),
        ("POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\nx\n", 400),
        ("POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n\n", 400),
        ("POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n5 \nhello\n", 400),
        ("POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n-5\nhello\n", 400),
        ("POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n5\nhellox", 400),
        ("POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n1000000000000000\n", 400),
        ("POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\nfffffffffffffff\n", 413),
        ("POST / HTTP/1.1\nHost: a\nTransfer-Encoding: chunked\n\n0\nbad trailer\n\n", 400),
    ]

    @Test(arguments: malformed)
    func refused(_ request: String, _ status: Int) {
        #expect(Transcript(wire(request)).error?.status == status)
    }

    @Test func bareLineFeedIsRefused() {
        #expect(Transcript(Array("GET / HTTP/1.1\nHost: a\n\n".utf8)).error?.status == 400)
        #expect(Transcript(Array("GET / HTTP/1.1\r\nHost: a\n\r\n".utf8)).error?.status == 400)
        #expect(Transcript(Array("\n".utf8)).error?.status == 400)
    }

    @Test func everyCutGivesTheSame() {
        for text in Self.goldens.map(\.0) + Self.malformed.map(\.0) {
            let bytes = wire(text)
            let whole = Transcript(bytes)
            for cut in 0...bytes.count { #expect(Transcript(bytes, cuts: [cut]) == whole, "\(text) cut at \(cut)") }
            #expect(Transcript(bytes, cuts: Array(0..<bytes.count)) == whole, "\(text) byte by byte")
        }
    }

    @Test func limitsAreExact() {
        var limits = HTTPLimits()
        limits.requestLineBytesMax = 20
        limits.headerBytesMax = 30
        limits.headerCountMax = 3
        limits.bodyBytesMax = 4
        func status(_ text: String) -> Int? { Transcript(wire(text), limits: limits).error?.status }
        #expect(status("GET /" + String(repeating: "a", count: 6) + " HTTP/1.1\nHost: a\n\n") == nil)
        #expect(status("GET /" + String(repeating: "a", count: 7) + " HTTP/1.1\nHost: a\n\n") == 414)
        #expect(status("GET /" + String(repeating: "a", count: 70)) == 414)
        #expect(status("GET / HTTP/1.1\nHost: a\nX: " + String(repeating: "b", count: 16) + "\n\n") == nil)
        #expect(status("GET / HTTP/1.1\nHost: a\nX: " + String(repeating: "b", count: 19) + "\n\n") == 431)
        #expect(status("GET / HTTP/1.1\nHost: a\nA:\nB:\n\n") == nil)
        #expect(status("GET / HTTP/1.1\nHost: a\nA:\nB:\nC:\n\n") == 431)
        #expect(status("GET / HTTP/1.1\nHost:\nContent-Length: 4\n\nabcd") == nil)
        #expect(status("GET / HTTP/1.1\nHost:\nContent-Length: 5\n\n") == 413)
    }

    @Test func errorsAreFinal() {
        var parser = HTTP1RequestParser(limits: HTTPLimits())
        let bad = Array("bad\r\n".utf8)
        let good = Array("GET / HTTP/1.1\r\nHost: a\r\n\r\n".utf8)
        bad.withUnsafeBytes { parser.append($0) }
        #expect(throws: HTTPError.self) { try parser.next() }
        good.withUnsafeBytes { parser.append($0) }
        #expect(throws: HTTPError.self) { try parser.next() }
        #expect(parser.bufferedByteCount == 0)
    }

    @Test func dateIsThatOfTheRFC() {
        #expect(HTTPDate.text(secondsSinceEpoch: 784_111_777) == "Sun, 06 Nov 1994 08:49:37 GMT")
    }
}
