import Glibc

/// The operating system's words for an error number.
func systemErrorText(_ code: Int32) -> String {
    guard let text = strerror(code) else { return "error \(code)" }
    return "\(String(cString: text)) (error \(code))"
}

/// Repeats `call`, which moves some bytes of a file as `pread` and `pwrite` do, until `count` bytes are moved.
/// - Parameter call: is told how many bytes were moved so far.
/// - Returns: how many were moved, and why no more: an `errno`, or 0 where the file ends.
func moveAll(_ count: Int, _ call: (_ done: Int) -> Int) -> (byteCount: Int, code: Int32) {
    var done = 0
    while done < count {
        let moved = call(done)
        if moved < 0, errno == EINTR { continue }
        guard moved > 0 else { return (done, moved < 0 ? errno : 0) }
        done += moved
    }
    return (done, 0)
}
