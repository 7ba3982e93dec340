import Basics
import OrderedCollections

extension JinjaParser {
    /// Makes a node above `parts`; a tree that is too deep is refused, however it was written.
    private func node(
        _ kind: JinjaExpression.Kind, _ line: Int, _ parts: [JinjaExpression?] = []
    ) throws(TokenizerError) -> JinjaExpression {
        var depth = 0
        for part in parts { depth = max(depth, part?.depth ?? 0) }
        guard depth < Limits.Template.nestingMax else {
            throw .templateLimitExceeded(
                line: line, what: "nesting of an expression", limit: Limits.Template.nestingMax)
        }
        return JinjaExpression(kind, line: line, depth: depth + 1)
    }

    private func node(
        _ kind: JinjaExpression.Kind, _ line: Int, _ first: JinjaExpression?, _ arguments: JinjaArguments
    ) throws(TokenizerError) -> JinjaExpression {
        let parts = arguments.positional + arguments.named.map(\.value)
        return try node(kind, line, parts + [first, arguments.spreadList, arguments.spreadMapping])
    }

    // MARK: From loose to tight

    /// One expression, or several with commas between them, which make a tuple.
    mutating func parseTuple(allowsConditional: Bool = true) throws(TokenizerError) -> JinjaExpression {
        let line = line
        let first = allowsConditional ? try parseExpression() : try parseOr()
        guard current == .symbol(",") else { return first }
        var elements = [first]
        while take(",") {
            if isTupleEnd { break }
            elements.append(allowsConditional ? try parseExpression() : try parseOr())
        }
        return try node(.tuple(elements), line, elements)
    }

    private var isTupleEnd: Bool {
        switch current {
        case .variableEnd, .blockEnd, .end, .symbol(")"), .symbol("]"), .name("in"), .name("if"): true
        default: false
        }
    }

    /// One expression, inline `if` included.
    mutating func parseExpression() throws(TokenizerError) -> JinjaExpression {
        try nested { parser throws(TokenizerError) in try parser.parseConditionalExpression() }
    }

    private mutating func parseConditionalExpression() throws(TokenizerError) -> JinjaExpression {
        var line = line
        var result = try parseOr()
        while takeKeyword("if") {
            let test = try parseOr()
            let otherwise = takeKeyword("else") ? try parseExpression() : nil
            result = try node(
                .conditional(test: test, then: result, otherwise: otherwise), line, [test, result, otherwise])
            line = self.line
        }
        return result
    }

    private mutating func parseOr() throws(TokenizerError) -> JinjaExpression {
        let line = line
        var left = try parseAnd()
        while takeKeyword("or") {
            let right = try parseAnd()
            left = try node(.or(left, right), line, [left, right])
        }
        return left
    }

    private mutating func parseAnd() throws(TokenizerError) -> JinjaExpression {
        let line = line
        var left = try parseNot()
        while takeKeyword("and") {
            let right = try parseNot()
            left = try node(.and(left, right), line, [left, right])
        }
        return left
    }

    private mutating func parseNot() throws(TokenizerError) -> JinjaExpression {
        let line = line
        guard takeKeyword("not") else { return try parseComparison() }
        let inner = try nested { parser throws(TokenizerError) in try parser.parseNot() }
        return try node(.not(inner), line, [inner])
    }

    private mutating func parseComparison() throws(TokenizerError) -> JinjaExpression {
        let line = line
        let first = try parseSum()
        var rest: [(operation: JinjaComparison, JinjaExpression)] = []
        while let operation = takeComparison() { rest.append((operation, try parseSum())) }
        guard !rest.isEmpty else { return first }
        return try node(.compare(first, rest), line, [first] + rest.map(\.1))
    }

    private static let comparisons: [String: JinjaComparison] = [
        "==": .equal, "!=": .notEqual, "<": .less, "<=": .lessOrEqual, ">": .greater, ">=": .greaterOrEqual,
    ]

    private mutating func takeComparison() -> JinjaComparison? {
        switch current {
        case .symbol(let symbol):
            guard let operation = Self.comparisons[symbol] else { return nil }
            advance()
            return operation
        case .name("in"):
            advance()
            return .contained
        case .name("not") where following == .name("in"):
            advance()
            advance()
            return .notContained
        default: return nil
        }
    }

    private mutating func takeOperation(_ allowed: [JinjaOperation]) -> JinjaOperation? {
        guard case .symbol(let symbol) = current, let operation = JinjaOperation(rawValue: symbol),
            allowed.contains(operation)
        else { return nil }
        advance()
        return operation
    }

