import Basics
import Wire

/// A payload of every kind, and a header; the first byte is the kind.
let seeds: [String: [UInt8]] = {
    var seeds: [String: [UInt8]] = [:]
    for (position, kind) in MessageKind.allCases.enumerated() {
        guard let payload = try? Samples.payload(of: kind) else { continue }
        seeds["\(kind)"] = [UInt8(position)] + payload
        var header = [UInt8](repeating: 0, count: FrameHeader.byteCount)
        header.withUnsafeMutableBytes {
            FrameHeader(kind: kind, flags: .last, payloadByteCount: payload.count, requestID: 3).encode(into: $0)
        }
        seeds["frame-\(kind)"] = [UInt8(position)] + header + payload
    }
    let integers = try? DispatchLayout(
        layer: LayerIndex(2), tokenCount: 2, pairCount: 3, width: 40, rowForm: .int8Blocks)
    if let integers, let position = MessageKind.allCases.firstIndex(of: .dispatch) {
        seeds["dispatch-integers"] = [UInt8(position)] + Samples.dispatch(integers)
    }
    return seeds
}()

/// The bytes are a frame if they begin like one, and the payload of the kind that `choice` says if not.
func fuzz(choice: UInt8, bytes: [UInt8]) {
    if let header = acceptedHeader(bytes) {
        check(Array(bytes.dropFirst(FrameHeader.byteCount)), as: header.kind, header.version)
    } else {
        check(bytes, as: MessageKind.allCases[Int(choice) % MessageKind.allCases.count], ProtocolVersion.newest)
    }
}

/// A header that is accepted keeps its limit and is written as it was read; one that is refused can be answered.
private func acceptedHeader(_ bytes: [UInt8]) -> FrameHeader? {
    guard bytes.count >= FrameHeader.byteCount else { return nil }
    do {
        let header = try bytes.withUnsafeBytes { try FrameHeader(decoding: $0) }
        insist(header.payloadByteCount <= header.kind.payloadBytesMax, "\(header) is beyond the limit of its kind")
        var again = [UInt8](repeating: 0xFF, count: FrameHeader.byteCount)
        again.withUnsafeMutableBytes { header.encode(into: $0) }
        insist(again.elementsEqual(bytes.prefix(FrameHeader.byteCount)), "\(header) becomes \(again)")
        return header
    } catch let refusal as HeaderRefusal {
        insist(
            (refusal.skippedByteCount ?? 0) <= Limits.Wire.activationPayloadBytesMax,
            "\(refusal.skippedByteCount ?? 0) bytes to skip")
        insist((try? refusal.refusal.payload()) != nil, "\(refusal.refusal) cannot be sent")
    } catch {
        insist(false, "\(error) is no refusal")
    }
    return nil
}

private func check(_ payload: [UInt8], as kind: MessageKind, _ version: UInt16) {
    switch kind {
    case .hello: check(payload, Hello.self, version)
    case .welcome: check(payload, Welcome.self, version)
    case .refusal: check(payload, Refusal.self, version)
    case .heartbeat: check(payload, Heartbeat.self, version)
    case .heartbeatReply: check(payload, HeartbeatReply.self, version)
    case .assign: check(payload, Assign.self, version)
    case .assignProgress: check(payload, AssignProgress.self, version)
    case .generate: check(payload, Generate.self, version)
    case .generated: check(payload, Generated.self, version)
    case .status: check(payload, ClusterStatus.self, version)
    case .modelFiles: check(payload, ModelFiles.self, version)
    case .dispatch: Samples.withAligned(payload) { checkDispatch($0, version) }
    case .combine: Samples.withAligned(payload) { checkCombine($0) }
    case .echo, .echoReply, .cancel, .statusRequest, .modelFilesRequest: break
    }
}

/// What decodes can be written again, as the same bytes. Two kinds may come in several forms and are written in one:
/// an unknown code of a refusal becomes another, and JSON has blanks. Those decode to what is written the same again.
private func check<Message: WireMessage>(_ payload: [UInt8], _: Message.Type, _ version: UInt16) {
    guard let message: Message = decoded(payload, version) else { return }
    let first = encoded(message, version)
    guard Message.kind == .refusal || Message.kind == .status else {
        insist(first == payload, "\(message) is written as \(first), it was read from \(payload)")
        return
    }
    guard let again: Message = decoded(first, version) else {
        insist(false, "\(message) is written as \(first), which does not decode")
        return
    }
    let second = encoded(again, version)
    insist(second == first, "\(message) is written as \(first), then as \(second)")
}

private func decoded<Message: WireMessage>(_ payload: [UInt8], _ version: UInt16) -> Message? {
    do {
        return try Message(payload: payload, version: version)
    } catch {
        insist(!"\(error)".isEmpty, "an error without a description")
        return nil
    }
}

private func encoded<Message: WireMessage>(_ message: Message, _ version: UInt16) -> [UInt8] {
    do {
        return try message.payload(version: version)
    } catch {
        insist(false, "\(message) decodes and cannot be written: \(error)")
        return []
    }
}

/// Every index of an accepted dispatch is in range, everything can be read, and its layout writes the same payload.
private func checkDispatch(_ payload: UnsafeRawBufferPointer, _ version: UInt16) {
    do {
        let view = try DispatchView(decoding: payload, version: version)
        var again = [UInt8](repeating: 0xFF, count: view.layout.payloadByteCount)
        again.withUnsafeMutableBytes { bytes in
            let (pairs, rows) = view.layout.prepare(bytes)
            for (index, pair) in view.pairs.enumerated() {
                insist(pair.expert < UInt32(Limits.Wire.expertsMax), "expert \(pair.expert)")
                insist(view.row(Int(pair.tokenRow)).count == view.layout.rowByteCount, "row \(pair.tokenRow)")
                pairs[index] = pair
            }
            insist(rows.count == view.rows.count, "\(rows.count) bytes for \(view.rows.count) of rows")
            rows.copyMemory(from: view.rows)
        }
        insist(again.elementsEqual(payload), "\(view.layout) becomes other bytes")
    } catch {
        insist(!"\(error)".isEmpty, "an error without a description")
    }
}

private func checkCombine(_ payload: UnsafeRawBufferPointer) {
    do {
        let view = try CombineView(decoding: payload)
        var again = [UInt8](repeating: 0xFF, count: view.layout.payloadByteCount)
        again.withUnsafeMutableBytes { bytes in
            let rows = view.layout.prepare(bytes)
            for index in 0..<view.layout.pairCount {
                insist(view.row(index).count == view.layout.rowByteCount, "row \(index)")
            }
            rows.copyMemory(from: view.rows)
            // The writer holds the time below an hour; the reader takes whatever the other side measured.
            bytes.storeBytes(of: UInt32(view.computeMicroseconds), toByteOffset: 8, as: UInt32.self)
        }
        insist(again.elementsEqual(payload), "\(view.layout) becomes other bytes")
    } catch {
        insist(!"\(error)".isEmpty, "an error without a description")
    }
}
