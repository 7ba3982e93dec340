extension Limits {
    /// Limits of model directories and weight files.
    public enum Weights {
        /// Largest `config.json`, in bytes.
        public static let configurationBytesMax = 4 << 20
        /// Largest JSON header of a safetensors file, in bytes; the format's own readers hold the same limit.
        public static let headerBytesMax = 100_000_000
        /// Largest `model.safetensors.index.json`, in bytes; a model of 100,000 tensors needs about 10 MB.
        public static let indexBytesMax = 100_000_000
        /// Most weight files of one model; each stays open while the model is in use.
        public static let shardFilesMax = 512
        /// Most dimensions of a tensor.
        public static let dimensionsMax = 8
        /// How many samples of each weight file go into the model's digest.
        public static let digestSamplesPerFile = 16
        /// Size of one such sample, in bytes.
        public static let digestSampleBytes = 4096
        /// How far around a page that is read the kernel may map further pages unasked, in bytes: 64 KiB, or the whole
        /// of a large folio of the page cache, which Linux makes up to 2 MiB big.
        public static let faultAroundBytes = 2 << 20
        /// Packed weights below this size are not kept on disk, in bytes: packing them takes no time.
        public static let cacheWorthBytes: UInt64 = 64 << 20
        /// Share of a file system that the cache of packed weights leaves free, unless told otherwise.
        public static let cacheFreeShare = 0.1
        /// Size of one write to that cache, in bytes: whole huge pages, which the page cache then keeps as such.
        public static let cacheWriteBytes = 8 << 20
        /// Most matrices in one file of that cache: a model of 100 layers of 512 experts has 153,600.
        public static let cacheEntriesMax = 1 << 20
    }
}
