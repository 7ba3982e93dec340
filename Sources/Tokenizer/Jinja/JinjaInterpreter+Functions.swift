import Basics
import Foundation
import OrderedCollections

extension JinjaInterpreter {
    /// Calls a function that every template has.
    func call(
        _ builtin: JinjaBuiltin, _ arguments: JinjaArgumentValues, _ line: Int
    ) throws(TokenizerError) -> JinjaValue {
        switch builtin {
        case .dict: return try checkNesting(.dictionary(try makeDictionary(arguments, "dict", line)), line: line)
        case .namespace: return try makeNamespace(try makeDictionary(arguments, "namespace", line), line: line)
        case .raiseException:
            let parameters = try JinjaParameters(arguments, ["message"], owner: "raise_exception", line: line)
            throw .templateRaised(line: line, message: JinjaPrinter.text(try parameters.required("message")))
        case .range: return try makeRange(arguments, line)
        case .strftimeNow:
            let parameters = try JinjaParameters(arguments, ["format"], owner: "strftime_now", line: line)
            return .string(try formattedNow(try parameters.requiredString("format"), line))
        }
    }

    private func makeDictionary(
        _ arguments: JinjaArgumentValues, _ owner: String, _ line: Int
    ) throws(TokenizerError) -> JinjaDictionary {
        var dictionary = JinjaDictionary()
        guard arguments.positional.count <= 1 else { throw failure(line, "\(owner) takes at most one argument") }
        switch arguments.positional.first {
        case .dictionary(let members): dictionary = members
        case .some(let value):
            for pair in try elements(of: value, line: line) {
                let halves = try elements(of: pair, line: line)
                guard halves.count == 2 else { throw failure(line, "\(owner) needs pairs") }
                dictionary[try key(halves[0], line)] = halves[1]
            }
        case nil: break
        }
        for (name, value) in arguments.named { dictionary[.string(name)] = value }
        return dictionary
    }

    private func makeRange(_ arguments: JinjaArgumentValues, _ line: Int) throws(TokenizerError) -> JinjaValue {
        guard (1...3).contains(arguments.positional.count), arguments.named.isEmpty else {
            throw failure(line, "range takes one to three integers")
        }
        var bounds: [Int] = []
        for value in arguments.positional {
            guard let bound = value.integerValue else {
                throw failure(line, "range takes integers, not \(value.typeName)")
            }
            bounds.append(bound)
        }
        let start = bounds.count > 1 ? bounds[0] : 0
        let end = bounds.count > 1 ? bounds[1] : bounds[0]
        let step = bounds.count > 2 ? bounds[2] : 1
        guard step != 0 else { throw failure(line, "range's step cannot be zero") }
        let isEmpty = step > 0 ? start >= end : start <= end
        guard !isEmpty else { return .list([]) }
        let (distance, overflow) = end.subtractingReportingOverflow(start)
        try checkCount(overflow ? Int.max >> 8 : Int((distance.magnitude - 1) / step.magnitude) + 1, line)
        return .list(stride(from: start, to: end, by: step).map { .integer($0) })
    }

    private func formattedNow(_ format: String, _ line: Int) throws(TokenizerError) -> String {
        guard format.utf8.count <= 256 else { throw failure(line, "strftime_now's format is too long") }
        var now = time(nil)
        var local = tm()
        guard localtime_r(&now, &local) != nil else { throw failure(line, "the time is unknown") }
        var buffer = [CChar](repeating: 0, count: 8192)
        let count = strftime(&buffer, buffer.count, format, &local)
        return String(decoding: buffer.prefix(count).map { UInt8(bitPattern: $0) }, as: UTF8.self)
    }
}
