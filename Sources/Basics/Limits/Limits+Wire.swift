extension Limits {
    /// Limits of frames and of what is in them. Both sides check them: nothing larger is sent, nothing larger is read.
    public enum Wire {
        /// Largest payload of `dispatch` and `combine`, in bytes.
        public static let activationPayloadBytesMax = 256 << 20
        /// Largest payload of `assign` and `welcome`, in bytes: the shards and some names.
        public static let assignPayloadBytesMax = 9 << 20
        /// Largest payload of `echo`, in bytes.
        public static let echoPayloadBytesMax = 16 << 20
        /// Experts of one layer: their numbers are below this.
        public static let expertsMax = 1 << 16
        /// Longest name of a file, in bytes.
        public static let fileNameBytesMax = 255
        /// Most files in `modelFiles`.
        public static let filesMax = 64
        /// Largest payload of `generate`, in bytes.
        public static let generatePayloadBytesMax = 9 << 20
        /// Largest payload of `generated`, in bytes.
        public static let generatedPayloadBytesMax = 32 << 20
        /// Largest payload of `hello`, in bytes.
        public static let helloPayloadBytesMax = 4 << 10
        /// Longest name of an instruction set, in bytes.
        public static let instructionSetBytesMax = 32
        /// Layers of a model: their numbers are below this.
        public static let layersMax = 1 << 12
        /// Longest address that a process says it listens on, in bytes: a host name has up to 255, the port six more.
        public static let listenAddressBytesMax = 264
        /// Most entries of a logit bias.
        public static let logitBiasEntriesMax = 1 << 16
        /// Largest payload of `modelFiles`, in bytes.
        public static let modelFilesPayloadBytesMax = 128 << 20
        /// Longest name of a model, in bytes.
        public static let modelNameBytesMax = 1 << 10
        /// Longest name of a node, in bytes: what a certificate's common name has room for.
        public static let nodeNameBytesMax = 64
        /// Most pairs of token and expert in one dispatch.
        public static let pairsMax = 1 << 22
        /// Most tokens of a prompt.
        public static let promptTokensMax = 1 << 20
        /// Longest reason of a refusal, in bytes; longer ones are cut.
        public static let refusalMessageBytesMax = 4 << 10
        /// Largest payload of `refusal`, in bytes.
        public static let refusalPayloadBytesMax = 8 << 10
        /// Most experts that are reported beside one token, of all layers together.
        public static let routedExpertsMax = 1 << 14
        /// Most tokens that are reported in one `generated`.
        public static let scoredTokensMax = 1 << 17
        /// Most shards in one list.
        public static let shardsMax = 1 << 20
        /// Largest payload of `status`, in bytes.
        public static let statusPayloadBytesMax = 16 << 20
        /// Most stop tokens of a request.
        public static let stopTokensMax = 1 << 12
        /// Most token rows in one dispatch.
        public static let tokenRowsMax = 1 << 16
        /// Most of the likeliest tokens reported beside one token.
        public static let topLogprobsMax = 20
        /// Values in one activation row.
        public static let widthMax = 1 << 17
    }
}
