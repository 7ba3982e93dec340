import Basics
import OrderedCollections

extension JinjaInterpreter {
    /// The filters that look at lists, dictionaries and what is in them.
    func applySequenceFilter(
        _ name: String, _ value: JinjaValue, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        switch name {
        case "map": return try mapFilter(value, arguments, line)
        case "select", "reject", "selectattr", "rejectattr": return try selectFilter(name, value, arguments, line)
        case "default", "d": return try defaultFilter(value, arguments, line)
        case "join": return try joinFilter(value, arguments, line)
        case "sort": return try sortFilter(value, arguments, line)
        case "dictsort": return try dictionarySortFilter(value, arguments, line)
        case "unique": return try uniqueFilter(value, arguments, line)
        case "min", "max": return try extremeFilter(name, value, arguments, line)
        case "sum": return try sumFilter(value, arguments, line)
        case "batch": return try batchFilter(value, arguments, line)
        default: break
        }
        _ = try JinjaParameters(arguments, [], owner: name, line: line)
        switch name {
        case "length", "count": return .integer(try length(of: value, line))
        case "items": return try itemsFilter(value, line)
        case "reverse": return try reverseFilter(value, line)
        default: break
        }
        let elements = try elements(of: value, line: line)
        switch name {
        case "first": return elements.first ?? .undefined(hint: "no first item, the sequence was empty")
        case "last": return elements.last ?? .undefined(hint: "no last item, the sequence was empty")
        default:
            try checkCount(elements.count, line)
            return .list(elements)
        }
    }

    private func length(of value: JinjaValue, _ line: Int) throws(TokenizerError) -> Int {
        switch value {
        case .dictionary(let members): return members.count
        case .list(let elements), .tuple(let elements): return elements.count
        case .string(let text):
            try charge(text.utf8.count, line: line)
            return text.unicodeScalars.count
        case .undefined: return 0
        case .boolean, .double, .function, .integer, .loop, .namespace, .none:
            throw failure(line, "'\(value.typeName)' object has no length")
        }
    }

    private func itemsFilter(_ value: JinjaValue, _ line: Int) throws(TokenizerError) -> JinjaValue {
        switch value {
        case .dictionary: return try callMethod("items", of: value, JinjaArgumentValues(), line)
        case .undefined: return .list([])
        default: throw failure(line, "items needs a dictionary, not \(value.typeName)")
        }
    }

    private func reverseFilter(_ value: JinjaValue, _ line: Int) throws(TokenizerError) -> JinjaValue {
        if case .string(let text) = value {
            try charge(text.utf8.count, line: line)
            var reversed = String.UnicodeScalarView()
            reversed.append(contentsOf: text.unicodeScalars.reversed())
            return .string(String(reversed))
        }
        let elements = try elements(of: value, line: line)
        try checkCount(elements.count, line)
        return .list(elements.reversed())
    }

    private func defaultFilter(
        _ value: JinjaValue, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let parameters = try JinjaParameters(
            arguments, ["default_value", "boolean"], owner: "default", line: line)
        let isReplaced = value.isUndefined || (parameters.flag("boolean") && !value.isTrue)
        return isReplaced ? parameters["default_value"] ?? .string("") : value
    }

    private func joinFilter(
        _ value: JinjaValue, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let parameters = try JinjaParameters(arguments, ["d", "attribute"], owner: "join", line: line)
        var values = try elements(of: value, line: line)
        if let path = parameters["attribute"] { values = try attributes(path, of: values, line) }
        let separator = try parameters["d"].map { value throws(TokenizerError) in try text(of: value, line: line) }
        return .string(try join(values, separator ?? "", line))
    }

    // MARK: Attributes of elements

    /// The attribute of every element that `path` (`"a.b"`, or an index) leads to.
    private func attributes(
        _ path: JinjaValue, _ default: JinjaValue? = nil, of values: [JinjaValue], _ line: Int
    ) throws(TokenizerError) -> [JinjaValue] {
        try checkCount(values.count, line)
        var keys: [JinjaValue] = [path]
        if case .string(let text) = path {
            keys = PythonText.split(text, separator: ".", limit: -1, fromRight: false)
                .map { part in Int(part).map { .integer($0) } ?? .string(part) }
        }
        var found: [JinjaValue] = []
        for value in values {
            var current = value
            for key in keys {
                current = try item(key, of: current, line)
                if current.isUndefined, let fallback = `default` {
                    current = fallback
                    break
                }
            }
            found.append(current)
        }
        return found
    }

    private func mapFilter(
        _ value: JinjaValue, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let values = try elements(of: value, line: line)
        guard let first = arguments.positional.first else {
            let parameters = try JinjaParameters(arguments, ["attribute", "default"], owner: "map", line: line)
            return .list(try attributes(try parameters.required("attribute"), parameters["default"], of: values, line))
        }
        guard case .string(let filter) = first else { throw failure(line, "map needs the name of a filter") }
        let rest = JinjaArgumentValues(positional: Array(arguments.positional.dropFirst()), named: arguments.named)
        try checkCount(values.count, line)
        var mapped: [JinjaValue] = []
        for value in values { mapped.append(try applyFilter(filter, to: value, rest, line)) }
        return .list(mapped)
    }

