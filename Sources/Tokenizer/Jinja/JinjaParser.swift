import Basics

/// Reads a template's statements; expressions are in an extension of its own.
///
/// Nesting is limited while parsing (`Limits.Template.nestingMax`), so neither the parser nor what later walks the tree
/// can run out of stack.
struct JinjaParser {
    private let tokens: [JinjaToken]
    private var index = 0
    private var nesting = 0
    private var loopDepth = 0

    /// The statements of a template.
    static func parse(_ template: String) throws(TokenizerError) -> [JinjaStatement] {
        let limit = Limits.Template.sourceBytesMax
        guard template.utf8.count <= limit else {
            throw .limitExceeded(what: "bytes of the chat template", count: template.utf8.count, limit: limit)
        }
        var parser = JinjaParser(tokens: try JinjaLexer.tokens(of: template))
        return try parser.parseBody(until: []).body
    }

    private init(tokens: [JinjaToken]) { self.tokens = tokens }

    // MARK: Tokens

    /// The next token; the last one, `.end`, is never passed.
    var current: JinjaToken.Kind { tokens[index].kind }

    /// The line of the next token.
    var line: Int { tokens[index].line }

    /// The token behind the next one.
    var following: JinjaToken.Kind { tokens[min(index + 1, tokens.count - 1)].kind }

    mutating func advance() { index = min(index + 1, tokens.count - 1) }

    mutating func take(_ symbol: String) -> Bool {
        guard current == .symbol(symbol) else { return false }
        advance()
        return true
    }

    mutating func takeKeyword(_ keyword: String) -> Bool {
        guard current == .name(keyword) else { return false }
        advance()
        return true
    }

    mutating func expect(_ symbol: String) throws(TokenizerError) {
        guard take(symbol) else { throw syntaxError("expected '\(symbol)', found \(current.description)") }
    }

    mutating func expectName() throws(TokenizerError) -> String {
        guard case .name(let name) = current else { throw syntaxError("expected a name, found \(current.description)") }
        advance()
        return name
    }

    func syntaxError(_ reason: String, line: Int? = nil) -> TokenizerError {
        .templateSyntax(line: line ?? self.line, reason: reason)
    }

    /// Parses something that may contain itself.
    mutating func nested<Result>(
        _ parse: (inout JinjaParser) throws(TokenizerError) -> Result
    ) throws(TokenizerError) -> Result {
        nesting += 1
        defer { nesting -= 1 }
        guard nesting <= Limits.Template.nestingMax else {
            throw .templateLimitExceeded(line: line, what: "nesting", limit: Limits.Template.nestingMax)
        }
        return try parse(&self)
    }

    // MARK: Bodies

    private typealias Body = (body: [JinjaStatement], end: String)

    /// Statements up to a tag that begins with one of `ends`, which is passed; without `ends`, up to the end of the
    /// template.
    private mutating func parseBody(until ends: [String]) throws(TokenizerError) -> Body {
        var body: [JinjaStatement] = []
        let firstLine = line
        while true {
            switch current {
            case .end:
                guard let end = ends.last else { return (body, "") }
                throw syntaxError("'\(end)' is missing", line: firstLine)
            case .text(let text):
                body.append(.text(text, line: line))
                advance()
            case .variableBegin:
                advance()
                body.append(.output(try parseTuple()))
                guard current == .variableEnd else { throw syntaxError("expected '}}', found \(current.description)") }
                advance()
            case .blockBegin:
                advance()
                if case .name(let name) = current, ends.contains(name) {
                    advance()
                    return (body, name)
                }
                try parseStatement(into: &body)
            case .blockEnd, .double, .integer, .name, .symbol, .string, .variableEnd:
                throw syntaxError("unexpected \(current.description)")
            }
        }
    }

    /// A body within a statement.
    private mutating func parseInner(until ends: [String]) throws(TokenizerError) -> Body {
        try nested { parser throws(TokenizerError) in try parser.parseBody(until: ends) }
    }

    private mutating func endTag() throws(TokenizerError) {
        guard current == .blockEnd else { throw syntaxError("expected '%}', found \(current.description)") }
        advance()
    }

    // MARK: Statements

    private static let supported =
        "break, call, continue, filter, for, generation, if, macro, raw, set, with"

    private mutating func parseStatement(into body: inout [JinjaStatement]) throws(TokenizerError) {
        let line = line
        let name = try expectName()
        switch name {
        case "if": body.append(try parseConditional())
        case "for": body.append(try parseLoop(line: line))
        case "set": body.append(try parseSet(line: line))
        case "macro": body.append(try parseMacro(line: line))
        case "call": body.append(try parseCallBlock(line: line))
        case "filter": body.append(try parseFilterBlock(line: line))
        case "with": body.append(try parseWith())
        case "generation":
            try endTag()
            body += try parseInner(until: ["endgeneration"]).body
            try endTag()
        case "break", "continue":
            guard loopDepth > 0 else { throw syntaxError("'\(name)' outside of a loop", line: line) }
            try endTag()
            body.append(name == "break" ? .break : .continue)
        default:
            throw syntaxError("unknown tag '\(name)' (supported: \(Self.supported))", line: line)
        }
    }

    private mutating func parseConditional() throws(TokenizerError) -> JinjaStatement {
        var branches: [(test: JinjaExpression, body: [JinjaStatement])] = []
        var end = "elif"
        while end == "elif" {
            let test = try parseTuple(allowsConditional: false)
            try endTag()
            let inner = try parseInner(until: ["elif", "else", "endif"])
            branches.append((test, inner.body))
            end = inner.end
        }
        var otherwise: [JinjaStatement] = []
        if end == "else" {
            try endTag()
            otherwise = try parseInner(until: ["endif"]).body
        }
        try endTag()
        return .conditional(branches, otherwise: otherwise)
    }

