import COpenSSL

/// What a process asks of OpenSSL as a whole.
public enum OpenSSLLibrary {
    /// Keeps OpenSSL usable until the process is gone: its first call, before anything else uses the library.
    ///
    /// By itself OpenSSL frees what it has when `exit` is called, while links' reader threads still free their own
    /// sessions. Both then free the same memory: one `clusterctl status` in 750 was aborted by that.
    public static func keepUntilExit() { OPENSSL_init_crypto(UInt64(OPENSSL_INIT_NO_ATEXIT), nil) }
}
