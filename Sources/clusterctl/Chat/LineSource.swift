import GatewayClient
import Glibc

/// What comes from whoever types.
enum TypedInput {
    /// Nothing more will come.
    case end
    /// Ctrl-C, with or without something typed before it.
    case interrupted(hadText: Bool)
    case line(String)
    /// A signal that ends the program.
    case stopped(Int32)
}

/// Where the lines of a chat come from.
protocol LineSource: AnyObject {
    func next(prompt: String) -> TypedInput
    /// Keeps a message so that it can be brought back.
    func remember(_ text: String)
}

/// Standard input in pieces, until a signal comes.
struct InputBytes {
    enum Piece {
        case bytes([UInt8])
        case end
        case redraw
        case signal(Int32)
    }

    let signals: SignalPipe?

    func next() -> Piece {
        while true {
            var requests = [
                pollfd(fd: signals?.interruptDescriptor ?? -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: signals?.redrawDescriptor ?? -1, events: Int16(POLLIN), revents: 0),
                pollfd(fd: STDIN_FILENO, events: Int16(POLLIN), revents: 0),
            ]
            guard poll(&requests, nfds_t(requests.count), -1) >= 0 else { continue }
            if let number = signals?.takeInterrupt() { return .signal(number) }
            if signals?.takeRedraw() == true { return .redraw }
            guard requests[2].revents != 0 else { continue }
            var buffer = [UInt8](repeating: 0, count: 4096)
            let count = read(STDIN_FILENO, &buffer, buffer.count)
            if count > 0 { return .bytes(Array(buffer[..<count])) }
            if count == 0 || errno != EINTR { return .end }
        }
    }
}

/// Lines as they come: from a file, from another program, or from a terminal that can do no better.
final class PlainLines: LineSource {
    private let input: InputBytes
    private let showPrompt: (String) -> Void
    private var bytes: [UInt8] = []
    private var hasEnded = false

    init(signals: SignalPipe?, showPrompt: @escaping (String) -> Void) {
        input = InputBytes(signals: signals)
        self.showPrompt = showPrompt
    }

    func next(prompt: String) -> TypedInput {
        showPrompt(prompt)
        while true {
            if let end = bytes.firstIndex(of: UInt8(ascii: "\n")) {
                defer { bytes.removeSubrange(...end) }
                return .line(Self.text(bytes[..<end]))
            }
            guard !hasEnded else {
                defer { bytes = [] }
                return bytes.isEmpty ? .end : .line(Self.text(bytes[...]))
            }
            switch input.next() {
            case .bytes(let more): bytes += more
            // A terminal gives an unfinished line with Ctrl-D, and is asked again.
            case .end: hasEnded = true
            case .redraw: continue
            case .signal(SIGINT): return .interrupted(hadText: false)
            case .signal(let number): return .stopped(number)
            }
        }
    }

    func remember(_ text: String) {}

    private static func text(_ line: ArraySlice<UInt8>) -> String {
        String(decoding: line.last == UInt8(ascii: "\r") ? line.dropLast() : line, as: UTF8.self)
    }
}