    private mutating func parseLoop(line: Int) throws(TokenizerError) -> JinjaStatement {
        let target = try parseTarget()
        guard takeKeyword("in") else { throw syntaxError("expected 'in', found \(current.description)") }
        let sequence = try parseTuple(allowsConditional: false)
        let condition = takeKeyword("if") ? try parseExpression() : nil
        if current == .name("recursive") { throw syntaxError("recursive loops are not supported") }
        try endTag()
        loopDepth += 1
        let inner = try parseInner(until: ["else", "endfor"])
        loopDepth -= 1
        var otherwise: [JinjaStatement] = []
        if inner.end == "else" {
            try endTag()
            otherwise = try parseInner(until: ["endfor"]).body
        }
        try endTag()
        return .loop(
            JinjaForLoop(
                target: target, sequence: sequence, condition: condition, body: inner.body, otherwise: otherwise,
                line: line))
    }

    private mutating func parseSet(line: Int) throws(TokenizerError) -> JinjaStatement {
        let target = try parseTarget(allowsAttribute: true)
        if take("=") {
            let value = try parseTuple()
            try endTag()
            return .assignment(target, value)
        }
        let filters = try parseFilterCalls(isFirstPiped: true)
        try endTag()
        let body = try parseInner(until: ["endset"]).body
        try endTag()
        return .blockAssignment(target, filters: filters, body: body, line: line)
    }

    private mutating func parseFilterBlock(line: Int) throws(TokenizerError) -> JinjaStatement {
        let filters = try parseFilterCalls(isFirstPiped: false)
        try endTag()
        let body = try parseInner(until: ["endfilter"]).body
        try endTag()
        return .filterBlock(filters, body: body, line: line)
    }

    private mutating func parseFilterCalls(isFirstPiped: Bool) throws(TokenizerError) -> [JinjaFilterCall] {
        var calls: [JinjaFilterCall] = []
        while calls.isEmpty && !isFirstPiped || take("|") {
            let line = line
            let name = try parseDottedName()
            let arguments = current == .symbol("(") ? try parseArguments() : JinjaArguments()
            calls.append(JinjaFilterCall(name: name, arguments: arguments, line: line))
        }
        return calls
    }

    private mutating func parseWith() throws(TokenizerError) -> JinjaStatement {
        var assignments: [(target: JinjaTarget, value: JinjaExpression)] = []
        while current != .blockEnd {
            if !assignments.isEmpty { try expect(",") }
            let target = try parseTarget()
            try expect("=")
            assignments.append((target, try parseExpression()))
        }
        try endTag()
        let body = try parseInner(until: ["endwith"]).body
        try endTag()
        return .scope(assignments, body: body)
    }

    private mutating func parseMacro(line: Int) throws(TokenizerError) -> JinjaStatement {
        let name = try expectName()
        let parameters = try parseParameters()
        return .macro(try parseMacroBody(name, parameters, end: "endmacro", line: line))
    }

    private mutating func parseCallBlock(line: Int) throws(TokenizerError) -> JinjaStatement {
        let parameters = current == .symbol("(") ? try parseParameters() : []
        let call = try parseExpression()
        guard case .call = call.kind else { throw syntaxError("'call' needs a call", line: line) }
        return .callBlock(call: call, caller: try parseMacroBody("caller", parameters, end: "endcall", line: line))
    }

    private mutating func parseMacroBody(
        _ name: String, _ parameters: [(name: String, fallback: JinjaExpression?)], end: String, line: Int
    ) throws(TokenizerError) -> JinjaMacroDefinition {
        try endTag()
        let outerLoopDepth = loopDepth
        loopDepth = 0
        defer { loopDepth = outerLoopDepth }
        let body = try parseInner(until: [end]).body
        try endTag()
        return JinjaMacroDefinition(name: name, parameters: parameters, body: body, line: line)
    }

    private mutating func parseParameters() throws(TokenizerError) -> [(name: String, fallback: JinjaExpression?)] {
        try expect("(")
        var parameters: [(name: String, fallback: JinjaExpression?)] = []
        while !take(")") {
            if !parameters.isEmpty { try expect(",") }
            let name = try expectName()
            if take("=") {
                parameters.append((name, try parseExpression()))
            } else {
                guard parameters.last?.fallback == nil else {
                    throw syntaxError("a parameter without a default follows one with a default")
                }
                parameters.append((name, nil))
            }
        }
        return parameters
    }

    // MARK: Targets

    private static let reserved: Set<String> = ["true", "false", "none", "True", "False", "None", "not", "and", "or"]

    private mutating func parseTarget(allowsAttribute: Bool = false) throws(TokenizerError) -> JinjaTarget {
        if allowsAttribute, following == .symbol("."), case .name(let namespace) = current {
            advance()
            advance()
            return .attribute(namespace: namespace, name: try expectName())
        }
        var targets: [JinjaTarget] = []
        var isTuple = false
        repeat {
            guard current != .name("in"), current != .symbol("=") else { break }
            if !targets.isEmpty { isTuple = true }
            targets.append(try parseSingleTarget())
            guard take(",") else { break }
            isTuple = true
        } while true
        guard let first = targets.first else { throw syntaxError("expected a name, found \(current.description)") }
        return isTuple ? .tuple(targets) : first
    }

    private mutating func parseSingleTarget() throws(TokenizerError) -> JinjaTarget {
        if take("(") {
            let inner = try nested { parser throws(TokenizerError) in try parser.parseTarget() }
            try expect(")")
            return inner
        }
        let line = line
        let name = try expectName()
        guard !Self.reserved.contains(name) else { throw syntaxError("cannot assign to '\(name)'", line: line) }
        return .name(name)
    }
}
