import Basics
import OrderedCollections

/// Renders a parsed template. One interpreter renders once, on one thread.
///
/// **Cost.** Every expression and statement costs a step, and making a string or list costs steps by its size, so the
/// one budget `Limits.Template.stepsMax` bounds time and memory together.
final class JinjaInterpreter {
    /// How a body was left.
    private enum Flow {
        case breaking
        case continuing
        case normal
    }

    /// One step pays for this many bytes or list elements.
    private static let bytesPerStep = 64

    /// The variables that are visible now.
    var scope = JinjaScope(parent: nil)
    /// How deep macro calls nest now.
    var callDepth = 0
    private var output = ""
    private var steps = 0
    private var loopDepth = 0
    private var cyclicScopes: [JinjaScope] = []
    private var namespaces: [JinjaNamespace] = []

    /// Renders a template with the given variables.
    static func render(
        _ template: [JinjaStatement], variables: [(name: String, value: JinjaValue)]
    ) throws(TokenizerError) -> String {
        let interpreter = JinjaInterpreter()
        defer { interpreter.breakCycles() }
        for builtin in JinjaBuiltin.allCases {
            interpreter.scope.set(builtin.rawValue, .function(.builtin(builtin)))
        }
        for (name, value) in variables { interpreter.scope.set(name, value) }
        interpreter.scope = JinjaScope(parent: interpreter.scope)
        _ = try interpreter.run(template)
        return interpreter.output
    }

    /// Macros hold their scope, which holds them; a namespace may hold itself.
    private func breakCycles() {
        for scope in cyclicScopes { scope.clear() }
        for namespace in namespaces { namespace.attributes = [:] }
    }

    // MARK: Cost

    /// Pays one step, and for `count` bytes or elements that are about to be made.
    func charge(_ count: Int = 0, line: Int) throws(TokenizerError) {
        guard count <= Limits.Template.outputBytesMax else {
            throw .templateLimitExceeded(line: line, what: "bytes of text", limit: Limits.Template.outputBytesMax)
        }
        steps += 1 + count / Self.bytesPerStep
        guard steps <= Limits.Template.stepsMax else {
            throw .templateLimitExceeded(line: line, what: "steps", limit: Limits.Template.stepsMax)
        }
    }

    /// Refuses lists and dictionaries that nest too deep to be walked safely.
    func checkNesting(_ value: JinjaValue, line: Int) throws(TokenizerError) -> JinjaValue {
        var visited = 0
        let limit = Limits.JSON.depthMax
        let depth = value.nestingDepth(limit: limit, visited: &visited)
        try charge(visited, line: line)
        guard depth <= limit else { throw .templateLimitExceeded(line: line, what: "nesting of a value", limit: limit) }
        return value
    }

    func failure(_ line: Int, _ reason: String) -> TokenizerError { .templateFailed(line: line, reason: reason) }

    // MARK: Statements

    private func write(_ text: String, line: Int) throws(TokenizerError) {
        try charge(text.utf8.count, line: line)
        let total = output.utf8.count + text.utf8.count
        guard total <= Limits.Template.outputBytesMax else {
            throw .templateLimitExceeded(line: line, what: "bytes of output", limit: Limits.Template.outputBytesMax)
        }
        output += text
    }

    /// What `body` writes, instead of writing it.
    private func captured(_ body: [JinjaStatement]) throws(TokenizerError) -> String {
        let outer = output
        output = ""
        defer { output = outer }
        _ = try run(body)
        return output
    }

    private func inNewScope<Result>(
        parent: JinjaScope? = nil, _ body: () throws(TokenizerError) -> Result
    ) throws(TokenizerError) -> Result {
        let outer = scope
        scope = JinjaScope(parent: parent ?? outer)
        defer { scope = outer }
        return try body()
    }

    private func run(_ body: [JinjaStatement]) throws(TokenizerError) -> Flow {
        for statement in body {
            let flow = try run(statement)
            if flow != .normal { return flow }
        }
        return .normal
    }

