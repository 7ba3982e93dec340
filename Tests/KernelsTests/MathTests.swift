import CKernels
import Foundation
import Kernels
import Testing

@Suite struct MathTests {
    @Test func exponentialIsWithinTwoUnitsAndEqualEverywhere() throws {
        var numbers = TestNumbers(seed: 11)
        var inputs: [Float] = stride(from: Float(-90), to: 90, by: 0.013).map { $0 }
        inputs += numbers.floats(20000, scale: 1) + numbers.floats(20000, scale: 0x1p-20)
        inputs += [.infinity, -.infinity, .nan, 0, -0.0, 88.72283, 88.7229, -87.33654, -87.33655, 1e30, -1e30]
        inputs.append(.leastNonzeroMagnitude)
        let expected = inputs.map { Reference.exp($0) }
        for (input, result) in zip(inputs, expected) where !isWithinOneUnit(input, result) {
            Issue.record("exp(\(input)) is \(result)")
        }
        for table in [colony_kernels_generic(), colony_kernels_avx2(), colony_kernels_avx512(), colony_kernels_neon()] {
            guard let table else { continue }
            var outputs = [Float](repeating: 0, count: inputs.count)
            table.pointee.exponential(inputs, &outputs, inputs.count)
            #expect(bits(outputs) == bits(expected))
        }
    }

    @Test func deterministicExponentialAndLogarithm() {
        var numbers = TestNumbers(seed: 12)
        for _ in 0..<20000 {
            let x = Double(numbers.float()) * 700 + Double(numbers.float()) * 1e-7
            expectClose(DeterministicMath.exp(x), Foundation.exp(x), units: 2, "exp(\(x))")
            let positive = Foundation.exp(x)
            expectClose(DeterministicMath.log(positive), Foundation.log(positive), units: 2, "log(\(positive))")
            let nearOne = 1 + Double(numbers.float()) * 0.1
            expectClose(DeterministicMath.log(nearOne), Foundation.log(nearOne), units: 2, "log(\(nearOne))")
        }
        #expect(DeterministicMath.exp(-.infinity) == 0)
        #expect(DeterministicMath.exp(.infinity) == .infinity)
        #expect(DeterministicMath.exp(0) == 1)
        #expect(DeterministicMath.log(0) == -.infinity)
        #expect(DeterministicMath.log(1) == 0)
        #expect(DeterministicMath.log(-1).isNaN)
        #expect(DeterministicMath.exp(.nan).isNaN)
        expectClose(
            DeterministicMath.log(.leastNonzeroMagnitude), Foundation.log(Double.leastNonzeroMagnitude), units: 2,
            "log of the smallest number")
        expectClose(DeterministicMath.exp(-740), Foundation.exp(-740), units: 2, "a subnormal exponential")
    }

    @Test func deterministicPower() {
        var numbers = TestNumbers(seed: 13)
        for _ in 0..<20000 {
            let base = 0.001 + abs(Double(numbers.float())) * (numbers.next() % 2 == 0 ? 2 : 1e7)
            let exponent = Double(numbers.float()) * 12
            expectClose(
                DeterministicMath.pow(base, exponent), Foundation.pow(base, exponent), units: 2,
                "\(base) to the power \(exponent)")
        }
        #expect(DeterministicMath.pow(10000, 0) == 1)
        #expect(DeterministicMath.pow(2, 10) == 1024)
        #expect(DeterministicMath.pow(0, 2) == 0)
        #expect(DeterministicMath.pow(10, 1000) == .infinity)
        #expect(DeterministicMath.pow(10, -1000) == 0)
    }

    @Test func deterministicSineAndCosine() {
        var numbers = TestNumbers(seed: 14)
        for _ in 0..<40000 {
            let scale = [1.0, 100, 1e4, 1e6][Int(numbers.next() % 4)]
            let x = Double(numbers.float()) * scale + Double(numbers.float()) * 1e-8
            let error = max(
                abs(DeterministicMath.sin(x) - Foundation.sin(x)), abs(DeterministicMath.cos(x) - Foundation.cos(x)))
            if error > 1e-15 { Issue.record("sine or cosine of \(x) is \(error) off") }
        }
        #expect(DeterministicMath.sin(0) == 0)
        #expect(DeterministicMath.cos(0) == 1)
        #expect(DeterministicMath.sin(.infinity).isNaN)
    }

    @Test func logSumExpIsAccurate() throws {
        let compute = try Compute(instructionSet: .best, threadCount: 1)
        var numbers = TestNumbers(seed: 15)
        let row = numbers.floats(5000, scale: 30)
        let exact = Foundation.log(row.reduce(0.0) { $0 + Foundation.exp(Double($1)) })
        let result = row.withUnsafeBufferPointer { compute.logSumExp($0) }
        #expect(abs(Double(result) - exact) < 1e-5)
        #expect([Float.nan, 1].withUnsafeBufferPointer { compute.logSumExp($0) }.isNaN)
        #expect([-Float.infinity].withUnsafeBufferPointer { compute.logSumExp($0) } == -.infinity)
        #expect([Float]().withUnsafeBufferPointer { compute.logSumExp($0) } == -.infinity)
    }

    @Test func largestOfARow() throws {
        let compute = try Compute(instructionSet: .best, threadCount: 1)
        let row: [Float] = [1, .nan, 5, -.infinity, 5, 3, 5, .nan]
        row.withUnsafeBufferPointer { row in
            #expect(compute.argmax(row) == 2)
            #expect(compute.topN(row, count: 5).map(\.index) == [2, 4, 6, 5, 0])
            #expect(compute.topN(row, count: 100).map(\.index) == [2, 4, 6, 5, 0, 1, 3, 7])
            #expect(compute.topN(row, count: 0).isEmpty)
        }
        #expect([Float.nan, -.infinity].withUnsafeBufferPointer { compute.argmax($0) } == 1)
        var numbers = TestNumbers(seed: 16)
        let many = numbers.floats(3000).map { ($0 * 50).rounded() }
        let expected = many.indices.sorted { many[$0] != many[$1] ? many[$0] > many[$1] : $0 < $1 }.prefix(700)
        #expect(many.withUnsafeBufferPointer { compute.topN($0, count: 700) }.map(\.index) == Array(expected))
    }

    /// Within 1 unit in the last place (and a hundredth), or flushed as documented.
    private func isWithinOneUnit(_ input: Float, _ result: Float) -> Bool {
        let exact = Foundation.exp(Double(input))
        if input.isNaN { return result.isNaN }
        if Float(exact) < .leastNormalMagnitude { return result == 0 }
        if Float(exact) == .infinity { return result == .infinity }
        return abs(Double(result) - exact) <= 1.01 * Double(Float(exact).ulp)
    }

    /// Records only what is wrong: an expectation for each of many thousand numbers would take seconds.
    private func expectClose(_ found: Double, _ expected: Double, units: Double, _ what: @autoclosure () -> String) {
        if !(abs(found - expected) <= units * expected.ulp) {
            Issue.record("\(what()): \(found) instead of \(expected)")
        }
    }
}