    private mutating func parseSum() throws(TokenizerError) -> JinjaExpression {
        let line = line
        var left = try parseConcatenation()
        while let operation = takeOperation([.add, .subtract]) {
            let right = try parseConcatenation()
            left = try node(.operation(operation, left, right), line, [left, right])
        }
        return left
    }

    private mutating func parseConcatenation() throws(TokenizerError) -> JinjaExpression {
        let line = line
        var parts = [try parseProduct()]
        while take("~") { parts.append(try parseProduct()) }
        return parts.count == 1 ? parts[0] : try node(.concatenation(parts), line, parts)
    }

    private mutating func parseProduct() throws(TokenizerError) -> JinjaExpression {
        let line = line
        var left = try parsePower()
        while let operation = takeOperation([.multiply, .divide, .floorDivide, .remainder]) {
            let right = try parsePower()
            left = try node(.operation(operation, left, right), line, [left, right])
        }
        return left
    }

    private mutating func parsePower() throws(TokenizerError) -> JinjaExpression {
        let line = line
        var left = try parseUnary()
        while let operation = takeOperation([.power]) {
            let right = try parseUnary()
            left = try node(.operation(operation, left, right), line, [left, right])
        }
        return left
    }

    /// A sign binds tighter than a filter: `-1|abs` is `(-1)|abs`.
    private mutating func parseUnary(allowsFilter: Bool = true) throws(TokenizerError) -> JinjaExpression {
        let line = line
        var result: JinjaExpression
        if take("-") {
            let inner = try nested { parser throws(TokenizerError) in try parser.parseUnary(allowsFilter: false) }
            result = try node(.negative(inner), line, [inner])
        } else if take("+") {
            let inner = try nested { parser throws(TokenizerError) in try parser.parseUnary(allowsFilter: false) }
            result = try node(.positive(inner), line, [inner])
        } else {
            result = try parsePrimary()
        }
        result = try parsePostfix(result)
        return allowsFilter ? try parseFiltersAndTests(result) : result
    }

    // MARK: Primaries

    private mutating func parsePrimary() throws(TokenizerError) -> JinjaExpression {
        let line = line
        switch current {
        case .name(let name):
            advance()
            return try node(Self.constant(name) ?? .name(name), line)
        case .string:
            return try node(.string(takeAdjacentStrings()), line)
        case .integer(let value):
            advance()
            return try node(.integer(value), line)
        case .double(let value):
            advance()
            return try node(.double(value), line)
        case .symbol("("):
            return try parseParenthesised(line)
        case .symbol("["):
            advance()
            let elements = try parseElements(until: "]")
            return try node(.list(elements), line, elements)
        case .symbol("{"):
            return try parseDictionary(line)
        case .blockBegin, .blockEnd, .end, .symbol, .text, .variableBegin, .variableEnd:
            throw syntaxError("expected an expression, found \(current.description)")
        }
    }

    private static func constant(_ name: String) -> JinjaExpression.Kind? {
        switch name {
        case "true", "True": .boolean(true)
        case "false", "False": .boolean(false)
        case "none", "None": JinjaExpression.Kind.none
        default: nil
        }
    }

    private mutating func takeAdjacentStrings() -> String {
        var text = ""
        while case .string(let part) = current {
            text += part
            advance()
        }
        return text
    }

    private mutating func parseParenthesised(_ line: Int) throws(TokenizerError) -> JinjaExpression {
        try expect("(")
        if take(")") { return try node(.tuple([]), line) }
        let inner = try parseTuple()
        try expect(")")
        return inner
    }

    private mutating func parseElements(until end: String) throws(TokenizerError) -> [JinjaExpression] {
        var elements: [JinjaExpression] = []
        while !take(end) {
            if !elements.isEmpty {
                try expect(",")
                if take(end) { break }
            }
            elements.append(try parseExpression())
        }
        return elements
    }

    private mutating func parseDictionary(_ line: Int) throws(TokenizerError) -> JinjaExpression {
        try expect("{")
        var members: [(key: JinjaExpression, value: JinjaExpression)] = []
        while !take("}") {
            if !members.isEmpty {
                try expect(",")
                if take("}") { break }
            }
            let key = try parseExpression()
            try expect(":")
            members.append((key, try parseExpression()))
        }
        return try node(.dictionary(members), line, members.map(\.key) + members.map(\.value))
    }

    // MARK: What follows a primary

