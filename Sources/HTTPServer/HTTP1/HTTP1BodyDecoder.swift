import Basics

/// How the end of a body is found.
package enum HTTP1BodyFraming: Sendable, Equatable {
    /// In chunks that announce their length.
    case chunked
    /// By its length in bytes; 0 means that there is none.
    case length(Int)
    /// By the end of the connection (answers to our client only).
    case untilClose
}

/// A piece of a body.
package enum HTTP1BodyEvent: Sendable, Equatable {
    /// Bytes of the body, never empty.
    case data([UInt8])
    /// The body is complete.
    case end
}

/// Takes a body out of the received bytes, whatever its framing; used for requests and for answers.
package struct HTTP1BodyDecoder: Sendable {
    private enum State: Sendable {
        case chunkData(remaining: Int)
        case chunkDataEnd
        case chunkLine
        case done
        case length(remaining: Int)
        case trailer
        case untilClose
    }

    private var state: State
    private var bytesLeft: Int
    private let bytesMax: Int
    private var fields: HTTP1FieldParser

    /// Decodes one body of at most `bytesMax` bytes; a length must have been checked against it already.
    package init(framing: HTTP1BodyFraming, bytesMax: Int, headerBytesMax: Int, headerCountMax: Int) {
        switch framing {
        case .chunked: state = .chunkLine
        case .length(let count): state = count == 0 ? .done : .length(remaining: count)
        case .untilClose: state = .untilClose
        }
        self.bytesMax = bytesMax
        bytesLeft = bytesMax
        fields = HTTP1FieldParser(bytesMax: headerBytesMax, countMax: headerCountMax)
    }

    /// Whether the body ends with the connection.
    package var endsWithConnection: Bool {
        if case .untilClose = state { true } else { false }
    }

    /// The next piece; nil if more bytes are needed.
    package mutating func next(from buffer: inout HTTP1Buffer) throws(HTTPError) -> HTTP1BodyEvent? {
        while true {
            switch state {
            case .done:
                return .end
            case .untilClose:
                guard buffer.count > 0 else { return nil }
                return .data(try takeCounted(buffer.count, from: &buffer))
            case .length(let remaining):
                guard buffer.count > 0 else { return nil }
                let data = buffer.take(upTo: remaining)
                state = data.count == remaining ? .done : .length(remaining: remaining - data.count)
                return .data(data)
            case .chunkLine:
                guard let size = try takeChunkLine(from: &buffer) else { return nil }
                guard size <= bytesLeft else { throw .bodyBeyondLimit(limitBytes: bytesMax) }
                state = size == 0 ? .trailer : .chunkData(remaining: size)
            case .chunkData(let remaining):
                guard buffer.count > 0 else { return nil }
                let data = try takeCounted(remaining, from: &buffer)
                state = data.count == remaining ? .chunkDataEnd : .chunkData(remaining: remaining - data.count)
                return .data(data)
            case .chunkDataEnd:
                guard try buffer.takeLineEnd() else { return nil }
                state = .chunkLine
            case .trailer:
                // Trailers are checked and counted like headers, then dropped: nothing here has a use for them.
                guard try fields.parse(from: &buffer) else { return nil }
                state = .done
            }
        }
    }

    private mutating func takeCounted(_ byteCount: Int, from buffer: inout HTTP1Buffer) throws(HTTPError) -> [UInt8] {
        let data = buffer.take(upTo: byteCount)
        guard data.count <= bytesLeft else { throw .bodyBeyondLimit(limitBytes: bytesMax) }
        bytesLeft -= data.count
        return data
    }

    private func takeChunkLine(from buffer: inout HTTP1Buffer) throws(HTTPError) -> Int? {
        let overflow = HTTPError.malformed(reason: "a chunk's line is too long")
        guard let line = try buffer.takeLine(bytesMax: Limits.HTTP.chunkLineBytesMax, overflow: overflow) else {
            return nil
        }
        let digits = line.prefix { $0 != UInt8(ascii: ";") }
        guard (1...15).contains(digits.count) else { throw .malformed(reason: "a chunk's size is not a number") }
        var size = 0
        for byte in digits {
            guard let digit = ASCII.hexadecimalValue(byte) else {
                throw .malformed(reason: "a chunk's size is not a number")
            }
            size = size << 4 | digit
        }
        guard line[digits.endIndex...].allSatisfy(ASCII.isValueByte) else {
            throw .malformed(reason: "a control character in a chunk's extension")
        }
        return size
    }
}

/// Takes header lines up to the empty line that ends them.
package struct HTTP1FieldParser: Sendable {
    private let bytesMax: Int
    private let countMax: Int
    private var bytesLeft: Int
    /// The lines so far.
    package private(set) var headers = HTTPHeaders()

    /// Takes at most `countMax` lines of `bytesMax` bytes together.
    package init(bytesMax: Int, countMax: Int) {
        self.bytesMax = bytesMax
        self.countMax = countMax
        bytesLeft = bytesMax
    }

    /// Takes the lines that are there; true after the empty line.
    package mutating func parse(from buffer: inout HTTP1Buffer) throws(HTTPError) -> Bool {
        let overflow = HTTPError.headersBeyondLimit(limitBytes: bytesMax)
        while let line = try buffer.takeLine(bytesMax: bytesLeft, overflow: overflow) {
            if line.isEmpty { return true }
            bytesLeft = max(0, bytesLeft - line.count - 2)
            guard headers.lines.count < countMax else { throw .headerCountBeyondLimit(limit: countMax) }
            try append(line)
        }
        return false
    }

    private mutating func append(_ line: ArraySlice<UInt8>) throws(HTTPError) {
        guard line.first != ASCII.space, line.first != ASCII.tab else {
            throw .malformed(reason: "a header that continues on the next line")
        }
        guard let colon = line.firstIndex(of: ASCII.colon) else {
            throw .malformed(reason: "a header line without a colon")
        }
        let name = line[..<colon]
        guard !name.isEmpty, name.allSatisfy(ASCII.isTokenByte) else {
            throw .malformed(reason: "a header name with a bad character")
        }
        let value = ASCII.trimmed(line[(colon + 1)...])
        guard value.allSatisfy(ASCII.isValueByte) else {
            throw .malformed(reason: "a control character in a header value")
        }
        headers.append(ASCII.lowercased(name), String(decoding: value, as: UTF8.self))
    }
}
