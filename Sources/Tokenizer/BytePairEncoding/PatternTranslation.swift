/// Tokenizer files are written for Oniguruma (Ruby syntax, UTF-8). Nearly all of it means the same to PCRE2; this
/// rewrites what does not:
/// - `\s`: PCRE2 counts U+180E as space, Unicode (and Oniguruma) no longer do.
/// - `\w`: PCRE2 counts all numbers but no marks, Oniguruma letters, marks, decimal digits and connectors.
/// - `\h`: a hexadecimal digit, not a horizontal space. `\H` is its opposite.
/// - `\p{Han}`: PCRE2 counts characters that a script shares with others, such as U+3002, Oniguruma its own only.
/// - `[a&&[^b]]`, what is in one class and in (or not in) another: PCRE2 looks ahead instead.
/// - other classes within classes are refused, except for POSIX names such as `[:alpha:]`.
enum PatternTranslation {
    private static let space =
        "\\x09-\\x0D\\x20\\x85\\xA0\\x{1680}\\x{2000}-\\x{200A}\\x{2028}\\x{2029}\\x{202F}\\x{205F}\\x{3000}"
    private static let word = "\\p{L}\\p{M}\\p{Nd}\\p{Pc}"
    private static let scripts: Set<String> = [
        "Arabic", "Armenian", "Bengali", "Cyrillic", "Devanagari", "Georgian", "Greek", "Han", "Hangul", "Hebrew",
        "Hiragana", "Katakana", "Khmer", "Lao", "Latin", "Myanmar", "Tamil", "Thai",
    ]
    private static let hexadecimal = "0-9a-fA-F"

    /// The same pattern in PCRE2's syntax.
    static func translate(_ pattern: String) throws(TokenizerError) -> String {
        let scalars = Array(pattern.unicodeScalars)
        var result = String.UnicodeScalarView()
        var index = 0
        var isInClass = false
        var classStart = 0
        while index < scalars.count {
            let scalar = scalars[index]
            if scalar == "\\", let end = scriptNameEnd(scalars, index) {
                result.append(contentsOf: scalars[index..<(index + 3)] + Array("sc:".unicodeScalars))
                result.append(contentsOf: scalars[(index + 3)...end])
                index = end + 1
                continue
            }
            if scalar == "\\", index + 1 < scalars.count {
                result.append(contentsOf: escape(scalars[index + 1], isInClass: isInClass).unicodeScalars)
                index += 2
                continue
            }
            if isInClass {
                try refuseClassSyntax(scalars, index, pattern)
                if scalar == "[", let end = posixNameEnd(scalars, index) {
                    result.append(contentsOf: scalars[index...end])
                    index = end + 1
                    continue
                }
                if scalar == "]", index > classStart { isInClass = false }
            } else if scalar == "[", let intersection = Intersection(scalars, at: index) {
                let look = "(?=" + (try translate(intersection.right)) + ")"
                result.append(contentsOf: "(?:\(look)\(try translate(intersection.left)))".unicodeScalars)
                index = intersection.end
                continue
            } else if scalar == "[" {
                isInClass = true
                classStart = index + (index + 1 < scalars.count && scalars[index + 1] == "^" ? 2 : 1)
            }
            result.append(scalar)
            index += 1
        }
        return String(result)
    }

    private static func escape(_ scalar: Unicode.Scalar, isInClass: Bool) -> String {
        switch (scalar, isInClass) {
        case ("s", true): space
        case ("s", false): "[\(space)]"
        case ("S", false): "[^\(space)]"
        case ("w", true): word
        case ("w", false): "[\(word)]"
        case ("W", false): "[^\(word)]"
        case ("h", true): hexadecimal
        case ("h", false): "[\(hexadecimal)]"
        case ("H", false): "[^\(hexadecimal)]"
        default: "\\" + String(scalar)
        }
    }

    /// The index of the `}` that ends `\p{Han}` or another script's name, nil if that is not what starts at `index`.
    private static func scriptNameEnd(_ scalars: [Unicode.Scalar], _ index: Int) -> Int? {
        guard index + 3 < scalars.count, scalars[index + 1] == "p" || scalars[index + 1] == "P",
            scalars[index + 2] == "{", let end = scalars[(index + 3)...].firstIndex(of: "}")
        else { return nil }
        var name = String.UnicodeScalarView()
        name.append(contentsOf: scalars[(index + 3)..<end])
        return scripts.contains(String(name)) ? end : nil
    }

    /// The index of the `]` that ends `[:name:]`, nil if that is not what starts at `index`.
    private static func posixNameEnd(_ scalars: [Unicode.Scalar], _ index: Int) -> Int? {
        guard index + 1 < scalars.count, scalars[index + 1] == ":" else { return nil }
        var end = index + 2
        while end < scalars.count, scalars[end].properties.isAlphabetic || scalars[end] == "^" { end += 1 }
        return end + 1 < scalars.count && scalars[end] == ":" && scalars[end + 1] == "]" ? end + 1 : nil
    }

    private static func refuseClassSyntax(
        _ scalars: [Unicode.Scalar], _ index: Int, _ pattern: String
    ) throws(TokenizerError) {
        let isIntersection = scalars[index] == "&" && index + 1 < scalars.count && scalars[index + 1] == "&"
        let isNested = scalars[index] == "[" && posixNameEnd(scalars, index) == nil
        guard isIntersection || isNested else { return }
        throw .componentUnsupported(
            component: "regular expression syntax", found: isNested ? "a class within a class" : "&&",
            supported: ["Oniguruma's syntax without classes in classes, but for one intersection as in [a&&[^b]]"])
    }
}

/// A class of the form `[a&&[b]]`.
private struct Intersection {
    /// `[a]`
    let left: String
    /// `[b]`
    let right: String
    /// Behind the outer bracket.
    let end: Int

    /// Nil if what begins at `start` has another form.
    init?(_ scalars: [Unicode.Scalar], at start: Int) {
        var middle = start + 1
        // `[^a&&[b]]` would be what is not in both.
        guard middle < scalars.count, scalars[middle] != "^" else { return nil }
        while !scalars[middle...].starts(with: "&&[".unicodeScalars) {
            guard scalars[middle] != "[", scalars[middle] != "]" else { return nil }
            middle += scalars[middle] == "\\" ? 2 : 1
            guard middle < scalars.count else { return nil }
        }
        var close = middle + 3
        while close < scalars.count, scalars[close] != "]" {
            guard scalars[close] != "[" else { return nil }
            close += scalars[close] == "\\" ? 2 : 1
        }
        guard middle > start + 1, close > middle + 3, close + 1 < scalars.count, scalars[close + 1] == "]" else {
            return nil
        }
        left = Self.text(scalars[start..<middle]) + "]"
        right = Self.text(scalars[(middle + 2)...close])
        end = close + 2
    }

    private static func text(_ scalars: ArraySlice<Unicode.Scalar>) -> String {
        var view = String.UnicodeScalarView()
        view.append(contentsOf: scalars)
        return String(view)
    }
}