    private func selectFilter(
        _ name: String, _ value: JinjaValue, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let values = try elements(of: value, line: line)
        var rest = arguments.positional[...]
        var subjects = values
        if name.hasSuffix("attr") {
            guard let path = rest.popFirst() else { throw failure(line, "\(name) needs an attribute's name") }
            subjects = try attributes(path, of: values, line)
        }
        var test: String?
        if let first = rest.popFirst() {
            guard case .string(let text) = first else { throw failure(line, "\(name) needs the name of a test") }
            test = text
        }
        let isKept = name.hasPrefix("select")
        var kept: [JinjaValue] = []
        for (value, subject) in zip(values, subjects) {
            try charge(line: line)
            let answer = try test.map { test throws(TokenizerError) in try self.test(test, subject, Array(rest), line) }
            if (answer ?? subject.isTrue) == isKept { kept.append(value) }
        }
        return .list(kept)
    }

    // MARK: Order

    /// Strings compare without case unless asked otherwise.
    private func sortKey(_ value: JinjaValue, isCaseSensitive: Bool) -> JinjaValue {
        if !isCaseSensitive, case .string(let text) = value { return .string(text.lowercased()) }
        return value
    }

    /// A stable order of positions by key.
    private func order(_ keys: [JinjaValue], isReversed: Bool, _ line: Int) throws(TokenizerError) -> [Int] {
        try checkCount(keys.count * 4, line)
        var failed: TokenizerError?
        let order = keys.indices.sorted { left, right in
            guard failed == nil else { return left < right }
            do throws(TokenizerError) {
                if try isLess(keys[left], keys[right], line) { return !isReversed }
                if try isLess(keys[right], keys[left], line) { return isReversed }
            } catch {
                failed = error
            }
            return left < right
        }
        if let failed { throw failed }
        return order
    }

    private func sortFilter(
        _ value: JinjaValue, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let parameters = try JinjaParameters(
            arguments, ["reverse", "case_sensitive", "attribute"], owner: "sort", line: line)
        let values = try elements(of: value, line: line)
        var keys = values
        if let path = parameters["attribute"], !path.isNone { keys = try attributes(path, of: values, line) }
        keys = keys.map { sortKey($0, isCaseSensitive: parameters.flag("case_sensitive")) }
        return .list(try order(keys, isReversed: parameters.flag("reverse"), line).map { values[$0] })
    }

    private func dictionarySortFilter(
        _ value: JinjaValue, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let parameters = try JinjaParameters(
            arguments, ["case_sensitive", "by", "reverse"], owner: "dictsort", line: line)
        guard case .dictionary(let members) = value else {
            throw failure(line, "dictsort needs a dictionary, not \(value.typeName)")
        }
        let byValue = try parameters.string("by") == "value"
        let keys = members.map {
            sortKey(byValue ? $0.value : $0.key.value, isCaseSensitive: parameters.flag("case_sensitive"))
        }
        let order = try order(keys, isReversed: parameters.flag("reverse"), line)
        return .list(order.map { .tuple([members.elements[$0].key.value, members.elements[$0].value]) })
    }

    private func uniqueFilter(
        _ value: JinjaValue, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let parameters = try JinjaParameters(arguments, ["case_sensitive", "attribute"], owner: "unique", line: line)
        let values = try elements(of: value, line: line)
        var keys = values
        if let path = parameters["attribute"], !path.isNone { keys = try attributes(path, of: values, line) }
        var seen: Set<JinjaKey> = []
        var kept: [JinjaValue] = []
        for (value, key) in zip(values, keys) {
            try charge(line: line)
            let sortKey = sortKey(key, isCaseSensitive: parameters.flag("case_sensitive"))
            if seen.insert(try self.key(sortKey, line)).inserted { kept.append(value) }
        }
        return .list(kept)
    }

    private func extremeFilter(
        _ name: String, _ value: JinjaValue, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let parameters = try JinjaParameters(arguments, ["case_sensitive", "attribute"], owner: name, line: line)
        let values = try elements(of: value, line: line)
        var keys = values
        if let path = parameters["attribute"], !path.isNone { keys = try attributes(path, of: values, line) }
        keys = keys.map { sortKey($0, isCaseSensitive: parameters.flag("case_sensitive")) }
        guard var best = values.indices.first else { return .undefined(hint: "no item, the sequence was empty") }
        for index in values.indices.dropFirst() {
            try charge(line: line)
            let isBetter =
                name == "min" ? try isLess(keys[index], keys[best], line) : try isLess(keys[best], keys[index], line)
            if isBetter { best = index }
        }
        return values[best]
    }

    private func sumFilter(
        _ value: JinjaValue, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let parameters = try JinjaParameters(arguments, ["attribute", "start"], owner: "sum", line: line)
        var values = try elements(of: value, line: line)
        if let path = parameters["attribute"], !path.isNone { values = try attributes(path, of: values, line) }
        var total = parameters["start"] ?? .integer(0)
        for value in values {
            try charge(line: line)
            total = try calculate(.add, total, value, line)
        }
        return total
    }

    private func batchFilter(
        _ value: JinjaValue, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let parameters = try JinjaParameters(arguments, ["linecount", "fill_with"], owner: "batch", line: line)
        let values = try elements(of: value, line: line)
        guard let size = try parameters.integer("linecount"), size > 0 else {
            throw failure(line, "batch needs a positive size")
        }
        try checkCount(values.count, line)
        var batches: [JinjaValue] = []
        var start = 0
        while start < values.count {
            let end = size < values.count - start ? start + size : values.count
            var batch = Array(values[start..<end])
            if let fill = parameters["fill_with"], !fill.isNone, batch.count < size {
                try checkCount(size, line)
                batch += Array(repeating: fill, count: size - batch.count)
            }
            batches.append(.list(batch))
            start = end
        }
        return try checkNesting(.list(batches), line: line)
    }
}
