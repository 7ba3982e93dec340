import Scheduling
import TestSupport
import Testing

/// What the steps did, one line each, as people would write it down.
private struct Transcript {
    var scheduler: Scheduler
    var lengths: [SequenceID: Int] = [:]
    var lines: [String] = []

    init(sequences: Int = 4, rows: Int = 8, blocks: Int = 8) {
        scheduler = Scheduler(
            SchedulerLimits(sequencesMax: sequences, rowsMax: rows, blockPositions: 4, blockCount: blocks))
    }

    mutating func add(_ id: UInt64, _ count: Int) {
        lengths[SequenceID(id)] = count
        scheduler.add(SequenceID(id), tokenCount: count)
    }

    /// Runs a step and lets every sequence whose tokens are all computed draw one more.
    mutating func step() {
        let plan = scheduler.nextStep()
        let work = plan.work.map { "\($0.sequence.value):\($0.positions.lowerBound)..<\($0.positions.upperBound)" }
        let preempted = plan.preempted.map { "-\($0.value)" }
        lines.append((work + preempted).joined(separator: " "))
        for item in plan.work where item.positions.upperBound == lengths[item.sequence] {
            lengths[item.sequence, default: 0] += 1
            scheduler.append(item.sequence)
        }
    }
}

@Suite struct SchedulerTests {
    @Test func promptsAreFedInChunksBesideDecodingSequences() {
        var transcript = Transcript()
        transcript.add(1, 3)
        transcript.step()
        transcript.add(2, 12)
        transcript.step()
        transcript.step()
        transcript.step()
        #expect(transcript.lines == ["1:0..<3", "1:3..<4 2:0..<7", "1:4..<5 2:7..<12", "1:5..<6 2:12..<13"])
    }

    @Test func theYoungestGivesWayWhenTheCacheIsFull() {
        var transcript = Transcript(blocks: 3)
        transcript.add(1, 4)
        transcript.add(2, 4)
        for _ in 0..<6 { transcript.step() }
        #expect(
            transcript.lines == [
                "1:0..<4 2:0..<4", "1:4..<5 -2", "1:5..<6", "1:6..<7", "1:7..<8", "1:8..<9",
            ])
    }

    @Test func removedSequencesGiveTheirBlocksBack() {
        var transcript = Transcript(blocks: 2)
        transcript.add(1, 8)
        transcript.step()
        transcript.add(2, 5)
        transcript.scheduler.remove(SequenceID(1))
        transcript.step()
        #expect(transcript.lines == ["1:0..<8", "2:0..<5"])
        transcript.scheduler.remove(SequenceID(2))
        #expect(transcript.scheduler.isIdle)
        #expect(transcript.scheduler.takenPositions == 0)
    }

    /// Random arrivals, growth and departures: every plan keeps the limits, no position is computed twice without a
    /// preemption between, and every sequence comes to its end.
    @Test(arguments: 0..<40) func invariantsHoldUnderRandomLoad(seed: UInt64) {
        var random = SeededGenerator(seed: seed)
        let limits = SchedulerLimits(sequencesMax: 3, rowsMax: 5, blockPositions: 4, blockCount: 6)
        var scheduler = Scheduler(limits)
        var known: [SequenceID: Int] = [:]
        var computed: [SequenceID: Int] = [:]
        var goals: [SequenceID: Int] = [:]
        var nextID: UInt64 = 1
        for step in 0..<4000 where nextID <= 30 || !known.isEmpty {
            if nextID <= 30, random.next() % 3 == 0 {
                let id = SequenceID(nextID)
                nextID += 1
                known[id] = Int(random.next() % 12) + 1
                goals[id] = known[id, default: 0] + Int(random.next() % 12)
                computed[id] = 0
                scheduler.add(id, tokenCount: known[id, default: 0])
            }
            let plan = scheduler.nextStep()
            for id in plan.preempted { computed[id] = 0 }
            #expect(plan.work.reduce(0) { $0 + $1.positions.count } <= limits.rowsMax)
            #expect(Set(plan.work.map(\.sequence)).count == plan.work.count)
            #expect(scheduler.runningCount <= limits.sequencesMax)
            for work in plan.work {
                #expect(work.positions.lowerBound == computed[work.sequence])
                computed[work.sequence] = work.positions.upperBound
            }
            let held = computed.values.reduce(0) { $0 + ($1 + 3) / 4 }
            #expect(held <= limits.blockCount)
            for work in plan.work where work.positions.upperBound == known[work.sequence] {
                if known[work.sequence] == goals[work.sequence] {
                    scheduler.remove(work.sequence)
                    known[work.sequence] = nil
                    computed[work.sequence] = nil
                } else {
                    known[work.sequence, default: 0] += 1
                    scheduler.append(work.sequence)
                }
            }
            #expect(step < 3999, "every sequence comes to its end")
        }
        #expect(known.isEmpty)
        #expect(scheduler.isIdle)
    }
}
