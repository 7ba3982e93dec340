import Foundation
import ServiceSupport
import Testing

/// The text is what Prometheus reads, and counting from many threads loses nothing.
@Suite struct MetricsTests {
    @Test func writesPrometheusText() {
        let registry = MetricsRegistry()
        registry.counter("requests_total", help: "Requests\nby \\ path.", labels: ["path": "/a\"b\\\n", "code": "200"])
            .increment(by: 3)
        registry.gauge("depth", help: "Queue depth.").set(2.5)
        registry.gauge("now", help: "Read.") { .infinity }
        registry.counter("bytes_total", help: "Bytes.", labels: ["link": "w"]) { 7 }
        let histogram = registry.histogram("step_seconds", help: "Steps.", labels: ["phase": "x"], bounds: [0.1, 1])
        for value in [0.05, 0.1, 0.5, 3] { histogram.observe(value) }
        #expect(
            registry.text() == """
                # HELP bytes_total Bytes.
                # TYPE bytes_total counter
                bytes_total{link="w"} 7
                # HELP depth Queue depth.
                # TYPE depth gauge
                depth 2.5
                # HELP now Read.
                # TYPE now gauge
                now +Inf
                # HELP requests_total Requests\\nby \\\\ path.
                # TYPE requests_total counter
                requests_total{code="200",path="/a\\"b\\\\\\n"} 3
                # HELP step_seconds Steps.
                # TYPE step_seconds histogram
                step_seconds_bucket{phase="x",le="0.1"} 2
                step_seconds_bucket{phase="x",le="1"} 3
                step_seconds_bucket{phase="x",le="+Inf"} 4
                step_seconds_sum{phase="x"} 3.65
                step_seconds_count{phase="x"} 4

                """)
    }

    @Test func theSameNameAndLabelsAreTheSameInstrument() {
        let registry = MetricsRegistry()
        registry.counter("a_total", help: "A.", labels: ["x": "1", "y": "2"]).increment()
        registry.counter("a_total", help: "A.", labels: ["y": "2", "x": "1"]).increment()
        #expect(registry.counter("a_total", help: "A.", labels: ["x": "1", "y": "2"]).value == 2)
        #expect(registry.counter("a_total", help: "A.").value == 0)
    }

    @Test func boundsAreInclusive() {
        let histogram = MetricsRegistry().histogram("h", help: "H.", bounds: [1, 2, 4])
        for value in [-1, 1, 1.001, 2, 4, 4.1, .infinity] { histogram.observe(value) }
        #expect(histogram.snapshot.counts == [2, 2, 1, 2])
    }

    @Test func threadsLoseNothing() async {
        let registry = MetricsRegistry()
        let counter = registry.counter("c_total", help: "C.")
        let gauge = registry.gauge("g", help: "G.")
        let histogram = registry.histogram("h", help: "H.")
        await withTaskGroup(of: Void.self) { group in
            for _ in 0..<8 {
                group.addTask {
                    for index in 0..<1000 {
                        counter.increment()
                        gauge.add(index % 2 == 0 ? 2 : -1)
                        histogram.observe(0.001)
                    }
                    _ = registry.text()
                }
            }
        }
        #expect(counter.value == 8000)
        #expect(gauge.value == 4000)
        #expect(histogram.snapshot.counts.reduce(0, +) == 8000)
    }
}
