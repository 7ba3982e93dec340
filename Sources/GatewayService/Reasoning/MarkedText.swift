/// Text that is searched for marks while it comes, as bytes of UTF-8.
extension Collection<UInt8> {
    /// How many bytes at the end may be the beginning of one of `marks`, the rest of which is still to come.
    func countOfPossibleBeginning(of marks: [[UInt8]]) -> Int {
        let longest = Swift.min(count, (marks.map(\.count).max() ?? 1) - 1)
        return stride(from: longest, to: 0, by: -1).first { count in
            marks.contains { $0.starts(with: suffix(count)) }
        } ?? 0
    }
}

extension UInt8 {
    /// Whether the byte is white space in ASCII.
    var isSpace: Bool {
        self == UInt8(ascii: " ") || (UInt8(ascii: "\t")...UInt8(ascii: "\r")).contains(self)
    }
}

extension Substring {
    /// Without white space on either side.
    var trimmed: Substring {
        let scalars = unicodeScalars
        let start = scalars.firstIndex { !$0.properties.isWhitespace } ?? endIndex
        let last = scalars[start...].lastIndex { !$0.properties.isWhitespace }
        return self[start..<(last.map { scalars.index(after: $0) } ?? start)]
    }
}
