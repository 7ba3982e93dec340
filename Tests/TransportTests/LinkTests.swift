import Basics
import Foundation
import Logging
import Synchronization
import TestSupport
import Testing
import Transport
import Wire

/// What links owe their users, over real sockets and real TLS.
struct LinkTests {
    @Test(arguments: [0, 1, 4095, 16344, 16345, 16384, 16385, 65536, 1 << 20, Limits.Wire.echoPayloadBytesMax])
    func echoesComeBackAsTheyWere(count: Int) throws {
        let pair = try LinkPair()
        defer { pair.stop() }
        let sent = LinkPair.pattern(count)
        let reply = try pair.link.request(kind: .echo, sent, timeoutMilliseconds: LinkPair.patience)
        #expect(reply.kind == .echoReply)
        #expect(reply.isLast)
        #expect(UInt(bitPattern: reply.payload.baseAddress) % 64 == 0)
        #expect(sent.withPayload { $0.elementsEqual(reply.payload, count: count) })
        #expect(pair.link.statistics.bytesSent == UInt64(count + FrameHeader.byteCount))
        #expect(pair.link.statistics.framesReceived == 1)
    }

    @Test(arguments: [0, 1, 5, 50]) func manyThreadsShareALink(busyPollMicroseconds: Int) throws {
        let pair = try LinkPair(options: LinkOptions(busyPollMicroseconds: busyPollMicroseconds))
        defer { pair.stop() }
        let wrongCount = Mutex(0)
        TestThreads.run(count: 4) { thread in
            for round in 0..<50 {
                let count = 1 + thread * 30000 + round * 1370
                let sent = [UInt8](repeating: UInt8(truncatingIfNeeded: thread * 50 + round), count: count)
                let reply = try? pair.link.request(
                    kind: .echo, FrameBuffer(payload: sent), timeoutMilliseconds: LinkPair.patience)
                if reply.map({ $0.payload.elementsEqual(sent) }) != true { wrongCount.withLock { $0 += 1 } }
            }
        }
        #expect(wrongCount.withLock { $0 } == 0)
        #expect(pair.link.statistics.framesReceived == 200)
    }

    @Test(arguments: [0, 200]) func answersComeInAnyOrder(busyPollMicroseconds: Int) throws {
        // The worker answers heartbeats in pairs, the second first.
        let held = Mutex<ReceivedFrame?>(nil)
        let pair = try LinkPair(
            options: LinkOptions(busyPollMicroseconds: busyPollMicroseconds),
            worker: ClosureHandler { link, frame in
                guard let first = held.withLock({ held in swap(&held, frame) }) else { return }
                held.withLock { $0 = nil }
                for frame in [frame, first] { answerHeartbeat(link, frame) }
            })
        defer { pair.stop() }
        for round in 0..<20 {
            let numbers = [UInt64(round * 2), UInt64(round * 2 + 1)]
            let replies = try numbers.map {
                try pair.link.begin(kind: .heartbeat, try FrameBuffer(Heartbeat(sequence: $0)))
            }
            for (number, reply) in zip(numbers, replies) {
                let frame = try reply.wait(timeoutMilliseconds: LinkPair.patience)
                #expect(try frame.decode(HeartbeatReply.self).sequence == number)
            }
        }
    }

