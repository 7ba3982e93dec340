// Watches the gateway: asks for the state of the cluster once a second, and says what became of it.

import { readCluster } from "./api.js";
import { Rates } from "./rates.js";

const visibleIntervalMilliseconds = 1000;
const hiddenIntervalMilliseconds = 10000;

/**
 * Calls its listeners with a `State` after each attempt:
 *
 *     kind: "away" (nobody answers, or with an error), "waiting" (it cannot generate) or "ready"
 *     reason: why it is not ready, in words; null if it is, or if nobody answers
 *     document: what the gateway said last; null if it never answered
 *     rates: what changed how fast, see rates.js
 */
export class Connection {
    #listeners = [];
    #rates = new Rates();
    #document = null;
    #timer = null;
    #isAsking = false;

    /** Asks at once and from then on, until the page is closed. */
    start() {
        document.addEventListener("visibilitychange", () => this.askNow());
        this.askNow();
    }

    onChange(listener) {
        this.#listeners.push(listener);
    }

    /** Asks without waiting for the next turn, for instance because a request has just failed. */
    askNow() {
        clearTimeout(this.#timer);
        if (!this.#isAsking) this.#ask();
    }

    async #ask() {
        this.#isAsking = true;
        const state = await this.#nextState();
        this.#isAsking = false;
        for (const listener of this.#listeners) listener(state);
        const interval = document.hidden ? hiddenIntervalMilliseconds : visibleIntervalMilliseconds;
        this.#timer = setTimeout(() => this.#ask(), interval);
    }

    async #nextState() {
        try {
            this.#document = await readCluster();
            this.#rates.add(this.#document, performance.now() / 1000);
            const isReady = this.#document.isReady === true;
            const reason = isReady ? null : this.#document.reason ?? "it does not say why";
            return { kind: isReady ? "ready" : "waiting", reason, document: this.#document, rates: this.#rates };
        } catch (error) {
            // An answer that is an error has its reason; silence has none.
            const reason = error.isNetwork ? null : error.message;
            return { kind: "away", reason, document: this.#document, rates: this.#rates };
        }
    }
}