    private func run(_ statement: JinjaStatement) throws(TokenizerError) -> Flow {
        switch statement {
        case .text(let text, let line):
            try write(text, line: line)
        case .output(let expression):
            try write(printed(expression), line: expression.line)
        case .assignment(let target, let expression):
            try assign(try evaluate(expression), to: target, line: expression.line)
        case .blockAssignment(let target, let filters, let body, let line):
            let text = try inNewScope { () throws(TokenizerError) in try captured(body) }
            try assign(try applied(filters, to: .string(text)), to: target, line: line)
        case .break: return .breaking
        case .continue: return .continuing
        case .conditional(let branches, let otherwise): return try runConditional(branches, otherwise)
        case .loop(let loop): return try runLoop(loop)
        case .macro(let definition):
            scope.set(definition.name, .function(.macro(JinjaMacro(definition, scope: scope))))
            cyclicScopes.append(scope)
            try charge(line: definition.line)
        case .callBlock(let call, let caller): try runCallBlock(call, caller)
        case .filterBlock(let filters, let body, let line):
            let text = try inNewScope { () throws(TokenizerError) in try captured(body) }
            try write(JinjaPrinter.text(try applied(filters, to: .string(text))), line: line)
        case .scope(let assignments, let body): return try runScope(assignments, body)
        }
        return .normal
    }

    private func printed(_ expression: JinjaExpression) throws(TokenizerError) -> String {
        try text(of: try evaluate(expression), line: expression.line)
    }

    /// `str(value)`, paid for.
    func text(of value: JinjaValue, line: Int) throws(TokenizerError) -> String {
        let text = JinjaPrinter.text(value)
        try charge(text.utf8.count, line: line)
        return text
    }

    private func applied(_ filters: [JinjaFilterCall], to value: JinjaValue) throws(TokenizerError) -> JinjaValue {
        var value = value
        for filter in filters {
            value = try applyFilter(filter.name, to: value, try evaluate(filter.arguments, filter.line), filter.line)
        }
        return value
    }

    private func runConditional(
        _ branches: [(test: JinjaExpression, body: [JinjaStatement])], _ otherwise: [JinjaStatement]
    ) throws(TokenizerError) -> Flow {
        for branch in branches where try evaluate(branch.test).isTrue {
            return try run(branch.body)
        }
        return try run(otherwise)
    }

    private func runScope(
        _ assignments: [(target: JinjaTarget, value: JinjaExpression)], _ body: [JinjaStatement]
    ) throws(TokenizerError) -> Flow {
        try inNewScope { () throws(TokenizerError) in
            for (target, value) in assignments { try assign(try evaluate(value), to: target, line: value.line) }
            return try run(body)
        }
    }

    private func runCallBlock(
        _ call: JinjaExpression, _ caller: JinjaMacroDefinition
    ) throws(TokenizerError) {
        guard case .call(let callee, let arguments) = call.kind else { return }
        var values = try evaluate(arguments, call.line)
        values.named.append(("caller", .function(.macro(JinjaMacro(caller, scope: scope)))))
        try write(try text(of: try self.call(callee, values, call.line), line: call.line), line: call.line)
    }

    // MARK: Loops

    private func runLoop(_ loop: JinjaForLoop) throws(TokenizerError) -> Flow {
        let sequence = try evaluate(loop.sequence)
        var items = try elements(of: sequence, line: loop.line)
        if let condition = loop.condition { items = try filtered(items, loop, condition) }
        guard !items.isEmpty else {
            return try inNewScope { () throws(TokenizerError) in try run(loop.otherwise) }
        }
        loopDepth += 1
        let state = JinjaLoopState(items: items, depth: loopDepth)
        defer {
            loopDepth -= 1
            state.items = []  // Whoever kept the loop must not keep what it went over.
        }
        for (index, item) in items.enumerated() {
            try charge(line: loop.line)
            state.index = index
            let flow = try inNewScope { () throws(TokenizerError) in
                scope.set("loop", .loop(state))
                try assign(item, to: loop.target, line: loop.line)
                return try run(loop.body)
            }
            if flow == .breaking { break }
        }
        return .normal
    }

    private func filtered(
        _ items: [JinjaValue], _ loop: JinjaForLoop, _ condition: JinjaExpression
    ) throws(TokenizerError) -> [JinjaValue] {
        var kept: [JinjaValue] = []
        for item in items {
            let isKept = try inNewScope { () throws(TokenizerError) in
                try assign(item, to: loop.target, line: loop.line)
                return try evaluate(condition).isTrue
            }
            if isKept { kept.append(item) }
        }
        return kept
    }

