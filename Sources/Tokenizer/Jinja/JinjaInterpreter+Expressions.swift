import Basics
import OrderedCollections

/// Arguments of a call, evaluated.
struct JinjaArgumentValues {
    var positional: [JinjaValue] = []
    var named: [(name: String, value: JinjaValue)] = []
}

extension JinjaInterpreter {
    /// The value of an expression. Small by intent: it recurses, so each kind has a function of its own.
    func evaluate(_ expression: JinjaExpression) throws(TokenizerError) -> JinjaValue {
        let line = expression.line
        try charge(line: line)
        switch expression.kind {
        case .boolean(let value): return .boolean(value)
        case .double(let value): return .double(value)
        case .integer(let value): return .integer(value)
        case .none: return .none
        case .string(let text): return .string(text)
        case .name(let name): return scope.value(of: name) ?? .undefined(hint: "'\(name)' is undefined")
        case .and(let left, let right): return try evaluateAnd(left, right)
        case .or(let left, let right): return try evaluateOr(left, right)
        case .not(let inner): return .boolean(!(try evaluate(inner).isTrue))
        case .negative(let inner): return try negated(try evaluate(inner), line)
        case .positive(let inner): return try number(try evaluate(inner), line)
        case .attribute(let inner, let name): return try attribute(name, of: try evaluate(inner), line)
        case .subscripted(let inner, let key): return try evaluateSubscript(inner, key, line)
        case .slice(let inner, let slice): return try evaluateSlice(inner, slice, line)
        case .call(let callee, let arguments): return try call(callee, try evaluate(arguments, line), line)
        case .compare(let first, let rest): return try evaluateComparison(first, rest, line)
        case .concatenation(let parts): return try evaluateConcatenation(parts, line)
        case .conditional(let test, let then, let otherwise): return try evaluateConditional(test, then, otherwise)
        case .dictionary(let members): return try evaluateDictionary(members, line)
        case .filter(let inner, let name, let arguments): return try evaluateFilter(inner, name, arguments, line)
        case .list(let elements): return try evaluateList(elements, line, isTuple: false)
        case .tuple(let elements): return try evaluateList(elements, line, isTuple: true)
        case .operation(let operation, let left, let right):
            return try calculate(operation, try evaluate(left), try evaluate(right), line)
        case .test(let inner, let name, let arguments): return try evaluateTest(inner, name, arguments, line)
        }
    }

    private func evaluateAnd(_ left: JinjaExpression, _ right: JinjaExpression) throws(TokenizerError) -> JinjaValue {
        let value = try evaluate(left)
        return value.isTrue ? try evaluate(right) : value
    }

    private func evaluateOr(_ left: JinjaExpression, _ right: JinjaExpression) throws(TokenizerError) -> JinjaValue {
        let value = try evaluate(left)
        return value.isTrue ? value : try evaluate(right)
    }

    private func evaluateConditional(
        _ test: JinjaExpression, _ then: JinjaExpression, _ otherwise: JinjaExpression?
    ) throws(TokenizerError) -> JinjaValue {
        if try evaluate(test).isTrue { return try evaluate(then) }
        guard let otherwise else { return .undefined(hint: "an inline 'if' without 'else' was false") }
        return try evaluate(otherwise)
    }

    private func evaluateList(
        _ elements: [JinjaExpression], _ line: Int, isTuple: Bool
    ) throws(TokenizerError) -> JinjaValue {
        var values: [JinjaValue] = []
        for element in elements { values.append(try evaluate(element)) }
        return try checkNesting(isTuple ? .tuple(values) : .list(values), line: line)
    }

    private func evaluateDictionary(
        _ members: [(key: JinjaExpression, value: JinjaExpression)], _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        var dictionary = JinjaDictionary()
        for (key, value) in members {
            dictionary[try self.key(try evaluate(key), line)] = try evaluate(value)
        }
        return try checkNesting(.dictionary(dictionary), line: line)
    }

    /// A value as a dictionary's key.
    func key(_ value: JinjaValue, _ line: Int) throws(TokenizerError) -> JinjaKey {
        guard let key = value.key else { throw failure(line, "a \(value.typeName) cannot be a dictionary's key") }
        return key
    }

    private func evaluateConcatenation(_ parts: [JinjaExpression], _ line: Int) throws(TokenizerError) -> JinjaValue {
        var result = ""
        for part in parts {
            result += try text(of: try evaluate(part), line: line)
            try charge(result.utf8.count, line: line)
        }
        return .string(result)
    }

    private func evaluateComparison(
        _ first: JinjaExpression, _ rest: [(operation: JinjaComparison, JinjaExpression)], _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        var left = try evaluate(first)
        for (operation, expression) in rest {
            let right = try evaluate(expression)
            guard try compare(left, operation, right, line) else { return .boolean(false) }
            left = right
        }
        return .boolean(true)
    }

    private func evaluateFilter(
        _ inner: JinjaExpression, _ name: String, _ arguments: JinjaArguments, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        try applyFilter(name, to: try evaluate(inner), try evaluate(arguments, line), line)
    }

    private func evaluateTest(
        _ inner: JinjaExpression, _ name: String, _ arguments: JinjaArguments, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        .boolean(try test(name, try evaluate(inner), try evaluate(arguments, line).positional, line))
    }

    // MARK: Access

    private func evaluateSubscript(
        _ inner: JinjaExpression, _ key: JinjaExpression, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let value = try evaluate(inner)
        return try item(try evaluate(key), of: value, line)
    }

