import OrderedCollections

/// An expression of a template. A class, so that trees are cheap to build; immutable, so that threads may share them.
final class JinjaExpression: Sendable {
    /// How an expression is made up.
    enum Kind: Sendable {
        case and(JinjaExpression, JinjaExpression)
        case attribute(JinjaExpression, name: String)
        case boolean(Bool)
        case call(JinjaExpression, JinjaArguments)
        case compare(JinjaExpression, [(operation: JinjaComparison, JinjaExpression)])
        case concatenation([JinjaExpression])
        case conditional(test: JinjaExpression, then: JinjaExpression, otherwise: JinjaExpression?)
        case dictionary([(key: JinjaExpression, value: JinjaExpression)])
        case double(Double)
        case filter(JinjaExpression, name: String, JinjaArguments)
        case integer(Int)
        case list([JinjaExpression])
        case name(String)
        case negative(JinjaExpression)
        case none
        case not(JinjaExpression)
        case operation(JinjaOperation, JinjaExpression, JinjaExpression)
        case or(JinjaExpression, JinjaExpression)
        case positive(JinjaExpression)
        case slice(JinjaExpression, JinjaSlice)
        case string(String)
        case subscripted(JinjaExpression, JinjaExpression)
        case test(JinjaExpression, name: String, JinjaArguments)
        case tuple([JinjaExpression])
    }

    let kind: Kind
    /// Where it begins, counted from 1.
    let line: Int
    /// How deep the tree is from here down.
    let depth: Int

    init(_ kind: Kind, line: Int, depth: Int) {
        self.kind = kind
        self.line = line
        self.depth = depth
    }
}

/// The bounds of `value[start:stop:step]`.
struct JinjaSlice: Sendable {
    var start: JinjaExpression?
    var stop: JinjaExpression?
    var step: JinjaExpression?
}

/// What stands in the parentheses of a call.
struct JinjaArguments: Sendable {
    var positional: [JinjaExpression] = []
    var named: [(name: String, value: JinjaExpression)] = []
    /// `*list`
    var spreadList: JinjaExpression?
    /// `**mapping`
    var spreadMapping: JinjaExpression?
}

/// The comparisons, which may be chained.
enum JinjaComparison: Sendable {
    case contained
    case equal
    case greater
    case greaterOrEqual
    case less
    case lessOrEqual
    case notContained
    case notEqual
}

/// The arithmetic operators.
enum JinjaOperation: String, Sendable {
    case add = "+"
    case divide = "/"
    case floorDivide = "//"
    case multiply = "*"
    case power = "**"
    case remainder = "%"
    case subtract = "-"
}

/// What can stand left of an assignment.
indirect enum JinjaTarget: Sendable {
    case attribute(namespace: String, name: String)
    case name(String)
    case tuple([JinjaTarget])
}

/// A filter of a `{% filter %}` or of a block `{% set %}`.
struct JinjaFilterCall: Sendable {
    let name: String
    let arguments: JinjaArguments
    let line: Int
}

/// `{% for %}`
struct JinjaForLoop: Sendable {
    let target: JinjaTarget
    let sequence: JinjaExpression
    let condition: JinjaExpression?
    let body: [JinjaStatement]
    let otherwise: [JinjaStatement]
    let line: Int
}

/// A macro, or the body of a `{% call %}`.
struct JinjaMacroDefinition: Sendable {
    let name: String
    let parameters: [(name: String, fallback: JinjaExpression?)]
    let body: [JinjaStatement]
    let line: Int
}

/// A statement of a template.
indirect enum JinjaStatement: Sendable {
    case assignment(JinjaTarget, JinjaExpression)
    case blockAssignment(JinjaTarget, filters: [JinjaFilterCall], body: [JinjaStatement], line: Int)
    case `break`
    case callBlock(call: JinjaExpression, caller: JinjaMacroDefinition)
    case conditional([(test: JinjaExpression, body: [JinjaStatement])], otherwise: [JinjaStatement])
    case `continue`
    case filterBlock([JinjaFilterCall], body: [JinjaStatement], line: Int)
    case loop(JinjaForLoop)
    case macro(JinjaMacroDefinition)
    case output(JinjaExpression)
    case scope([(target: JinjaTarget, value: JinjaExpression)], body: [JinjaStatement])
    case text(String, line: Int)
}
