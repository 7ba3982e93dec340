public import Basics

/// What a frame says about itself beside its kind.
public struct FrameFlags: OptionSet, Hashable, Sendable {
    /// The bits as they travel.
    public let rawValue: UInt32

    /// The flags of these bits.
    public init(rawValue: UInt32) { self.rawValue = rawValue }

    /// No more answers to the same request follow.
    public static let last = FrameFlags(rawValue: 1)

    /// Bits that mean nothing yet and must be zero.
    static let reserved: UInt32 = ~1
}

/// The first 40 bytes of every frame; all numbers little-endian.
///
/// ```
///   0  magic             u32   "CLNY"
///   4  version           u16   the version that the link agreed on; 1 before it has
///   6  kind              u16   MessageKind
///   8  flags             u32   FrameFlags
///  12  payloadByteCount  u32   bytes that follow the header
///  16  requestID         u64   0: belongs to no request
///  24  epoch             u64   the placement that this belongs to; 0: to none
///  32  reserved          u64   0
/// ```
public struct FrameHeader: Hashable, Sendable {
    /// Size of a header, in bytes.
    public static let byteCount = 40
    /// The first four bytes, "CLNY".
    public static let magic: UInt32 = 0x594E_4C43

    /// Protocol version of the frame.
    public var version: UInt16
    /// What the payload is.
    public var kind: MessageKind
    /// What else there is to say.
    public var flags: FrameFlags
    /// Bytes that follow the header.
    public var payloadByteCount: Int
    /// Which request this belongs to, chosen by the side that asks, unique among its open ones; 0 for none.
    public var requestID: UInt64
    /// The placement that this belongs to.
    public var epoch: PlacementEpoch

    /// Describes a frame.
    public init(
        version: UInt16 = ProtocolVersion.newest, kind: MessageKind, flags: FrameFlags = [], payloadByteCount: Int,
        requestID: UInt64 = 0, epoch: PlacementEpoch = PlacementEpoch(0)
    ) {
        self.version = version
        self.kind = kind
        self.flags = flags
        self.payloadByteCount = payloadByteCount
        self.requestID = requestID
        self.epoch = epoch
    }

    /// Writes the header into the first 40 bytes of `destination`, which must have as many.
    public func encode(into destination: UnsafeMutableRawBufferPointer) {
        precondition(destination.count >= Self.byteCount, "a header needs \(Self.byteCount) bytes")
        destination.storeBytes(of: Self.magic.littleEndian, toByteOffset: 0, as: UInt32.self)
        destination.storeBytes(of: version.littleEndian, toByteOffset: 4, as: UInt16.self)
        destination.storeBytes(of: kind.rawValue.littleEndian, toByteOffset: 6, as: UInt16.self)
        destination.storeBytes(of: flags.rawValue.littleEndian, toByteOffset: 8, as: UInt32.self)
        destination.storeBytes(of: UInt32(payloadByteCount).littleEndian, toByteOffset: 12, as: UInt32.self)
        destination.storeBytes(of: requestID.littleEndian, toByteOffset: 16, as: UInt64.self)
        destination.storeBytes(of: epoch.value.littleEndian, toByteOffset: 24, as: UInt64.self)
        destination.storeBytes(of: 0, toByteOffset: 32, as: UInt64.self)
    }

    /// Reads and checks the header in the first 40 bytes of `source`, which must have as many. The payload's length is
    /// checked against the limit of its kind, before anyone allocates anything.
    public init(decoding source: UnsafeRawBufferPointer) throws(HeaderRefusal) {
        precondition(source.count >= Self.byteCount, "a header needs \(Self.byteCount) bytes")
        let fields = RawHeader(source)
        guard fields.magic == Self.magic else {
            throw fields.fatal(.badMagic, "frame begins with 0x\(String(fields.magic, radix: 16)), not with \"CLNY\"")
        }
        guard ProtocolVersion.supported.contains(fields.version) else {
            throw fields.fatal(
                .versionMismatch, "frame has version \(fields.version), supported are \(ProtocolVersion.supportedText)")
        }
        let payloadByteCount = Int(fields.payloadByteCount)
        guard let kind = MessageKind(rawValue: fields.kind) else {
            // The length is still to be believed: the payload is skipped, and the link lives on.
            let limit = Limits.Wire.activationPayloadBytesMax
            guard payloadByteCount <= limit else {
                throw fields.fatal(
                    .payloadBeyondLimit, "payload has \(payloadByteCount) bytes, no kind allows more than \(limit)")
            }
            throw fields.skippable(.unknownKind, "kind \(fields.kind) is unknown")
        }
        guard payloadByteCount <= kind.payloadBytesMax else {
            throw fields.fatal(
                .payloadBeyondLimit,
                "payload of \(kind) has \(payloadByteCount) bytes, the limit is \(kind.payloadBytesMax)")
        }
        guard fields.flags & FrameFlags.reserved == 0, fields.reserved == 0 else {
            throw fields.skippable(
                .reservedNotZero,
                "reserved bits are not zero: flags 0x\(String(fields.flags, radix: 16)), "
                    + "reserved 0x\(String(fields.reserved, radix: 16))")
        }
        self.init(
            version: fields.version, kind: kind, flags: FrameFlags(rawValue: fields.flags),
            payloadByteCount: payloadByteCount, requestID: fields.requestID, epoch: PlacementEpoch(fields.epoch))
    }
}

/// Why a header was refused, and what can be done about it.
public struct HeaderRefusal: Error, Hashable, Sendable {
    /// The answer to send.
    public let refusal: Refusal
    /// The request that the frame says it belongs to; 0 if the header cannot be believed.
    public let requestID: UInt64
    /// Bytes of payload to skip, after which the next frame begins; nil: the header cannot be believed, or the payload
    /// is too long, and the link has to be closed.
    public let skippedByteCount: Int?
}

/// The fields as they are on the wire, before any check.
private struct RawHeader {
    let magic: UInt32
    let version: UInt16
    let kind: UInt16
    let flags: UInt32
    let payloadByteCount: UInt32
    let requestID: UInt64
    let epoch: UInt64
    let reserved: UInt64

    init(_ source: UnsafeRawBufferPointer) {
        magic = UInt32(littleEndian: source.loadUnaligned(fromByteOffset: 0, as: UInt32.self))
        version = UInt16(littleEndian: source.loadUnaligned(fromByteOffset: 4, as: UInt16.self))
        kind = UInt16(littleEndian: source.loadUnaligned(fromByteOffset: 6, as: UInt16.self))
        flags = UInt32(littleEndian: source.loadUnaligned(fromByteOffset: 8, as: UInt32.self))
        payloadByteCount = UInt32(littleEndian: source.loadUnaligned(fromByteOffset: 12, as: UInt32.self))
        requestID = UInt64(littleEndian: source.loadUnaligned(fromByteOffset: 16, as: UInt64.self))
        epoch = UInt64(littleEndian: source.loadUnaligned(fromByteOffset: 24, as: UInt64.self))
        reserved = UInt64(littleEndian: source.loadUnaligned(fromByteOffset: 32, as: UInt64.self))
    }

    func fatal(_ code: RefusalCode, _ message: String) -> HeaderRefusal {
        let isBelievable = code != .badMagic
        return HeaderRefusal(
            refusal: Refusal(code, message), requestID: isBelievable ? requestID : 0, skippedByteCount: nil)
    }

    func skippable(_ code: RefusalCode, _ message: String) -> HeaderRefusal {
        HeaderRefusal(
            refusal: Refusal(code, message), requestID: requestID, skippedByteCount: Int(payloadByteCount))
    }
}
