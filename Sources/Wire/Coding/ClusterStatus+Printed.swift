import Basics

extension ClusterStatus {
    /// The document as people read it, indented and with a line end: what `GET /cluster` and `clusterctl status --json`
    /// print.
    public func printed() throws(WireError) -> String {
        do {
            return try JSON(parsing: try document()).serialised(.indented) + "\n"
        } catch {
            throw .documentMalformed(reason: "\(error)")
        }
    }
}