    /// What a loop over a value goes over.
    func elements(of value: JinjaValue, line: Int) throws(TokenizerError) -> [JinjaValue] {
        switch value {
        case .list(let elements), .tuple(let elements): return elements
        case .dictionary(let members):
            try charge(members.count, line: line)
            return members.keys.map(\.value)
        case .string(let text):
            try charge(text.utf8.count * 4, line: line)
            return text.unicodeScalars.map { .string(String($0)) }
        case .undefined: return []
        case .boolean, .double, .function, .integer, .loop, .namespace, .none:
            throw failure(line, "'\(value.typeName)' object is not iterable")
        }
    }

    // MARK: Assignments

    private func assign(_ value: JinjaValue, to target: JinjaTarget, line: Int) throws(TokenizerError) {
        switch target {
        case .name(let name): scope.set(name, value)
        case .attribute(let name, let attribute):
            guard case .namespace(let namespace)? = scope.value(of: name) else {
                throw failure(line, "cannot assign attribute '\(attribute)': '\(name)' is not a namespace")
            }
            try checkAttributeName(attribute, line)
            namespace.attributes[.string(attribute)] = value
        case .tuple(let targets):
            let values = try elements(of: value, line: line)
            guard values.count == targets.count else {
                throw failure(line, "cannot unpack \(values.count) values into \(targets.count) names")
            }
            for (target, value) in zip(targets, values) { try assign(value, to: target, line: line) }
        }
    }

    private func checkAttributeName(_ name: String, _ line: Int) throws(TokenizerError) {
        if name.hasPrefix("_") { throw failure(line, "a namespace cannot have an attribute '\(name)'") }
    }

    /// Makes a namespace that is emptied when rendering ends.
    func makeNamespace(_ attributes: JinjaDictionary, line: Int) throws(TokenizerError) -> JinjaValue {
        for case .string(let name) in attributes.keys { try checkAttributeName(name, line) }
        let namespace = JinjaNamespace(attributes)
        namespaces.append(namespace)
        return .namespace(namespace)
    }

    // MARK: Macros

    /// Calls a macro and gives what it wrote.
    func call(
        _ macro: JinjaMacro, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        guard callDepth < Limits.Template.callDepthMax else {
            throw .templateLimitExceeded(
                line: line, what: "nesting of macro calls", limit: Limits.Template.callDepthMax)
        }
        callDepth += 1
        let outerLoopDepth = loopDepth
        loopDepth = 0
        defer {
            callDepth -= 1
            loopDepth = outerLoopDepth
        }
        return try inNewScope(parent: macro.scope) { () throws(TokenizerError) in
            try bind(arguments, to: macro.definition, line)
            return .string(try captured(macro.definition.body))
        }
    }

    private func bind(
        _ arguments: JinjaArgumentValues, to definition: JinjaMacroDefinition, _ line: Int
    ) throws(TokenizerError) {
        var named = JinjaDictionary()
        for (name, value) in arguments.named { named[.string(name)] = value }
        for (index, parameter) in definition.parameters.enumerated() {
            if index < arguments.positional.count {
                guard named[.string(parameter.name)] == nil else {
                    throw failure(line, "macro '\(definition.name)' got two values for '\(parameter.name)'")
                }
                scope.set(parameter.name, arguments.positional[index])
            } else if let value = named.removeValue(forKey: .string(parameter.name)) {
                scope.set(parameter.name, value)
            } else if let fallback = parameter.fallback {
                scope.set(parameter.name, try evaluate(fallback))
            } else {
                scope.set(parameter.name, .undefined(hint: "parameter '\(parameter.name)' was not provided"))
            }
        }
        let caller = named.removeValue(forKey: .string("caller"))
        scope.set("caller", caller ?? .undefined(hint: "'caller' is undefined"))
        scope.set("varargs", .tuple(Array(arguments.positional.dropFirst(definition.parameters.count))))
        scope.set("kwargs", .dictionary(named))
    }
}
