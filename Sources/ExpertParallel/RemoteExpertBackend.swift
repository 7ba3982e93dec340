import Basics
import Kernels
import Models
import Synchronization
import Transport
import Wire

/// The activation links to the workers, in the order of `ExpertOwners.workers`; nil where a worker is away. Membership
/// writes it, the engine's thread reads it.
public final class WorkerLinks: Sendable {
    private let links: Mutex<[NodeID: Link]> = Mutex([:])

    /// No link yet.
    public init() {}

    /// The open activation link to a worker.
    public subscript(_ worker: NodeID) -> Link? {
        get { links.withLock { $0[worker] } }
        set { links.withLock { $0[worker] = newValue } }
    }
}

/// Sends the rows of a layer to the workers that host their experts, and adds what comes back.
///
/// ```
/// begin    group pairs by owner, round rows ─▶ one dispatch frame per owner, each token's row once per frame
/// wait     for one combine frame per owner
/// combine  for every token add its rows in the router's order
/// ```
/// One round trip per layer, to the owners of the picked experts only (DESIGN §1). Rows travel in the form in which the
/// experts' kernels take them, rounded once for all owners: sending changes no bit. They come back in the form in which
/// they are added up. Lives on the engine's thread.
public final class RemoteExpertBackend: ExpertBackend {
    /// Two micro-batches: while one is with the workers, the coordinator works on the other.
    public let slotCount = 2

    private let owners: ExpertOwners
    private let links: WorkerLinks
    private let compute: Compute
    private let layersInBlocks: Set<LayerIndex>
    private let results: ResultFormat
    private let timeoutMilliseconds: Int
    private let compactRows = CompactRows()
    private var slots: [Slot]

    /// Dispatches to the workers of `owners`; an answer that takes longer than `timeoutMilliseconds` counts as lost.
    /// Workers compute with the form of activations of `compute`; experts of `layersInBlocks` have weights in blocks.
    /// `results` is the form in which experts' rows are added up.
    public init(
        owners: ExpertOwners, links: WorkerLinks, compute: Compute, layersInBlocks: Set<LayerIndex>,
        results: ResultFormat, timeoutMilliseconds: Int
    ) {
        self.owners = owners
        self.links = links
        self.compute = compute
        self.layersInBlocks = layersInBlocks
        self.results = results
        self.timeoutMilliseconds = timeoutMilliseconds
        slots = (0..<slotCount).map { _ in Slot(workerCount: owners.workers.count) }
    }

    /// Sends one dispatch to every worker that hosts a picked expert.
    public func begin(slot: Int, layer: LayerIndex, input: RowsView, routing: Routing) throws(ExpertBackendError) {
        slots[slot].group(routing, owners: owners.owners(ofLayer: layer), width: input.width)
        var rows = SentRows(input, activations: compute.activations, results: results)
        if compute.activations == .int8, layersInBlocks.contains(layer) {
            rows.compact = compute.compact(input, compactRows)
        }
        for worker in owners.workers.indices where !slots[slot].shares[worker].pairs.isEmpty {
            slots[slot].shares[worker].pending = try send(slots[slot].shares[worker], to: worker, layer, rows)
        }
    }

    /// Waits for the answers.
    public func wait(slot: Int) throws(ExpertBackendError) {
        for worker in owners.workers.indices {
            guard let pending = slots[slot].shares[worker].pending else { continue }
            slots[slot].shares[worker].pending = nil
            let answer = try receive(
                pending, from: worker, pairCount: slots[slot].shares[worker].pairs.count, width: slots[slot].width)
            slots[slot].shares[worker].take(answer, results, compute)
        }
    }

    /// Adds the answers' rows to `sum`.
    public func combine(slot: Int, into sum: RowsView) { slots[slot].addRows(of: results, to: sum, compute) }

    /// Drops what is under way; late answers are discarded by the links.
    public func abandon() {
        for slot in slots.indices { slots[slot].clear() }
    }

    private func send(
        _ share: Share, to worker: Int, _ layer: LayerIndex, _ rows: SentRows
    ) throws(ExpertBackendError) -> PendingReply {
        let node = owners.workers[worker]
        guard let link = links[node] else { throw .workerUnavailable(node: node, reason: "not connected") }
        let frame: FrameBuffer
        do {
            frame = try share.encode(layer, rows, version: link.version)
        } catch {
            throw .refused(node: node, reason: error.description)
        }
        do {
            return try link.begin(kind: .dispatch, epoch: owners.epoch, frame)
        } catch {
            throw .workerUnavailable(node: node, reason: error.description)
        }
    }

    private func receive(
        _ pending: PendingReply, from worker: Int, pairCount: Int, width: Int
    ) throws(ExpertBackendError) -> Answer {
        let node = owners.workers[worker]
        let frame: ReceivedFrame
        do {
            frame = try pending.wait(timeoutMilliseconds: timeoutMilliseconds)
        } catch .refused(let refusal) {
            throw .refused(node: node, reason: refusal.message)
        } catch {
            throw .workerUnavailable(node: node, reason: error.description)
        }
        do {
            return try Answer(frame, pairCount: pairCount, width: width, results: results)
        } catch {
            throw .refused(node: node, reason: "bad answer: \(error)")
        }
    }
}

/// The rows of a layer, in the forms in which they may be sent.
private struct SentRows {
    let floats: RowsView
    let activationForm: ActivationForm
    private let results: ResultFormat
    /// The same as 8-bit integers, where all experts of the layer take them so.
    var compact: CompactRowsView?

    init(_ floats: RowsView, activations: ActivationFormat, results: ResultFormat) {
        self.floats = floats
        self.results = results
        activationForm =
            switch activations {
            case .f32: .float32
            case .int8: .int8
            }
    }

