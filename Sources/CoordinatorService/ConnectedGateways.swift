import Basics
import Synchronization
import Transport
import Wire

/// The gateways whose links are open. They come and go as they like: nothing is configured about them.
final class ConnectedGateways: Sendable {
    private struct Gateway {
        let link: ObjectIdentifier
        let node: NodeID
        let address: String
    }

    /// In the order in which they connected.
    private let gateways = Mutex<[Gateway]>([])

    /// From now on the gateway at the link's other end is listed, under the address where it serves its clients.
    func linkDidOpen(_ link: Link, listenAddress: String) {
        let gateway = Gateway(link: ObjectIdentifier(link), node: link.peerNode, address: listenAddress)
        gateways.withLock { $0.append(gateway) }
    }

    /// Takes the gateway off the list, unless another link of it is open.
    func linkDidClose(_ link: Link) {
        gateways.withLock { $0.removeAll { $0.link == ObjectIdentifier(link) } }
    }

    /// Each gateway once, by name. A gateway that came back may have its old link still: the newest one counts.
    var nodes: [ClusterStatus.Node] {
        let newest = gateways.withLock { gateways in
            Dictionary(gateways.map { ($0.node, $0.address) }, uniquingKeysWith: { $1 })
        }
        return newest.sorted { $0.key < $1.key }.map { node, address in
            ClusterStatus.Node(name: node.value, role: .gateway, address: address, state: .ready)
        }
    }
}