    private mutating func parsePostfix(_ primary: JinjaExpression) throws(TokenizerError) -> JinjaExpression {
        var result = primary
        while case .symbol(let symbol) = current {
            switch symbol {
            case ".", "[": result = try parseAccess(result)
            case "(": result = try parseCall(result)
            default: return result
            }
        }
        return result
    }

    private mutating func parseFiltersAndTests(_ primary: JinjaExpression) throws(TokenizerError) -> JinjaExpression {
        var result = primary
        while true {
            let line = line
            if take("|") {
                let name = try parseDottedName()
                let arguments = current == .symbol("(") ? try parseArguments() : JinjaArguments()
                result = try node(.filter(result, name: name, arguments), line, result, arguments)
            } else if takeKeyword("is") {
                result = try parseTest(result, line)
            } else if current == .symbol("(") {
                result = try parseCall(result)
            } else {
                return result
            }
        }
    }

    /// The name of a filter or test.
    mutating func parseDottedName() throws(TokenizerError) -> String {
        var name = try expectName()
        while take(".") { name += "." + (try expectName()) }
        return name
    }

    private mutating func parseCall(_ callee: JinjaExpression) throws(TokenizerError) -> JinjaExpression {
        let line = line
        let arguments = try parseArguments()
        return try node(.call(callee, arguments), line, callee, arguments)
    }

    private mutating func parseTest(
        _ value: JinjaExpression, _ line: Int
    ) throws(TokenizerError) -> JinjaExpression {
        let isNegated = takeKeyword("not")
        let name = try parseDottedName()
        var arguments = JinjaArguments()
        if current == .symbol("(") {
            arguments = try parseArguments()
        } else if isTestArgument {
            if current == .name("is") { throw syntaxError("tests with 'is' cannot be chained") }
            let argument = try nested { parser throws(TokenizerError) in
                try parser.parsePostfix(try parser.parsePrimary())
            }
            arguments.positional.append(argument)
        }
        let test = try node(.test(value, name: name, arguments), line, value, arguments)
        return isNegated ? try node(.not(test), line, [test]) : test
    }

    /// Whether a test without parentheses has an argument: `is divisibleby 3`.
    private var isTestArgument: Bool {
        switch current {
        case .name("else"), .name("or"), .name("and"), .name("if"), .name("in"), .name("not"): false
        case .name, .string, .integer, .double, .symbol("["), .symbol("{"): true
        case .blockBegin, .blockEnd, .end, .symbol, .text, .variableBegin, .variableEnd: false
        }
    }

    private mutating func parseAccess(_ value: JinjaExpression) throws(TokenizerError) -> JinjaExpression {
        let line = line
        if take(".") {
            if case .integer(let position) = current {
                advance()
                return try node(.subscripted(value, try node(.integer(position), line)), line, [value])
            }
            return try node(.attribute(value, name: try expectName()), line, [value])
        }
        try expect("[")
        var slice = JinjaSlice()
        if current != .symbol(":") {
            let key = try parseTuple()
            if take("]") { return try node(.subscripted(value, key), line, [value, key]) }
            slice.start = key
        }
        try expect(":")
        if current != .symbol(":"), current != .symbol("]") { slice.stop = try parseExpression() }
        if take(":"), current != .symbol("]") { slice.step = try parseExpression() }
        try expect("]")
        return try node(.slice(value, slice), line, [value, slice.start, slice.stop, slice.step])
    }

    /// The arguments in parentheses.
    mutating func parseArguments() throws(TokenizerError) -> JinjaArguments {
        try expect("(")
        var arguments = JinjaArguments()
        var isFirst = true
        while !take(")") {
            if !isFirst {
                try expect(",")
                if take(")") { break }
            }
            isFirst = false
            try parseArgument(into: &arguments)
        }
        return arguments
    }

    private mutating func parseArgument(into arguments: inout JinjaArguments) throws(TokenizerError) {
        if take("**") {
            guard arguments.spreadMapping == nil else { throw syntaxError("'**' appears twice") }
            arguments.spreadMapping = try parseExpression()
        } else if take("*") {
            guard arguments.spreadList == nil else { throw syntaxError("'*' appears twice") }
            arguments.spreadList = try parseExpression()
        } else if case .name(let name) = current, following == .symbol("=") {
            advance()
            advance()
            arguments.named.append((name, try parseExpression()))
        } else {
            guard arguments.named.isEmpty, arguments.spreadMapping == nil else {
                throw syntaxError("a positional argument follows a named one")
            }
            arguments.positional.append(try parseExpression())
        }
    }
}
