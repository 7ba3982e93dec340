public import Configuration
import Basics
import Foundation
public import Logging
public import Weights

/// The cache of packed weights that a configuration asks for.
public enum ConfiguredWeightCache {
    /// The cache, whose events are logged; nil where it is turned off or this user has no place for it.
    public static func make(_ configuration: ClusterConfiguration, _ logger: Logger) -> WeightCache? {
        guard configuration.weightCacheBytes != 0 else { return nil }
        let environment = ProcessInfo.processInfo.environment
        guard let directory = configuration.weightCache ?? WeightCache.userDirectory(environment: environment) else {
            logger.info("weights are not kept", metadata: ["reason": "neither XDG_CACHE_HOME nor HOME is set"])
            return nil
        }
        return WeightCache(directory: directory, bytesMax: configuration.weightCacheBytes) { log($0, logger) }
    }

    private static func log(_ event: WeightCacheEvent, _ logger: Logger) {
        switch event {
        case .loaded(let cachedBytes, let packedBytes, let seconds):
            logger.info(
                "weights loaded",
                metadata: [
                    "cached": "\(ReadableBytes.text(cachedBytes))", "packed": "\(ReadableBytes.text(packedBytes))",
                    "seconds": "\(String(format: "%.2f", seconds))",
                ])
        case .written(let path, let byteCount, let seconds):
            logger.info(
                "weights kept",
                metadata: [
                    "file": "\(path)", "bytes": "\(ReadableBytes.text(byteCount))",
                    "seconds": "\(String(format: "%.2f", seconds))",
                ])
        case .refused(let reason): logger.warning("weights are not kept", metadata: ["reason": "\(reason)"])
        }
    }
}
