import Basics

/// `name-00002-of-00003.gguf`: what the name of one file of a split model says.
struct GGUFPartName: Equatable {
    /// What all files have in common.
    let stem: String
    /// From 1 on.
    let number: Int
    let count: Int

    /// Reads a file's name; nil if it does not follow the pattern.
    init?(_ fileName: String) {
        guard let match = fileName.wholeMatch(of: /(.+)-([0-9]{5})-of-([0-9]{5})\.gguf/),
            let number = Int(match.2), let count = Int(match.3)
        else { return nil }
        self.init(stem: String(match.1), number: number, count: count)
    }

    init(stem: String, number: Int, count: Int) {
        self.stem = stem
        self.number = number
        self.count = count
    }

    var fileName: String { "\(stem)-\(Self.digits(number))-of-\(Self.digits(count)).gguf" }

    private static func digits(_ number: Int) -> String {
        let text = String(number)
        return String(repeating: "0", count: max(0, 5 - text.count)) + text
    }
}

/// All files of a GGUF model. Most are one file; a split one is opened by any of its parts. The first part has the keys
/// of the model, the others those of the split and whatever the program that split it left there.
struct GGUFParts {
    /// The files in order.
    let files: [WeightFile]
    /// The keys of the first file.
    let metadata: GGUFMetadata

    init(path: String) throws(WeightsError) {
        let opened = try WeightFile.gguf(path, digestName: "1", neededBy: "the model")
        let split = try GGUFSplit(opened.metadata, file: path)
        guard let split, split.count > 1 else {
            files = [opened.file]
            metadata = opened.metadata
            return
        }
        var files: [WeightFile] = []
        var first = opened.metadata
        for (number, partPath) in try split.paths(of: path).enumerated() {
            let part = try WeightFile.gguf(partPath, digestName: String(number + 1), neededBy: path)
            try split.check(part.metadata, number: number, file: partPath)
            if number == 0 { first = part.metadata }
            try Self.checkArchitecture(part.metadata, like: first, file: partPath)
            files.append(part.file)
        }
        let tensorCount = files.reduce(0) { $0 + $1.tensors.count }
        guard tensorCount == split.tensorCount ?? tensorCount else {
            throw .splitMismatch(
                file: path, what: "count of tensors (split.tensors.count)", expected: "\(split.tensorCount ?? 0)",
                found: "\(tensorCount) in \(split.count) files")
        }
        self.files = files
        metadata = first
    }

    private static func checkArchitecture(
        _ metadata: GGUFMetadata, like first: GGUFMetadata, file: String
    ) throws(WeightsError) {
        let key = "general.architecture"
        guard let found = metadata[key], found != first[key] else { return }
        throw .splitMismatch(
            file: file, what: key, expected: first[key]?.serialised() ?? "absent", found: found.serialised())
    }
}

/// What a file says about the split that it is part of.
private struct GGUFSplit: Equatable {
    let number: Int
    let count: Int
    let tensorCount: Int?

    /// Reads `split.*`; nil if the file is no part of anything.
    init?(_ metadata: GGUFMetadata, file: String) throws(WeightsError) {
        func whole(_ key: String, _ range: ClosedRange<Int>) throws(WeightsError) -> Int? {
            guard let value = metadata[key] else { return nil }
            guard let number = value.integer, range.contains(number) else {
                throw .metadataInvalid(
                    file: file, key: key, found: String(value.serialised().prefix(80)),
                    expected: "a whole number from \(range.lowerBound) to \(range.upperBound)")
            }
            return number
        }
        guard let count = try whole("split.count", 0...Limits.Weights.shardFilesMax) else { return nil }
        self.count = count
        number = try whole("split.no", 0...Limits.Weights.shardFilesMax - 1) ?? 0
        tensorCount = try whole("split.tensors.count", 0...Limits.GGUF.tensorsMax)
    }

    /// The paths of all parts, from the path of one.
    func paths(of path: String) throws(WeightsError) -> [String] {
        let pieces = path.split(separator: "/", omittingEmptySubsequences: false)
        let fileName = pieces.last.map(String.init) ?? path
        guard let name = GGUFPartName(fileName), name.count == count, name.number == number + 1 else {
            let expected = GGUFPartName(stem: "NAME", number: number + 1, count: count).fileName
            throw .splitMismatch(file: path, what: "file name", expected: expected, found: fileName)
        }
        let directory = pieces.dropLast().joined(separator: "/")
        return (1...count).map { number in
            directory + "/" + GGUFPartName(stem: name.stem, number: number, count: count).fileName
        }
    }

    /// Checks that another file is part `number` of the same split.
    func check(_ metadata: GGUFMetadata, number: Int, file: String) throws(WeightsError) {
        let other = try GGUFSplit(metadata, file: file)
        func compare(_ key: String, _ expected: Int?, _ found: Int?) throws(WeightsError) {
            guard expected != found else { return }
            throw .splitMismatch(
                file: file, what: key, expected: expected.map(String.init) ?? "absent",
                found: found.map(String.init) ?? "none")
        }
        try compare("split.count", count, other?.count)
        try compare("split.no", number, other?.number)
        try compare("split.tensors.count", tensorCount, other?.tensorCount)
    }
}