    /// Where the rows lie, and in which form: the smallest that `version` of the protocol has.
    func source(version: UInt16) -> (base: UnsafeRawPointer, form: RowForm) {
        guard version >= ProtocolVersion.activationForms, let compact else {
            return (UnsafeRawPointer(floats.base), .float32)
        }
        return (compact.base, .int8Blocks)
    }

    /// In which form a worker is asked to answer: older ones have only f32, which is rounded here when it arrives.
    func resultForm(version: UInt16) -> ResultForm {
        version >= ProtocolVersion.resultForms ? ResultForm(results) : .float32
    }
}

/// The part of a slot's pairs that one worker hosts.
private struct Share {
    /// Rows of the step's input that travel, each once.
    var tokenRows: [Int] = []
    /// The pairs, in the order of their answer rows; `tokenRow` counts within `tokenRows`.
    var pairs: [DispatchPair] = []
    var pending: PendingReply?
    private(set) var answer: ResultRowsView?
    private var frame: ReceivedFrame?
    private let rounded = ResultRows()

    /// Keeps what a worker sent, in the form in which it is added up.
    mutating func take(_ answer: Answer, _ results: ResultFormat, _ compute: Compute) {
        frame = answer.frame
        self.answer = answer.rows
        guard answer.rows.format != results else { return }
        // Only f32 comes otherwise than wanted: from workers that have nothing else.
        let rows = RowsView(
            base: answer.rows.base.assumingMemoryBound(to: Float.self), count: answer.rows.count,
            width: answer.rows.width)
        let wanted = rounded.reserve(rows.count, width: rows.width, format: results)
        compute.round(rows, to: wanted)
        self.answer = wanted
    }

    mutating func clear() {
        tokenRows.removeAll(keepingCapacity: true)
        pairs.removeAll(keepingCapacity: true)
        pending = nil
        answer = nil
        frame = nil
    }

    func encode(_ layer: LayerIndex, _ rows: SentRows, version: UInt16) throws(WireError) -> FrameBuffer {
        let source = rows.source(version: version)
        let layout = try DispatchLayout(
            layer: layer, tokenCount: tokenRows.count, pairCount: pairs.count, width: rows.floats.width,
            rowForm: source.form, activationForm: rows.activationForm,
            resultForm: rows.resultForm(version: version), version: version)
        let rowByteCount = layout.rowByteCount
        let frame = FrameBuffer(payloadByteCount: layout.payloadByteCount)
        frame.withPayload { payload in
            let places = layout.prepare(payload)
            _ = places.pairs.update(from: pairs)
            for (index, row) in tokenRows.enumerated() {
                precondition(row < rows.floats.count, "a row of the step")
                let place = UnsafeMutableRawBufferPointer(
                    rebasing: places.rows[index * rowByteCount..<(index + 1) * rowByteCount])
                place.copyMemory(
                    from: UnsafeRawBufferPointer(start: source.base + row * rowByteCount, count: rowByteCount))
            }
        }
        return frame
    }
}

/// The rows that a worker sent back, and what keeps them alive.
private struct Answer {
    let frame: ReceivedFrame
    let rows: ResultRowsView

    /// Reads a frame of so many rows in the form that was wanted, or in f32.
    init(_ frame: ReceivedFrame, pairCount: Int, width: Int, results: ResultFormat) throws(WireError) {
        let view = try CombineView(decoding: frame.payload, version: frame.header.version)
        let format = ResultFormat(view.layout.resultForm)
        guard format == results || format == .f32 else {
            throw .invalidValue(field: "resultForm", reason: "is \(format), the dispatch asked for \(results)")
        }
        guard view.layout.pairCount == pairCount, view.layout.width == width,
            let base = UnsafeMutableRawPointer(mutating: view.rows.baseAddress)
        else {
            throw .sizeMismatch(
                expectedByteCount: pairCount * format.bytesPerRow(width: width),
                foundByteCount: view.layout.pairCount * view.layout.rowByteCount)
        }
        self.frame = frame
        rows = ResultRowsView(base: base, count: pairCount, width: width, format: format)
    }
}

/// One micro-batch under way.
private struct Slot {
    var shares: [Share]
    /// For every pair of the routing: its owner and its row in the owner's answer.
    private var places: [(worker: Int32, row: Int32)] = []
    private var expertsPerToken = 0
    /// Values of one row.
    private(set) var width = 0

    init(workerCount: Int) { shares = (0..<workerCount).map { _ in Share() } }

    mutating func group(_ routing: Routing, owners: [Int32], width: Int) {
        clear()
        self.width = width
        expertsPerToken = routing.expertsPerToken
        for index in routing.experts.indices {
            let row = index / expertsPerToken
            let worker = Int(owners[Int(routing.experts[index])])
            if shares[worker].tokenRows.last != row { shares[worker].tokenRows.append(row) }
            places.append((Int32(worker), Int32(shares[worker].pairs.count)))
            shares[worker].pairs.append(
                DispatchPair(
                    tokenRow: shares[worker].tokenRows.count - 1, expert: ExpertIndex(Int(routing.experts[index])),
                    weight: routing.weights[index]))
        }
    }

    func addRows(of results: ResultFormat, to sum: RowsView, _ compute: Compute) {
        precondition(places.count == sum.count * expertsPerToken, "the rows that were sent")
        compute.add(expertsPerToken, of: results, to: sum) { index in
            let place = places[index]
            guard let rows = shares[Int(place.worker)].answer else {
                preconditionFailure("every owner has answered")
            }
            return UnsafeRawPointer(rows[Int(place.row)])
        }
    }

    mutating func clear() {
        places.removeAll(keepingCapacity: true)
        for worker in shares.indices { shares[worker].clear() }
    }
}
