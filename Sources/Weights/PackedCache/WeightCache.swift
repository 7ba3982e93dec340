public import Basics
import Foundation
import Glibc

/// What a cache of packed weights tells its process; none of it is an error of the start.
public enum WeightCacheEvent: Sendable {
    /// A start has its weights: how many bytes came from the cache and how many were packed, and in what time.
    case loaded(cachedBytes: UInt64, packedBytes: UInt64, seconds: Double)
    /// Packed weights were written to the file.
    case written(path: String, byteCount: UInt64, seconds: Double)
    /// Why weights are not kept or a file is not used.
    case refused(reason: String)
}

/// A directory with the packed weights of models, from which the next start maps them instead of packing them again:
/// a folder for each model digest with files of `PackedFileFormat`. Several processes may share it: files appear whole,
/// never change, and stay readable for those that have them open when others delete them.
///
/// Nothing here makes a start fail: what cannot be read is packed again, what cannot be written is told.
public final class WeightCache: Sendable {
    let directory: String
    private let bytesMax: UInt64?
    /// Weights of fewer bytes are not written.
    let worthBytes: UInt64
    let onEvent: @Sendable (WeightCacheEvent) -> Void

    /// What a finished file's name ends with.
    static let suffix = ".packed"

    /// Uses `directory`, which is made when it is needed. Files are deleted, the longest unused first, before there are
    /// more than `bytesMax` bytes of them, or (nil) before less than a tenth of the file system would be free.
    public init(
        directory: String, bytesMax: UInt64?, worthBytes: UInt64 = Limits.Weights.cacheWorthBytes,
        onEvent: @escaping @Sendable (WeightCacheEvent) -> Void
    ) {
        self.directory = directory
        self.bytesMax = bytesMax
        self.worthBytes = worthBytes
        self.onEvent = onEvent
    }

    /// Where this user keeps caches, `$XDG_CACHE_HOME` or `~/.cache` (XDG Base Directory Specification); nil if the
    /// user has neither.
    public static func userDirectory(environment: [String: String]) -> String? {
        if let caches = environment["XDG_CACHE_HOME"], caches.hasPrefix("/") { return caches + "/colony/weights" }
        guard let home = environment["HOME"], home.hasPrefix("/") else { return nil }
        return home + "/.cache/colony/weights"
    }

    /// The files of a model; unfinished ones that nobody writes any more are deleted.
    func files(of digest: ModelDigest) -> [PackedFile] {
        let folder = folder(of: digest)
        guard isPrivate(folder) else { return [] }
        var found: [PackedFile] = []
        for name in names(in: folder).sorted() {
            let path = folder + "/" + name
            if name.hasSuffix(PackedFileWriter.partialSuffix) {
                deleteIfAbandoned(path)
            } else if name.hasSuffix(Self.suffix) {
                do throws(WeightsError) {
                    found.append(try PackedFile(path, digest: digest))
                } catch {
                    onEvent(.refused(reason: "\(error.description); deleted"))
                    unlink(path)
                }
            }
        }
        return found
    }

    /// A path for a new file of `byteCount` bytes, for which there is room now; nil, and an event, if there is none.
    func makeRoom(for digest: ModelDigest, byteCount: UInt64) -> String? {
        let folder = folder(of: digest)
        do {
            try FileManager.default.createDirectory(
                atPath: folder, withIntermediateDirectories: true, attributes: [.posixPermissions: 0o700])
        } catch {
            onEvent(.refused(reason: "cannot make \(folder): \(error.localizedDescription)"))
            return nil
        }
        guard isPrivate(directory), isPrivate(folder) else {
            onEvent(.refused(reason: "\(folder) is not this user's alone: chown it, and chmod 700"))
            return nil
        }
        var files = packedFiles().sorted { $0.lastUse < $1.lastUse }
        while let shortage = shortage(byteCount, files) {
            // The model's own files are in use, and what they hold is not written again.
            guard let oldest = files.firstIndex(where: { !$0.path.hasPrefix(folder + "/") }) else {
                onEvent(.refused(reason: shortage))
                return nil
            }
            unlink(files.remove(at: oldest).path)
        }
        return "\(folder)/\(DispatchTime.now().uptimeNanoseconds)-\(getpid())\(Self.suffix)"
    }

    private struct StoredFile {
        let path: String
        let byteCount: UInt64
        let lastUse: Int64
    }

    /// Why `byteCount` more bytes do not fit beside `files`; nil if they do.
    private func shortage(_ byteCount: UInt64, _ files: [StoredFile]) -> String? {
        let used = files.reduce(0) { $0 + $1.byteCount }
        if let bytesMax {
            return used + byteCount <= bytesMax
                ? nil : "packed weights of \(byteCount) bytes beside \(used) exceed weight_cache_bytes, \(bytesMax)"
        }
        var information = statvfs()
        guard statvfs(directory, &information) == 0 else { return "\(directory): \(systemErrorText(errno))" }
        let unit = UInt64(information.f_frsize)
        let free = UInt64(information.f_bavail) * unit
        let reserve = UInt64(Double(UInt64(information.f_blocks) * unit) * Limits.Weights.cacheFreeShare)
        guard free < byteCount + reserve else { return nil }
        return """
            \(directory) has \(free) bytes free; packed weights of \(byteCount) and \(reserve) to stay free (a tenth) \
            are more
            """
    }

    private func packedFiles() -> [StoredFile] {
        names(in: directory).flatMap { folder -> [StoredFile] in
            names(in: directory + "/" + folder).filter { $0.hasSuffix(Self.suffix) }.compactMap { name in
                let path = "\(directory)/\(folder)/\(name)"
                var information = stat()
                guard lstat(path, &information) == 0, information.st_mode & S_IFMT == S_IFREG else { return nil }
                return StoredFile(
                    path: path, byteCount: UInt64(information.st_size), lastUse: Int64(information.st_mtim.tv_sec))
            }
        }
    }

    /// Whether `path` is a directory of this user that nobody else can write to: kernels read what lies there.
    private func isPrivate(_ path: String) -> Bool {
        var information = stat()
        guard lstat(path, &information) == 0, information.st_mode & S_IFMT == S_IFDIR else { return false }
        return information.st_uid == geteuid() && information.st_mode & 0o022 == 0
    }

    private func deleteIfAbandoned(_ path: String) {
        let descriptor = open(path, O_RDONLY | O_CLOEXEC | O_NOFOLLOW)
        guard descriptor >= 0 else { return }
        if flock(descriptor, LOCK_EX | LOCK_NB) == 0 { unlink(path) }
        close(descriptor)
    }

    private func names(in path: String) -> [String] {
        (try? FileManager.default.contentsOfDirectory(atPath: path)) ?? []
    }

    private func folder(of digest: ModelDigest) -> String { directory + "/" + digest.hexadecimal }
}
