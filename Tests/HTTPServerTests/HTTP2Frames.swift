/// Just enough of HTTP/2, by hand, for clients that misbehave in ways no program does.
enum HTTP2Frames {
    static let dataType: UInt8 = 0
    static let resetType: UInt8 = 3
    static let goAwayType: UInt8 = 7

    static func frame(type: UInt8, flags: UInt8, stream: UInt8, _ payload: [UInt8]) -> [UInt8] {
        [0, UInt8(payload.count >> 8), UInt8(payload.count & 0xFF), type, flags, 0, 0, 0, stream] + payload
    }

    /// Preface, settings with this initial window, and `POST /` on stream 1, without a body if `endsStream`.
    static func request(windowBytes: UInt32, endsStream: Bool = true) -> [UInt8] {
        let window = (0..<4).map { UInt8(truncatingIfNeeded: windowBytes >> (24 - 8 * $0)) }
        // Indexed fields of the static table, and :authority as a literal.
        let headers: [UInt8] = [0x83, 0x86, 0x84, 0x41, 1, UInt8(ascii: "x")]
        return Array("PRI * HTTP/2.0\r\n\r\nSM\r\n\r\n".utf8) + frame(type: 4, flags: 0, stream: 0, [0, 4] + window)
            + frame(type: 1, flags: endsStream ? 5 : 4, stream: 1, headers)
    }
}

extension RawClient {
    /// The payload of the next frame of this type; others are dropped. Nil if the connection ends first.
    func receiveFrame(type: UInt8) -> [UInt8]? {
        while let header = receiveExactly(9) {
            let count = Int(header[0]) << 16 | Int(header[1]) << 8 | Int(header[2])
            guard let payload = receiveExactly(count) else { return nil }
            if header[3] == type { return payload }
        }
        return nil
    }

    private func receiveExactly(_ byteCount: Int) -> [UInt8]? {
        var bytes: [UInt8] = []
        while bytes.count < byteCount {
            guard let more = receive(upTo: byteCount - bytes.count) else { return nil }
            bytes += more
        }
        return bytes
    }
}
