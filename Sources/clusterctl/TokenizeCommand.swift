import ArgumentParser
import Basics
import Foundation
import Tokenizer
import Weights

/// `clusterctl tokenize`: text → token ids and back, with a model's own tokenizer and without a cluster.
struct TokenizeCommand: ParsableCommand {
    static let configuration = CommandConfiguration(
        commandName: "tokenize",
        abstract: "Turns text on standard input into token ids, or back.",
        discussion: "No special tokens are added; those within the text are recognised.")

    @Option(help: "A Hugging Face model directory or a .gguf file, or a tokenizer.json.")
    var model: String

    @Flag(help: "Read a JSON array of token ids and write their text.")
    var decode = false

    func run() throws {
        try ModelText.reportingErrors {
            let tokenizer = try BPETokenizer(files: try ModelText.files(of: model))
            let input = ModelText.readStandardInput()
            if decode {
                let tokens = try tokens(input)
                if let unknown = tokens.first(where: { tokenizer.bytes(of: $0) == nil }) {
                    throw ModelTextError.inputMalformed(
                        "the tokenizer has no token \(unknown); its ids are below \(tokenizer.vocabularySize)")
                }
                ModelText.write(tokenizer.decode(tokens))
            } else {
                guard let text = String(validating: input, as: UTF8.self) else {
                    throw ModelTextError.inputMalformed("standard input is not UTF-8")
                }
                let ids = tokenizer.encode(text).map { JSON.integer(Int64($0.value)) }
                ModelText.write(JSON.array(ids).serialised() + "\n")
            }
        }
    }

    private func tokens(_ input: [UInt8]) throws -> [TokenID] {
        guard let elements = try JSON(parsing: input).array else {
            throw ModelTextError.inputMalformed("expected a JSON array of token ids")
        }
        return try elements.map { element in
            guard let id = element.integer, let number = Int32(exactly: id), number >= 0 else {
                throw ModelTextError.inputMalformed("\(element.serialised()) is not a token id")
            }
            return TokenID(number)
        }
    }
}

/// Why the input of `tokenize` or `template` cannot be used.
enum ModelTextError: Error, CustomStringConvertible {
    case fileUnreadable(path: String)
    case inputMalformed(String)
    case modelMissing(path: String)

    var description: String {
        switch self {
        case .fileUnreadable(let path): "\(path) cannot be read"
        case .inputMalformed(let reason): reason
        case .modelMissing(let path): "\(path): no such file or directory"
        }
    }
}

/// What `tokenize` and `template` share: a model's small files, standard input and output, errors for people.
enum ModelText {
    /// Reads the small files of a model (a directory or a GGUF file), or one `tokenizer.json`.
    static func files(of path: String) throws -> TokenizerFiles {
        var isDirectory: ObjCBool = false
        guard FileManager.default.fileExists(atPath: path, isDirectory: &isDirectory) else {
            throw ModelTextError.modelMissing(path: path)
        }
        var files = TokenizerFiles()
        if !isDirectory.boolValue, path.hasSuffix(".gguf") {
            let checkpoint = try Checkpoint.open(path)
            for name in SmallFile.ofText {
                files[name] = try checkpoint.smallFile(name, bytesMax: Limits.JSON.documentBytesMax)
            }
            return files
        }
        guard isDirectory.boolValue else {
            files["tokenizer.json"] = try contents(of: path)
            return files
        }
        for name in SmallFile.ofText {
            let places = SmallFile.paths(of: name).map { path + "/" + $0 }
            if let file = places.first(where: FileManager.default.fileExists) { files[name] = try contents(of: file) }
        }
        return files
    }

    private static func contents(of path: String) throws -> [UInt8] {
        guard let data = FileManager.default.contents(atPath: path) else {
            throw ModelTextError.fileUnreadable(path: path)
        }
        guard data.count <= Limits.JSON.documentBytesMax else {
            throw JSONError.documentBeyondLimit(byteCount: data.count, limit: Limits.JSON.documentBytesMax)
        }
        return Array(data)
    }

    static func readStandardInput() -> [UInt8] { Array(FileHandle.standardInput.readDataToEndOfFile()) }

    static func write(_ text: String) { FileHandle.standardOutput.write(Data(text.utf8)) }

    /// Runs `body`; an error is one line on standard error and exit code 1.
    static func reportingErrors(_ body: () throws -> Void) throws {
        do {
            try body()
        } catch {
            FileHandle.standardError.write(Data("clusterctl: \(error)\n".utf8))
            throw ExitCode(1)
        }
    }
}
