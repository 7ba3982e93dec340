/// How workers that run on one machine share its processors.
///
/// Where they come out nearly even, each has processors of its own. Elsewhere each has as many threads as there are
/// processors and the system divides the time: three workers of one thread on two processors would take as long as
/// four, because two of them run one after the other while a processor idles (8 sequences on 2 processors: 76 % of the
/// speed without workers, and 87 % with threads to share). Such threads do not spin: they would keep others from
/// computing.
struct ProcessorShare {
    /// Compute threads of each worker.
    let threadCount: Int
    /// How long they spin before they sleep, in microseconds.
    let spinMicroseconds: Int

    /// How long threads spin that have processors of their own. Short: the coordinator shares them all the same.
    static let spinMicroseconds = 50

    /// Shares `processorCount` processors among `workerCount` workers, at least one of each.
    init(processorCount: Int, workerCount: Int) {
        let own = processorCount / workerCount
        let isNearlyEven = own * workerCount * 10 >= processorCount * 9
        threadCount = isNearlyEven ? own : processorCount
        spinMicroseconds = isNearlyEven ? Self.spinMicroseconds : 0
    }
}
