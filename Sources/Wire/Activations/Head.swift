// The head of `dispatch` and `combine`: numbers of 32 bits, then zeros up to 64 bytes. What follows is read in place,
// which takes a little-endian processor: all that Colony runs on are.
#if _endian(big)
    #error("activations are read in place: this needs a little-endian processor")
#endif

/// The next multiple of 64.
func paddedTo64(_ byteCount: Int) -> Int { (byteCount + 63) & ~63 }

/// The numbers of a head come as an array of fixed size, so that the hot path allocates nothing; those that a kind does
/// not have are zero.
func writeHead(_ fields: InlineArray<7, UInt32>, to payload: UnsafeMutableRawBufferPointer) {
    UnsafeMutableRawBufferPointer(rebasing: payload[..<DispatchLayout.headByteCount]).initializeMemory(
        as: UInt8.self, repeating: 0)
    for position in fields.indices {
        payload.storeBytes(of: fields[position].littleEndian, toByteOffset: position * 4, as: UInt32.self)
    }
}

func readHead(
    _ payload: UnsafeRawBufferPointer, fieldCount: Int, name: String
) throws(WireError) -> InlineArray<7, UInt32> {
    guard payload.count >= DispatchLayout.headByteCount else {
        throw .truncated(
            field: "head of \(name)", neededByteCount: DispatchLayout.headByteCount, remainingByteCount: payload.count,
            byteOffset: 0)
    }
    guard UInt(bitPattern: payload.baseAddress) % 4 == 0 else {
        throw .invalidValue(field: "payload", reason: "is not aligned to 4 bytes in memory")
    }
    try checkZeros(payload, fieldCount * 4..<DispatchLayout.headByteCount)
    return InlineArray { payload.loadUnaligned(fromByteOffset: $0 * 4, as: UInt32.self) }
}

func checkZeros(_ payload: UnsafeRawBufferPointer, _ range: Range<Int>) throws(WireError) {
    for offset in range where payload[offset] != 0 { throw .paddingNotZero(byteOffset: offset) }
}