    @Test(arguments: [0, 200]) func streamedAnswersComeInOrderUntilTheLast(busyPollMicroseconds: Int) throws {
        let pair = try LinkPair(
            options: LinkOptions(busyPollMicroseconds: busyPollMicroseconds),
            worker: ClosureHandler { link, frame in
                for step in 1...5 {
                    let progress = AssignProgress(bytesLoaded: UInt64(step), bytesTotal: 5, isComplete: step == 5)
                    try? link.reply(to: frame, progress, isLast: step == 5)
                }
                try? link.reply(to: frame, AssignProgress(bytesLoaded: 9, bytesTotal: 5, isComplete: true))
            })
        defer { pair.stop() }
        let seen = Mutex<[UInt64]>([])
        let done = DispatchSemaphore(value: 0)
        let assign = Assign(epoch: PlacementEpoch(1), modelDigest: Self.digest, shards: [])
        try pair.link.start(kind: .assign, epoch: PlacementEpoch(1), try FrameBuffer(assign)) { result in
            guard let frame = try? result.get(), let progress = try? frame.decode(AssignProgress.self) else { return }
            seen.withLock { $0.append(progress.bytesLoaded) }
            if progress.isComplete { done.signal() }
        }
        #expect(done.wait(timeout: .now() + 20) == .success)
        // The answer after the last one is nobody's. It is dropped on the reader thread, perhaps after a thread that
        // polls has received an echo that was sent behind it.
        _ = try pair.link.request(kind: .echo, .empty, timeoutMilliseconds: LinkPair.patience)
        #expect(Waiting.until { pair.link.statistics.lateReplies == 1 })
        #expect(seen.withLock { $0 } == [1, 2, 3, 4, 5])
    }

