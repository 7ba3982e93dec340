// How fast things change, from the differences between states of the cluster. Nothing here touches the page.

const windowSeconds = 5;

/** Remembers what was counted in the last seconds. */
export class Rates {
    #samples = [];
    #phases = null;

    /** Takes a state of the cluster that was told at `time`, in seconds of any clock that never jumps. */
    add(document, time) {
        const sample = { time, work: document.work ?? {}, loadedBytes: loaded(document.nodes ?? []).loadedBytes };
        const last = this.#samples.at(-1);
        if (last && isStartedAgain(last.work, sample.work)) {
            this.#samples = [];
            this.#phases = null;
        } else if (last && sample.loadedBytes < last.loadedBytes) {
            this.#samples = [];
        }
        this.#samples.push(sample);
        // One sample older than the window stays, to measure all of the window from.
        while (this.#samples.length > 2 && this.#samples[1].time <= time - windowSeconds) this.#samples.shift();
        const sinceStart = () => measuredPhases([{ work: {} }, sample], true);
        this.#phases = measuredPhases(this.#samples) ?? this.#phases ?? sinceStart();
    }

    /** Tokens generated per second by the whole cluster; null before two states are known. */
    get tokensPerSecond() {
        return this.#perSecond((sample) => sample.work.generatedTokens);
    }

    /** Bytes of weights loaded per second; null before two states are known. */
    get loadedBytesPerSecond() {
        return this.#perSecond((sample) => sample.loadedBytes);
    }

    /**
     * The mean step of the last seconds in which there were any: `steps`, `isSinceStart` (there were none while this
     * page was open) and `milliseconds` by phase; null if nobody tells, or nothing was computed yet.
     */
    get phases() {
        return this.#phases;
    }

    #perSecond(value) {
        const [first, last] = [this.#samples[0], this.#samples.at(-1)];
        if (!first || last === first) return null;
        const difference = value(last) - value(first);
        return Number.isFinite(difference) ? Math.max(0, difference) / (last.time - first.time) : null;
    }
}

/** How much of the weights is loaded, over all nodes. */
export function loaded(nodes) {
    const sum = (key) => nodes.reduce((total, node) => total + (node[key] ?? 0), 0);
    return { loadedBytes: sum("loadedBytes"), shardBytes: sum("shardBytes") };
}

/** Whether the coordinator's counters began anew, as they do when it is started again. */
function isStartedAgain(before, now) {
    return now.generatedTokens < before.generatedTokens || now.steps < before.steps;
}

function measuredPhases(samples, isSinceStart = false) {
    const [first, last] = [samples[0], samples.at(-1)];
    const steps = last.work.steps - (first.work.steps ?? 0);
    if (!(steps > 0) || !last.work.phaseSeconds) return null;
    const milliseconds = {};
    for (const [phase, seconds] of Object.entries(last.work.phaseSeconds)) {
        milliseconds[phase] = Math.max(0, (seconds - (first.work.phaseSeconds?.[phase] ?? 0)) * 1000 / steps);
    }
    return { steps, isSinceStart, milliseconds };
}
