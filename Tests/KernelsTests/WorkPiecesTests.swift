import Kernels
import Testing

@Suite struct WorkPiecesTests {
    @Test(arguments: [0, 1, 2, 7, 16, 31, 48, 1000, 1 << 30], [1, 2, 3, 16, 64])
    func piecesAreAllOfItInOrder(count: Int, threads: Int) {
        let pieces = WorkPieces(count, threadCount: threads)
        var end = 0
        for index in 0..<pieces.pieceCount {
            #expect(pieces[index].lowerBound == end)
            end = pieces[index].upperBound
        }
        #expect(end == count)
    }

    @Test func longOnesComeFirst() {
        let pieces = WorkPieces(320, threadCount: 2)
        #expect((0..<pieces.pieceCount).map { pieces[$0].count } == [80, 80, 40, 40, 20, 20, 10, 10, 10, 10])
    }
}
