extension Limits {
    /// Limits of frames and of what is in them. Both sides check them: nothing larger is sent, nothing larger is read.
    public enum Wire {
        /// Longest name of a node, in bytes: what a certificate's common name has room for.
        public static let nodeNameBytesMax = 64
    }
}
