import Kernels
import TestSupport
import Testing

@Suite struct TopologyTests {
    @Test(arguments: [
        ("0-3,8,10-11\n", [0, 1, 2, 3, 8, 10, 11]), ("5", [5]), ("", []), ("\n", []), ("3,1,2-3", [1, 2, 3]),
        ("98-200", [98, 99]), ("200", []),
    ])
    func listsAreRead(text: String, expected: [Int]) { #expect(NumberList.parse(text, limit: 100) == expected) }

    @Test(arguments: ["a", "1-", "-1", "3-1", "1,,2", "1-2-3", "0x1", "1;2", "99999999999999999999"])
    func otherTextIsNoList(text: String) { #expect(NumberList.parse(text, limit: 100) == nil) }

    private let root: TemporaryDirectory

    init() throws { root = try TemporaryDirectory() }

    private func read(_ files: [String: String], allowed: [Int]) throws -> [Int: [Int]] {
        for (name, text) in files { try root.write(name, text: text) }
        let topology = MachineTopology.read(directory: root.path, allowed: allowed.map { ProcessorID($0) })
        return Dictionary(
            uniqueKeysWithValues: topology.nodes.map { ($0.id.value, $0.processors.map(\.value)) })
    }

    private let twoNodes = [
        "node/online": "0-1\n", "node/has_memory": "0-1\n", "node/node0/cpulist": "0-1,4-5\n",
        "node/node1/cpulist": "2-3,6-7\n",
    ]

    @Test func aMissingDirectoryIsOneNode() throws { #expect(try read([:], allowed: [0, 2]) == [0: [0, 2]]) }

    @Test func oneNode() throws {
        let files = ["node/online": "0\n", "node/has_memory": "0\n", "node/node0/cpulist": "0-3\n"]
        #expect(try read(files, allowed: [0, 1, 2, 3]) == [0: [0, 1, 2, 3]])
        #expect(try read(files, allowed: [1]) == [0: [1]])
    }

    @Test func twoNodesAsFarAsAllowed() throws {
        #expect(try read(twoNodes, allowed: Array(0..<8)) == [0: [0, 1, 4, 5], 1: [2, 3, 6, 7]])
        #expect(try read(twoNodes, allowed: [0, 6, 7]) == [0: [0], 1: [6, 7]])
        #expect(try read(twoNodes, allowed: [2, 3]) == [1: [2, 3]], "the other node is out of reach")
    }

    @Test func nodesWithoutProcessorsAreLeftOut() throws {
        let files = twoNodes.merging(["node/online": "0-2\n", "node/has_memory": "0-2\n", "node/node2/cpulist": "\n"]) {
            $1
        }
        #expect(try read(files, allowed: Array(0..<8)).keys.sorted() == [0, 1])
    }

    @Test func processorsWithoutMemoryCountToTheNearest() throws {
        var files = twoNodes
        files["node/online"] = "0-2\n"
        files["node/node2/cpulist"] = "8-9\n"
        #expect(try read(files, allowed: [0, 2, 8, 9]) == [0: [0, 8, 9], 1: [2]], "no distance: the first")
        files["node/node2/distance"] = "30 20 10\n"
        #expect(try read(files, allowed: [0, 2, 8, 9]) == [0: [0], 1: [2, 8, 9]])
    }

    @Test func oddListsCostNoProcessor() throws {
        var files = twoNodes
        files["node/node1/cpulist"] = "what?"
        #expect(try read(files, allowed: [0, 1, 2, 3]) == [0: [0, 1, 2, 3]])
        files["node/online"] = "?"
        #expect(try read(files, allowed: [0, 3]) == [0: [0, 3]])
    }

    @Test func coresComeBeforeTheirSecondThreads() throws {
        var files = ["node/online": "0", "node/node0/cpulist": "0-3"]
        for (processor, siblings) in [(0, "0-1"), (1, "0-1"), (2, "2-3"), (3, "2-3")] {
            files["cpu/cpu\(processor)/topology/thread_siblings_list"] = siblings
        }
        #expect(try read(files, allowed: [0, 1, 2, 3]) == [0: [0, 2, 1, 3]])
    }

    @Test func thisMachineHasTheProcessorsThatAreAllowed() {
        let all = MachineTopology.ofThisMachine().nodes.flatMap(\.processors)
        #expect(all.sorted() == Processors.allowed())
    }
}

@Suite struct ThreadPlacementTests {
    private func topology(_ processorCounts: [Int]) -> MachineTopology {
        var first = 0
        return MachineTopology(
            nodes: processorCounts.enumerated().map { node, count in
                defer { first += count }
                return MachineTopology.Node(
                    id: MemoryNodeID(node), processors: (first..<first + count).map { ProcessorID($0) })
            })
    }

    private func placement(
        _ count: Int, _ processorCounts: [Int], _ pinning: ThreadPinning = .auto
    ) -> ThreadPlacement {
        ThreadPlacement(count: count, pinning: pinning, topology: topology(processorCounts))
    }

    @Test func oneNodeShowsNothing() {
        let placed = placement(4, [8])
        #expect(placed.description == "4")
        #expect(placed.pinning == .none)
        #expect(placed.cut.count == 1)
        #expect((0..<4).allSatisfy { placed.processors(ofThread: $0).isEmpty })
        #expect(placement(4, [4, 4], .none).description == "4")
    }

    @Test(arguments: [
        (8, [4, 4], [4, 4]), (6, [8, 4], [4, 2]), (5, [4, 4], [3, 2]), (1, [4, 4], [1]), (2, [4, 4, 4], [1, 1]),
        (7, [1, 1, 12], [1, 6]), (16, [2, 2], [8, 8]),
    ])
    func threadsAreSpreadByProcessors(count: Int, processorCounts: [Int], expected: [Int]) {
        let placed = placement(count, processorCounts)
        #expect(placed.cut.threadCounts == expected)
        #expect(placed.cut.threadCounts.reduce(0, +) == count)
    }

    @Test func threadsStayOnTheirNodeOrProcessor() {
        let byNode = placement(4, [2, 2])
        #expect((0..<4).map { byNode.processors(ofThread: $0).map(\.value) } == [[0, 1], [0, 1], [2, 3], [2, 3]])
        let byProcessor = placement(6, [2, 2], .processor)
        #expect((0..<6).map { byProcessor.processors(ofThread: $0).map(\.value) } == [[0], [1], [0], [2], [3], [2]])
        #expect(byProcessor.description == "6 (3 at node 0, 3 at node 1; pinned to processors)")
        #expect(placement(2, [2], .node).description == "2 (pinned to nodes)")
    }

    @Test(arguments: [[1], [1, 1], [3, 1], [1, 1, 1], [2, 5, 1, 1]])
    func panelsAreCutWhole(threadCounts: [Int]) {
        let cut = PanelCut(threadCounts: threadCounts)
        for panelCount in [1, 2, 3, 4, 7, 48, 129, 9496] {
            var end = 0
            for part in 0..<cut.count {
                let panels = cut.panels(part: part, of: panelCount)
                #expect(panels.lowerBound == end && (panels.lowerBound % 2 == 0 || panels.isEmpty))
                let share = Double(panelCount * threadCounts[part]) / Double(threadCounts.reduce(0, +))
                #expect(abs(Double(panels.count) - share) <= 4, "in proportion to threads")
                end = panels.upperBound
            }
            #expect(end == panelCount)
        }
    }
}
