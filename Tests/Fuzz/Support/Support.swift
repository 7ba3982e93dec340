import Glibc

/// Ends the process with a message when something does not hold; libFuzzer then keeps the input that led to it.
/// (Alone, `precondition` says nothing in an optimised build.)
func insist(_ holds: Bool, _ message: @autoclosure () -> String) {
    if holds { return }
    let text = Array("does not hold: \(message())\n".utf8)
    _ = write(STDERR_FILENO, text, text.count)
    preconditionFailure("does not hold")
}

/// libFuzzer's entry before the first input: writes the target's `seeds` into the corpus, the last argument.
@_cdecl("LLVMFuzzerInitialize")
public func initializeFuzzer(
    _ argumentCount: UnsafeMutablePointer<Int32>?,
    _ arguments: UnsafeMutablePointer<UnsafeMutablePointer<UnsafeMutablePointer<CChar>?>?>?
) -> Int32 {
    guard let count = argumentCount?.pointee, count > 1, let last = arguments?.pointee?[Int(count) - 1] else {
        return 0
    }
    let corpus = String(cString: last)
    guard !corpus.hasPrefix("-") else { return 0 }
    for (name, bytes) in seeds {
        guard let file = fopen("\(corpus)/\(name)", "w") else { continue }
        _ = fwrite(bytes, 1, bytes.count, file)
        fclose(file)
    }
    return 0
}

/// libFuzzer's entry for one input.
@_cdecl("LLVMFuzzerTestOneInput")
public func testOneInput(_ data: UnsafePointer<UInt8>?, _ byteCount: Int) -> Int32 {
    guard let data, byteCount > 0 else { return 0 }
    fuzz(choice: data[0], bytes: Array(UnsafeBufferPointer(start: data + 1, count: byteCount - 1)))
    return 0
}
