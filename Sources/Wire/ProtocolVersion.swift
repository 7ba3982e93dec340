/// Versions of the protocol. Processes whose ranges overlap work together, so that a cluster can be upgraded node by
/// node.
public enum ProtocolVersion {
    /// Oldest version that this build speaks.
    public static let oldest: UInt16 = 1
    /// Newest version that this build speaks.
    public static let newest: UInt16 = 4
    /// From this version on `generate` may ask for the experts that tokens visit, and `generated` brings them.
    public static let routedExperts: UInt16 = 2
    /// From this version on `heartbeatReply` counts the rows that experts computed.
    public static let expertRows: UInt16 = 2
    /// From this version on `dispatch` says in which form its rows are and in which form experts take activations.
    public static let activationForms: UInt16 = 3
    /// From this version on `dispatch` says in which form the results are to come back, and `combine` brings them so.
    public static let resultForms: UInt16 = 4
    /// All versions that this build speaks.
    public static let supported = oldest...newest

    /// The same for people, e.g. `1 to 4`.
    public static var supportedText: String { "\(oldest) to \(newest)" }

    /// The newest version that both sides speak.
    ///
    /// - Parameters:
    ///   - oldest: oldest version of the other side.
    ///   - newest: newest version of the other side.
    ///   - ours: the versions of this side.
    public static func negotiate(
        oldest: UInt16, newest: UInt16, ours: ClosedRange<UInt16> = supported
    ) throws(Refusal) -> UInt16 {
        guard oldest <= newest else {
            throw Refusal(.malformedPayload, "oldest version \(oldest) is above the newest, \(newest)")
        }
        let common = min(newest, ours.upperBound)
        guard common >= oldest, common >= ours.lowerBound else {
            throw Refusal(
                .versionMismatch,
                "versions \(oldest) to \(newest) have nothing in common with \(ours.lowerBound) to \(ours.upperBound)")
        }
        return common
    }
}
