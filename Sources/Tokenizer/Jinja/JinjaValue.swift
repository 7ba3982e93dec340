import Basics
import OrderedCollections

/// A value of a template while it is rendered. Lists and dictionaries are values: templates run in a sandbox that
/// forbids changing them, as the reference implementation's does. Only namespaces change.
enum JinjaValue {
    case boolean(Bool)
    case dictionary(JinjaDictionary)
    case double(Double)
    case function(JinjaFunction)
    case integer(Int)
    case list([JinjaValue])
    case loop(JinjaLoopState)
    case namespace(JinjaNamespace)
    case none
    case string(String)
    case tuple([JinjaValue])
    /// Nothing; `hint` says what was looked for.
    case undefined(hint: String)
}

/// Members in order; keys are compared as Python compares them.
typealias JinjaDictionary = OrderedDictionary<JinjaKey, JinjaValue>

/// What can be a dictionary's key.
enum JinjaKey: Hashable {
    case boolean(Bool)
    case double(Double)
    case integer(Int)
    case none
    case string(String)

    /// Strings are equal code point by code point; true and false are 1 and 0.
    static func == (left: Self, right: Self) -> Bool {
        switch (left, right) {
        case (.boolean(let left), .boolean(let right)): left == right
        case (.boolean(let flag), .integer(let number)), (.integer(let number), .boolean(let flag)):
            number == (flag ? 1 : 0)
        case (.double(let left), .double(let right)): left == right
        case (.integer(let left), .integer(let right)): left == right
        case (.none, .none): true
        case (.string(let left), .string(let right)): PythonText.areEqual(left, right)
        default: false
        }
    }

    func hash(into hasher: inout Hasher) {
        switch self {
        case .boolean(let value): hasher.combine(value ? 1 : 0)
        case .double(let value): hasher.combine(value)
        case .integer(let value): hasher.combine(value)
        case .none: hasher.combine(0)
        case .string(let text):
            var text = text
            text.withUTF8 { hasher.combine(bytes: UnsafeRawBufferPointer($0)) }
        }
    }

    /// The key as a value.
    var value: JinjaValue {
        switch self {
        case .boolean(let value): .boolean(value)
        case .double(let value): .double(value)
        case .integer(let value): .integer(value)
        case .none: .none
        case .string(let text): .string(text)
        }
    }
}

/// Something that can be called.
enum JinjaFunction {
    case builtin(JinjaBuiltin)
    case macro(JinjaMacro)
    indirect case method(of: JinjaValue, name: String)
}

/// The functions that every template can call.
enum JinjaBuiltin: String, CaseIterable {
    case dict
    case namespace
    case raiseException = "raise_exception"
    case range
    case strftimeNow = "strftime_now"
}

/// A macro together with the scope that it was defined in.
final class JinjaMacro {
    let definition: JinjaMacroDefinition
    let scope: JinjaScope

    init(_ definition: JinjaMacroDefinition, scope: JinjaScope) {
        self.definition = definition
        self.scope = scope
    }
}

/// What `namespace()` makes: the only thing that a template can change from within a loop.
final class JinjaNamespace {
    var attributes: JinjaDictionary

    init(_ attributes: JinjaDictionary) { self.attributes = attributes }
}

/// The variables of a template, a loop's pass or a macro's call.
final class JinjaScope {
    private let parent: JinjaScope?
    private var variables: [String: JinjaValue] = [:]

    init(parent: JinjaScope?) { self.parent = parent }

    /// The value of the nearest variable of that name.
    func value(of name: String) -> JinjaValue? {
        var scope: JinjaScope? = self
        while let current = scope {
            if let value = current.variables[name] { return value }
            scope = current.parent
        }
        return nil
    }

    func set(_ name: String, _ value: JinjaValue) { variables[name] = value }

    /// Lets go of all values; ends the cycles that macros make.
    func clear() { variables = [:] }
}

/// What `loop` is within a loop.
final class JinjaLoopState {
    var items: [JinjaValue]
    var index = 0
    let depth: Int
    var lastChanged: [JinjaValue]?

    init(items: [JinjaValue], depth: Int) {
        self.items = items
        self.depth = depth
    }

    /// An attribute that needs no arguments; nil if there is none of that name.
    func attribute(_ name: String) -> JinjaValue? {
        switch name {
        case "index": .integer(index + 1)
        case "index0": .integer(index)
        case "revindex": .integer(items.count - index)
        case "revindex0": .integer(items.count - index - 1)
        case "first": .boolean(index == 0)
        case "last": .boolean(index == items.count - 1)
        case "length": .integer(items.count)
        case "depth": .integer(depth)
        case "depth0": .integer(depth - 1)
        case "previtem": index > 0 ? items[index - 1] : .undefined(hint: "there is no previous item")
        case "nextitem": index + 1 < items.count ? items[index + 1] : .undefined(hint: "there is no next item")
        case "cycle", "changed": .function(.method(of: .loop(self), name: name))
        default: nil
        }
    }
}