    /// `value[key]`; a string may also name an attribute.
    func item(_ key: JinjaValue, of value: JinjaValue, _ line: Int) throws(TokenizerError) -> JinjaValue {
        switch value {
        case .undefined(let hint): throw failure(line, hint)
        case .dictionary(let members):
            if let found = key.key.flatMap({ members[$0] }) { return found }
        case .list(let elements), .tuple(let elements):
            if let position = key.integerValue, let index = Self.index(position, count: elements.count) {
                return elements[index]
            }
        case .string(let text):
            if let position = key.integerValue { return try character(position, of: text, line) }
        case .boolean, .double, .function, .integer, .loop, .namespace, .none: break
        }
        if case .string(let name) = key, let found = member(name, of: value) { return found }
        return .undefined(hint: "'\(value.typeName) object' has no element \(JinjaPrinter.representation(key))")
    }

    private func character(_ position: Int, of text: String, _ line: Int) throws(TokenizerError) -> JinjaValue {
        try charge(text.utf8.count, line: line)
        let scalars = Array(text.unicodeScalars)
        guard let index = Self.index(position, count: scalars.count) else {
            return .undefined(hint: "'str object' has no element \(position)")
        }
        return .string(String(scalars[index]))
    }

    private static func index(_ position: Int, count: Int) -> Int? {
        let index = position < 0 ? position + count : position
        return (0..<count).contains(index) ? index : nil
    }

    /// `value.name`: methods go before a dictionary's members, as in Python.
    private func attribute(_ name: String, of value: JinjaValue, _ line: Int) throws(TokenizerError) -> JinjaValue {
        if case .undefined(let hint) = value { throw failure(line, hint) }
        if let found = member(name, of: value) { return found }
        if case .dictionary(let members) = value, let found = members[.string(name)] { return found }
        return .undefined(hint: "'\(value.typeName) object' has no attribute '\(name)'")
    }

    private func member(_ name: String, of value: JinjaValue) -> JinjaValue? {
        switch value {
        case .namespace(let namespace): namespace.attributes[.string(name)]
        case .loop(let loop): loop.attribute(name)
        default: JinjaMethods.exists(name, on: value) ? .function(.method(of: value, name: name)) : nil
        }
    }

    private func evaluateSlice(
        _ inner: JinjaExpression, _ slice: JinjaSlice, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let value = try evaluate(inner)
        let start = try bound(slice.start, line)
        let stop = try bound(slice.stop, line)
        let step = try bound(slice.step, line) ?? 1
        guard step != 0 else { throw failure(line, "a slice's step cannot be zero") }
        switch value {
        case .string(let text):
            try charge(text.utf8.count * 4, line: line)
            let scalars = Array(text.unicodeScalars)
            var result = String.UnicodeScalarView()
            for index in Self.indices(start, stop, step, count: scalars.count) { result.append(scalars[index]) }
            return .string(String(result))
        case .list(let elements):
            try charge(elements.count, line: line)
            return .list(Self.indices(start, stop, step, count: elements.count).map { elements[$0] })
        case .tuple(let elements):
            try charge(elements.count, line: line)
            return .tuple(Self.indices(start, stop, step, count: elements.count).map { elements[$0] })
        case .undefined(let hint): throw failure(line, hint)
        case .boolean, .dictionary, .double, .function, .integer, .loop, .namespace, .none:
            throw failure(line, "'\(value.typeName)' object cannot be sliced")
        }
    }

    private func bound(_ expression: JinjaExpression?, _ line: Int) throws(TokenizerError) -> Int? {
        guard let expression else { return nil }
        let value = try evaluate(expression)
        if case .none = value { return nil }
        guard let bound = value.integerValue else {
            throw failure(line, "a slice's bounds must be integers, not \(value.typeName)")
        }
        return bound
    }

    /// The positions of a Python slice; bounds beyond the ends are moved to them.
    private static func indices(_ start: Int?, _ stop: Int?, _ step: Int, count: Int) -> StrideTo<Int> {
        let lowest = step > 0 ? 0 : -1
        let highest = step > 0 ? count : count - 1
        let clamp = { (position: Int) -> Int in
            let absolute = position < 0 ? max(position, -count - 1) + count : position
            return min(max(absolute, lowest), highest)
        }
        let first = start.map(clamp) ?? (step > 0 ? lowest : highest)
        let end = stop.map(clamp) ?? (step > 0 ? highest : lowest)
        // A step as long as the list is as good as any longer one, and cannot overflow.
        return stride(from: first, to: end, by: min(max(step, -count - 1), count + 1))
    }

    // MARK: Calls

    /// Evaluates what stands in a call's parentheses.
    func evaluate(_ arguments: JinjaArguments, _ line: Int) throws(TokenizerError) -> JinjaArgumentValues {
        var values = JinjaArgumentValues()
        for argument in arguments.positional { values.positional.append(try evaluate(argument)) }
        if let list = arguments.spreadList {
            values.positional += try elements(of: try evaluate(list), line: line)
        }
        for (name, argument) in arguments.named { values.named.append((name, try evaluate(argument))) }
        if let spread = arguments.spreadMapping {
            guard case .dictionary(let members) = try evaluate(spread) else {
                throw failure(line, "what follows '**' must be a dictionary")
            }
            for (key, value) in members {
                guard case .string(let name) = key else { throw failure(line, "a keyword must be a string") }
                values.named.append((name, value))
            }
        }
        try charge(values.positional.count + values.named.count, line: line)
        return values
    }

    /// Calls what `callee` is.
    func call(
        _ callee: JinjaExpression, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        let value = try evaluate(callee)
        switch value {
        case .function(.macro(let macro)): return try call(macro, arguments, line)
        case .function(.builtin(let builtin)): return try call(builtin, arguments, line)
        case .function(.method(let receiver, let name)): return try callMethod(name, of: receiver, arguments, line)
        case .undefined(let hint): throw failure(line, hint)
        default: throw failure(line, "'\(value.typeName)' object cannot be called")
        }
    }
}
