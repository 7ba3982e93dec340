import Basics
import CLinux
import Transport
import Wire

/// One way to send bytes there and back.
struct RPCMode {
    /// What the table says.
    let name: String
    /// The name in JSON.
    let key: String
    /// Makes one round trip with as many bytes.
    let roundTrip: (Int) throws -> Void
}

/// Round trips of one mode with one size.
struct RPCSamples {
    /// Of each round, in microseconds.
    private(set) var rounds: [[Double]] = []

    mutating func add(round: [Double]) { rounds.append(round) }

    var all: [Double] { rounds.flatMap { $0 }.sorted() }
    var median: Double { Self.quantile(all, 0.5) }
    var p99: Double { Self.quantile(all, 0.99) }
    var roundMedians: [Double] { rounds.map { Self.quantile($0.sorted(), 0.5) } }

    static func quantile(_ sorted: [Double], _ share: Double) -> Double {
        guard !sorted.isEmpty else { return .nan }
        return sorted[min(Int(Double(sorted.count) * share), sorted.count - 1)]
    }
}

/// How much slower one mode is than another.
struct RPCRatio: Codable {
    let median: Double
    let smallest: Double
    let largest: Double

    /// Compared round by round, so that what else the machine did at the time hits both.
    init(_ samples: RPCSamples, to base: RPCSamples) {
        let ratios = zip(samples.roundMedians, base.roundMedians).map { $0 / $1 }.sorted()
        median = RPCSamples.quantile(ratios, 0.5)
        smallest = ratios.first ?? .nan
        largest = ratios.last ?? .nan
    }
}

extension RPCMode {
    static func plain(_ socket: PlainSocket, name: String, key: String) -> RPCMode {
        RPCMode(name: name, key: key, roundTrip: frames(receive: socket.receive, send: socket.send))
    }

    static func tls(_ connection: BlockingTLS, name: String, key: String) -> RPCMode {
        RPCMode(name: name, key: key, roundTrip: frames(receive: connection.receive, send: connection.send))
    }

    static func link(_ link: Link, name: String, key: String) -> RPCMode {
        var buffers: [Int: FrameBuffer] = [:]
        return RPCMode(name: name, key: key) { count in
            let buffer = buffers[count] ?? FrameBuffer(payloadByteCount: count)
            buffers[count] = buffer
            let reply = try link.request(kind: .echo, buffer, timeoutMilliseconds: 10000)
            guard reply.payload.count == count else { throw MeasurementError("an echo came back changed") }
        }
    }

    /// Four bytes of length, then the payload, in one piece.
    private static func frames(
        receive: @escaping (UnsafeMutableRawBufferPointer) -> Bool, send: @escaping (UnsafeRawBufferPointer) -> Bool
    ) -> (Int) throws -> Void {
        let buffer = UnsafeMutableRawBufferPointer.allocate(
            byteCount: 4 + Limits.Wire.echoPayloadBytesMax, alignment: 64)
        return { count in
            let frame = UnsafeMutableRawBufferPointer(rebasing: buffer[..<(4 + count)])
            frame.storeBytes(of: UInt32(count), as: UInt32.self)
            guard send(UnsafeRawBufferPointer(frame)), receive(frame) else {
                throw MeasurementError("the other end is gone")
            }
        }
    }

    /// Round trips in microseconds: so many, or fewer if time runs out; some before them warm up and are not counted.
    func measure(byteCount: Int, count: Int, microsecondsMax: Double) throws -> [Double] {
        for _ in 0..<20 { try roundTrip(byteCount) }
        var samples: [Double] = []
        var total = 0.0
        while samples.count < count, total < microsecondsMax || samples.count < 10 {
            let start = colony_monotonic_nanoseconds()
            try roundTrip(byteCount)
            samples.append(Double(colony_monotonic_nanoseconds() - start) / 1000)
            total += samples.last ?? 0
        }
        return samples
    }
}