extension JinjaValue {
    /// A JSON document as a template sees it.
    init(_ json: JSON) {
        switch json {
        case .array(let elements): self = .list(elements.map { JinjaValue($0) })
        case .bool(let value): self = .boolean(value)
        case .double(let value): self = .double(value)
        case .integer(let value): self = .integer(Int(value))
        case .null: self = .none
        case .object(let members):
            var dictionary = JinjaDictionary(minimumCapacity: members.count)
            for (key, value) in members { dictionary[.string(key)] = JinjaValue(value) }
            self = .dictionary(dictionary)
        case .string(let text): self = .string(text)
        }
    }

    /// Whether Python counts this as true.
    var isTrue: Bool {
        switch self {
        case .boolean(let value): value
        case .dictionary(let members): !members.isEmpty
        case .double(let value): value != 0
        case .integer(let value): value != 0
        case .list(let elements), .tuple(let elements): !elements.isEmpty
        case .none, .undefined: false
        case .string(let text): !text.isEmpty
        case .function, .loop, .namespace: true
        }
    }

    var isUndefined: Bool {
        if case .undefined = self { true } else { false }
    }

    /// Python's name of the type, for error messages.
    var typeName: String {
        switch self {
        case .boolean: "bool"
        case .dictionary: "dict"
        case .double: "float"
        case .function: "function"
        case .integer: "int"
        case .list: "list"
        case .loop: "loop"
        case .namespace: "namespace"
        case .none: "None"
        case .string: "str"
        case .tuple: "tuple"
        case .undefined: "undefined"
        }
    }

    /// The number, if this is one; booleans count.
    var integerValue: Int? {
        switch self {
        case .boolean(let value): value ? 1 : 0
        case .integer(let value): value
        default: nil
        }
    }

    /// The number as a double, if this is one; booleans count.
    var doubleValue: Double? {
        if case .double(let value) = self { return value }
        return integerValue.map { Double($0) }
    }

    /// The value as a dictionary's key; nil if it cannot be one.
    var key: JinjaKey? {
        switch self {
        case .boolean(let value): .boolean(value)
        case .double(let value): Int(exactly: value).map { .integer($0) } ?? .double(value)
        case .integer(let value): .integer(value)
        case .none: JinjaKey.none
        case .string(let text): .string(text)
        case .dictionary, .function, .list, .loop, .namespace, .tuple, .undefined: nil
        }
    }

    /// Python's `==`.
    func isEqual(to other: JinjaValue) -> Bool {
        switch (self, other) {
        case (.string(let left), .string(let right)): return PythonText.areEqual(left, right)
        case (.integer(let left), .integer(let right)): return left == right
        case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
            return left.count == right.count && zip(left, right).allSatisfy { $0.isEqual(to: $1) }
        case (.dictionary(let left), .dictionary(let right)):
            return left.count == right.count
                && left.allSatisfy { member in right[member.key].map { $0.isEqual(to: member.value) } ?? false }
        case (.none, .none), (.undefined, .undefined): return true
        case (.namespace(let left), .namespace(let right)): return left === right
        case (.loop(let left), .loop(let right)): return left === right
        default:
            if let left = doubleValue, let right = other.doubleValue { return left == right }
            return false
        }
    }

    /// Python's `<`; nil if the two cannot be ordered.
    func isLess(than other: JinjaValue) -> Bool? {
        switch (self, other) {
        case (.string(let left), .string(let right)): return PythonText.isLess(left, right)
        case (.integer(let left), .integer(let right)): return left < right
        case (.list(let left), .list(let right)), (.tuple(let left), .tuple(let right)):
            for (first, second) in zip(left, right) where !first.isEqual(to: second) {
                return first.isLess(than: second)
            }
            return left.count < right.count
        default:
            guard let left = doubleValue, let right = other.doubleValue else { return nil }
            return left < right
        }
    }

    /// How deep lists and dictionaries nest here, at most `limit + 1`; adds what it looked at to `visited`.
    func nestingDepth(limit: Int, visited: inout Int) -> Int {
        visited += 1
        guard limit > 0 else { return 1 }
        var deepest = 0
        switch self {
        case .list(let elements), .tuple(let elements):
            for element in elements {
                deepest = max(deepest, element.nestingDepth(limit: limit - 1, visited: &visited))
            }
        case .dictionary(let members):
            for value in members.values {
                deepest = max(deepest, value.nestingDepth(limit: limit - 1, visited: &visited))
            }
        case .function(.method(let receiver, _)):
            deepest = receiver.nestingDepth(limit: limit - 1, visited: &visited)
        case .boolean, .double, .function, .integer, .loop, .namespace, .none, .string, .undefined:
            return 0
        }
        return deepest + 1
    }
}