    @Test func anAnswerThatComesTooLateIsDropped() throws {
        let held = Mutex<ReceivedFrame?>(nil)
        let pair = try LinkPair(
            worker: ClosureHandler { link, frame in
                if let first = held.withLock({ held in swap(&held, frame) }) { answerHeartbeat(link, first) }
            })
        defer { pair.stop() }
        let heartbeat = try FrameBuffer(Heartbeat(sequence: 1))
        let error = #expect(throws: TransportError.self) {
            try pair.link.request(kind: .heartbeat, heartbeat, timeoutMilliseconds: 50)
        }
        #expect(error == .timedOut(what: "answer from worker-1", milliseconds: 50))
        // The next one makes the worker answer the first.
        _ = try pair.link.begin(kind: .heartbeat, heartbeat)
        _ = try pair.link.request(kind: .echo, .empty, timeoutMilliseconds: LinkPair.patience)
        #expect(pair.link.statistics.lateReplies == 1)
        #expect(pair.link.isOpen)
    }

    @Test func bothSidesMayAsk() throws {
        let asked = Mutex<Link?>(nil)
        let opened = DispatchSemaphore(value: 0)
        let pair = try LinkPair(
            worker: OpeningHandler { link in
                asked.withLock { $0 = link }
                opened.signal()
            }, coordinator: ClosureHandler { link, frame in answerHeartbeat(link, frame) })
        defer { pair.stop() }
        #expect(opened.wait(timeout: .now() + 20) == .success)
        let link = try #require(asked.withLock { $0 })
        #expect(link.peerNode == NodeID("coordinator") && link.peerRole == .coordinator)
        let reply = try link.request(
            kind: .heartbeat, try FrameBuffer(Heartbeat(sequence: 77)), timeoutMilliseconds: LinkPair.patience)
        #expect(try reply.decode(HeartbeatReply.self).sequence == 77)
    }

    @Test func activationsAreReadWhereTheyArrived() throws {
        let pair = try LinkPair(
            linkClass: .activations,
            worker: ClosureHandler { link, frame in
                let buffer = try? frame.withDispatch { view -> FrameBuffer? in
                    guard let layout = try? CombineLayout(pairCount: view.pairs.count, width: view.layout.width) else {
                        return nil
                    }
                    let buffer = FrameBuffer(payloadByteCount: layout.payloadByteCount)
                    buffer.withPayload { payload in
                        let rows = layout.prepare(payload).bindMemory(to: Float.self)
                        for (index, pair) in view.pairs.enumerated() {
                            for (column, value) in view.row(Int(pair.tokenRow)).bindMemory(to: Float.self).enumerated()
                            {
                                rows[index * layout.width + column] = value * pair.weight
                            }
                        }
                        layout.setComputeMicroseconds(12, in: payload)
                    }
                    return buffer
                }
                if let buffer = buffer ?? nil { try? link.reply(to: frame, kind: .combine, buffer) }
            })
        defer { pair.stop() }
        let layout = try DispatchLayout(layer: LayerIndex(3), tokenCount: 2, pairCount: 3, width: 7)
        let dispatch = FrameBuffer(payloadByteCount: layout.payloadByteCount)
        dispatch.withPayload { payload in
            let (pairs, rows) = layout.prepare(payload)
            for index in 0..<3 {
                pairs[index] = DispatchPair(tokenRow: index % 2, expert: ExpertIndex(index), weight: Float(index))
            }
            let floats = rows.bindMemory(to: Float.self)
            for index in 0..<14 { floats[index] = Float(index) }
        }
        let frame = try pair.link.request(
            kind: .dispatch, epoch: PlacementEpoch(5), dispatch, timeoutMilliseconds: LinkPair.patience)
        #expect(frame.header.epoch == PlacementEpoch(5))
        try frame.withCombine { view in
            #expect(view.computeMicroseconds == 12)
            #expect(Array(view.row(0).bindMemory(to: Float.self)) == Array(repeating: 0, count: 7))
            #expect(Array(view.row(1).bindMemory(to: Float.self)) == [7, 8, 9, 10, 11, 12, 13])
            #expect(Array(view.row(2).bindMemory(to: Float.self)) == [0, 2, 4, 6, 8, 10, 12])
        }
    }

    @Test func streamsAndThreadsThatReceiveShareALink() throws {
        let pair = try LinkPair(
            options: LinkOptions(busyPollMicroseconds: 200),
            worker: ClosureHandler { link, frame in
                for step in 1...200 {
                    let progress = AssignProgress(bytesLoaded: UInt64(step), bytesTotal: 200, isComplete: step == 200)
                    try? link.reply(to: frame, progress, isLast: step == 200)
                }
            })
        defer { pair.stop() }
        let seen = Mutex<[UInt64]>([])
        let done = DispatchSemaphore(value: 0)
        let assign = Assign(epoch: PlacementEpoch(1), modelDigest: Self.digest, shards: [])
        try pair.link.start(kind: .assign, epoch: PlacementEpoch(1), try FrameBuffer(assign)) { result in
            guard let frame = try? result.get(), let progress = try? frame.decode(AssignProgress.self) else { return }
            seen.withLock { $0.append(progress.bytesLoaded) }
            if progress.isComplete { done.signal() }
        }
        let failureCount = Mutex(0)
        TestThreads.run(count: 3) { _ in
            for _ in 0..<100 {
                let reply = try? pair.link.request(
                    kind: .echo, FrameBuffer(payload: [1, 2, 3]), timeoutMilliseconds: LinkPair.patience)
                if reply == nil { failureCount.withLock { $0 += 1 } }
            }
        }
        #expect(done.wait(timeout: .now() + 20) == .success)
        #expect(seen.withLock { $0 } == Array(1...200))
        #expect(failureCount.withLock { $0 } == 0)
    }

    private static let digest = ModelDigest(hexadecimal: String(repeating: "0a", count: 32))

    @Test func endpointsAreRead() throws {
        #expect(try Endpoint(parsing: "worker-1.local:7000") == Endpoint(host: "worker-1.local", port: 7000))
        #expect(try Endpoint(parsing: "[::1]:0") == Endpoint(host: "::1", port: 0))
        #expect(try Endpoint(parsing: "[::1]:65535").description == "[::1]:65535")
        for text in ["", "a", ":1", "a:", "a:65536", "a:-1", "::1:5", "a b:5", "[]:5", "a:1x"] {
            #expect(throws: TransportError.self, "\(text)") { try Endpoint(parsing: text) }
        }
    }
}

/// Puts a value in and gives out what was there.
private func swap(_ place: inout ReceivedFrame?, _ value: ReceivedFrame) -> ReceivedFrame? {
    let before = place
    place = value
    return before
}

private func answerHeartbeat(_ link: Link, _ frame: ReceivedFrame) {
    guard let heartbeat = try? frame.decode(Heartbeat.self) else { return }
    let reply = HeartbeatReply(
        sequence: heartbeat.sequence, residentBytes: 1, dispatchCount: 2, computeMicroseconds: 3,
        expertRowCount: 4)
    try? link.reply(to: frame, reply)
}
