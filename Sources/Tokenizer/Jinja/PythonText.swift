/// Text as Python sees it: a sequence of code points, compared code point by code point. Swift's `Character` and `==`
/// follow graphemes and canonical equivalence, so templates' text is handled here and not with them.
enum PythonText {
    // MARK: White space

    /// What `str.isspace` says of a code point.
    static func isWhitespace(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x09...0x0D, 0x1C...0x20, 0x85, 0xA0, 0x1680, 0x2000...0x200A, 0x2028, 0x2029, 0x202F, 0x205F, 0x3000: true
        default: false
        }
    }

    /// The end of `range` without the white space before it; `bytes` are UTF-8.
    static func endWithoutWhitespace(_ bytes: [UInt8], _ range: Range<Int>) -> Int {
        var end = range.upperBound
        while end > range.lowerBound {
            var start = end - 1
            while start > range.lowerBound, UTF8.isContinuation(bytes[start]) { start -= 1 }
            guard let scalar = scalar(bytes[start..<end]), isWhitespace(scalar) else { break }
            end = start
        }
        return end
    }

    /// The start of `range` without the white space behind it; `bytes` are UTF-8.
    static func startWithoutWhitespace(_ bytes: [UInt8], _ range: Range<Int>) -> Int {
        var start = range.lowerBound
        while start < range.upperBound {
            var end = start + 1
            while end < range.upperBound, UTF8.isContinuation(bytes[end]) { end += 1 }
            guard let scalar = scalar(bytes[start..<end]), isWhitespace(scalar) else { break }
            start = end
        }
        return start
    }

    private static func scalar(_ bytes: ArraySlice<UInt8>) -> Unicode.Scalar? {
        if bytes.count == 1, let byte = bytes.first { return Unicode.Scalar(byte) }
        return String(decoding: bytes, as: UTF8.self).unicodeScalars.first
    }

    /// `str.strip`, `lstrip`, `rstrip`: takes away white space, or the code points of `characters`.
    static func strip(_ text: String, characters: String?, left: Bool = true, right: Bool = true) -> String {
        let set = characters.map { Set($0.unicodeScalars) }
        let goes = { (scalar: Unicode.Scalar) in set?.contains(scalar) ?? isWhitespace(scalar) }
        var view = text.unicodeScalars[...]
        if left { view = view.drop(while: goes) }
        if right { while let last = view.last, goes(last) { view.removeLast() } }
        return String(view)
    }

    // MARK: Searching

    /// Whether two texts are the same code points.
    static func areEqual(_ left: String, _ right: String) -> Bool { left.utf8.elementsEqual(right.utf8) }

    /// Whether `left` comes before `right` in code point order.
    static func isLess(_ left: String, _ right: String) -> Bool { left.utf8.lexicographicallyPrecedes(right.utf8) }

    /// The byte offset of the first `needle` from byte `start` on. Linear time, whatever the bytes (Knuth, Morris,
    /// Pratt).
    static func find(_ needle: [UInt8], in bytes: [UInt8], from start: Int = 0) -> Int? {
        guard let first = needle.first else { return start <= bytes.count ? start : nil }
        guard start + needle.count <= bytes.count else { return nil }
        guard needle.count > 1 else { return bytes[start...].firstIndex(of: first) }
        let borders = borders(of: needle)
        var matched = 0
        for index in start..<bytes.count {
            while matched > 0, needle[matched] != bytes[index] { matched = borders[matched - 1] }
            if needle[matched] == bytes[index] { matched += 1 }
            if matched == needle.count { return index + 1 - matched }
        }
        return nil
    }

    /// For each prefix of the needle: how long its longest proper prefix is that also ends it.
    private static func borders(of needle: [UInt8]) -> [Int] {
        var borders = [Int](repeating: 0, count: needle.count)
        var length = 0
        for index in 1..<needle.count {
            while length > 0, needle[length] != needle[index] { length = borders[length - 1] }
            if needle[length] == needle[index] { length += 1 }
            borders[index] = length
        }
        return borders
    }

    /// Whether `needle` is part of `text`.
    static func contains(_ text: String, _ needle: String) -> Bool {
        find(Array(needle.utf8), in: Array(text.utf8)) != nil
    }

    /// How often `needle` is found, not overlapping.
    static func count(of needle: String, in text: String) -> Int {
        if needle.isEmpty { return text.unicodeScalars.count + 1 }
        let bytes = Array(text.utf8)
        let pattern = Array(needle.utf8)
        var count = 0
        var position = 0
        while let found = find(pattern, in: bytes, from: position) {
            count += 1
            position = found + pattern.count
        }
        return count
    }

    // MARK: Cutting

    /// `str.split` at a separator, at most `limit` times (negative: always); from behind with `fromRight`.
    static func split(_ text: String, separator: String, limit: Int, fromRight: Bool) -> [String] {
        let bytes = Array(text.utf8)
        let pattern = Array(separator.utf8)
        var starts: [Int] = []
        if fromRight {
            starts = positionsFromRight(of: pattern, in: bytes, limit: limit)
        } else {
            var position = 0
            while limit < 0 || starts.count < limit, let found = find(pattern, in: bytes, from: position) {
                starts.append(found)
                position = found + pattern.count
            }
        }
        var parts: [String] = []
        var position = 0
        for start in starts {
            parts.append(String(decoding: bytes[position..<start], as: UTF8.self))
            position = start + pattern.count
        }
        parts.append(String(decoding: bytes[position...], as: UTF8.self))
        return parts
    }

    private static func positionsFromRight(of pattern: [UInt8], in bytes: [UInt8], limit: Int) -> [Int] {
        // From the right is from the left of both read backwards.
        let reversedBytes = Array(bytes.reversed())
        let reversedPattern = Array(pattern.reversed())
        var positions: [Int] = []
        var start = 0
        while limit < 0 || positions.count < limit,
            let found = find(reversedPattern, in: reversedBytes, from: start)
        {
            positions.append(bytes.count - found - pattern.count)
            start = found + pattern.count
        }
        return positions.reversed()
    }

    /// `str.split` at white space, at most `limit` times (negative: always).
    static func splitAtWhitespace(_ text: String, limit: Int, fromRight: Bool) -> [String] {
        var parts: [String] = []
        var rest = text.unicodeScalars[...]
        while true {
            if fromRight {
                while let last = rest.last, isWhitespace(last) { rest.removeLast() }
            } else {
                rest = rest.drop(while: isWhitespace)
            }
            guard !rest.isEmpty else { break }
            if limit >= 0, parts.count == limit {
                parts.append(String(rest))
                break
            }
            if fromRight {
                let start = rest.lastIndex(where: isWhitespace).map { rest.index(after: $0) } ?? rest.startIndex
                parts.append(String(rest[start...]))
                rest = rest[..<start]
            } else {
                let end = rest.firstIndex(where: isWhitespace) ?? rest.endIndex
                parts.append(String(rest[..<end]))
                rest = rest[end...]
            }
        }
        return fromRight ? parts.reversed() : parts
    }

    /// `str.splitlines`.
    static func lines(_ text: String, keepsEnds: Bool = false) -> [String] {
        var lines: [String] = []
        var current = String.UnicodeScalarView()
        var scalars = text.unicodeScalars.makeIterator()
        var next = scalars.next()
        while let scalar = next {
            next = scalars.next()
            guard isLineEnd(scalar) else {
                current.append(scalar)
                continue
            }
            if keepsEnds { current.append(scalar) }
            if scalar == "\r", next == "\n" {
                if keepsEnds { current.append("\n") }
                next = scalars.next()
            }
            lines.append(String(current))
            current = String.UnicodeScalarView()
        }
        if !current.isEmpty { lines.append(String(current)) }
        return lines
    }

    private static func isLineEnd(_ scalar: Unicode.Scalar) -> Bool {
        switch scalar.value {
        case 0x0A...0x0D, 0x1C...0x1E, 0x85, 0x2028, 0x2029: true
        default: false
        }
    }

    /// `str.replace`, at most `limit` times (negative: always).
    static func replace(_ text: String, _ old: String, with new: String, limit: Int) -> String {
        if old.isEmpty { return insertEverywhere(text, new, limit: limit) }
        let parts = split(text, separator: old, limit: limit, fromRight: false)
        return parts.joined(separator: new)
    }

    private static func insertEverywhere(_ text: String, _ new: String, limit: Int) -> String {
        var result = ""
        var count = 0
        for scalar in text.unicodeScalars {
            if limit < 0 || count < limit { result += new }
            count += 1
            result.unicodeScalars.append(scalar)
        }
        if limit < 0 || count < limit { result += new }
        return result
    }

    // MARK: Case

    /// `str.capitalize`.
    static func capitalise(_ text: String) -> String {
        guard let first = text.unicodeScalars.first else { return text }
        let rest = String(text.unicodeScalars.dropFirst())
        return first.properties.titlecaseMapping + rest.lowercased()
    }

    /// `str.title`: a letter that follows no letter is upper case, every other lower case.
    static func title(_ text: String) -> String {
        var result = ""
        var previousIsLetter = false
        for scalar in text.unicodeScalars {
            let properties = scalar.properties
            result += previousIsLetter ? properties.lowercaseMapping : properties.titlecaseMapping
            previousIsLetter = properties.isCased
        }
        return result
    }
}
