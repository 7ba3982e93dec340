import Glibc

/// Signals as bytes in pipes, so that whatever waits for a descriptor waits for them too. (`SignalWaiter` is for
/// programs that end at the first Ctrl-C.)
struct SignalPipe {
    /// Readable once somebody wants the present work to end: SIGINT, SIGTERM, SIGHUP or SIGQUIT.
    let interruptDescriptor: Int32
    /// Readable once the terminal has to be drawn anew: SIGWINCH or SIGCONT.
    let redrawDescriptor: Int32

    /// Starts listening for all of them. One per process.
    init() {
        interruptDescriptor = interruptPipe.readEnd
        redrawDescriptor = redrawPipe.readEnd
        for number in [SIGINT, SIGTERM, SIGHUP, SIGQUIT] { signal(number, handleInterrupt) }
        for number in [SIGWINCH, SIGCONT] { signal(number, handleRedraw) }
    }

    /// The next signal that wants the work to end, if one came: SIGINT only if no stronger one did.
    func takeInterrupt() -> Int32? {
        let numbers = Self.drain(interruptDescriptor)
        return numbers.first { $0 != SIGINT } ?? numbers.first
    }

    /// Whether the terminal has to be drawn anew.
    func takeRedraw() -> Bool { !Self.drain(redrawDescriptor).isEmpty }

    /// Waits until an interruption comes, or the time has passed; whether one came. It is left for `takeInterrupt`.
    func waitForInterrupt(milliseconds: Int) -> Bool {
        var request = pollfd(fd: interruptDescriptor, events: Int16(POLLIN), revents: 0)
        return poll(&request, 1, Int32(clamping: milliseconds)) > 0
    }

    private static func drain(_ descriptor: Int32) -> [Int32] {
        var numbers: [Int32] = []
        var byte: UInt8 = 0
        while read(descriptor, &byte, 1) == 1 { numbers.append(Int32(byte)) }
        return numbers
    }
}

/// The pipes, made before the handlers that write to them.
private let interruptPipe = makePipe()
private let redrawPipe = makePipe()

/// Both ends never block: a handler must not, and a reader wants what is there.
private func makePipe() -> (readEnd: Int32, writeEnd: Int32) {
    var ends: [Int32] = [-1, -1]
    // Without a pipe signals do nothing.
    guard pipe(&ends) == 0 else { return (-1, -1) }
    for end in ends {
        _ = fcntl(end, F_SETFD, FD_CLOEXEC)
        _ = fcntl(end, F_SETFL, O_NONBLOCK)
    }
    return (ends[0], ends[1])
}

/// Handlers run in the middle of anything: they may call nothing but `write`, and leave `errno` as it was.
private func handleInterrupt(_ number: Int32) { pass(number, to: interruptPipe.writeEnd) }

private func handleRedraw(_ number: Int32) { pass(number, to: redrawPipe.writeEnd) }

private func pass(_ number: Int32, to descriptor: Int32) {
    let saved = errno
    var byte = UInt8(truncatingIfNeeded: number)
    _ = write(descriptor, &byte, 1)
    errno = saved
}
