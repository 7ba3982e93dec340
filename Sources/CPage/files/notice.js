// Says why nothing can be asked at the moment, and how far the loading is.

import { byId, setText } from "./dom.js";
import { bytes, percent, timeLeft } from "./format.js";
import { loaded } from "./rates.js";

/** Shows a state of the connection in the header and, unless all is well, above the question. */
export function showState(state) {
    const { word, title, reason, loading } = described(state);
    const pill = byId("state");
    setText(pill, word);
    pill.dataset.state = state.kind;
    byId("notice").hidden = state.kind === "ready";
    byId("notice").dataset.state = state.kind;
    setText(byId("notice-title"), title);
    setText(byId("notice-reason"), reason);
    showLoading(loading);
}

function described(state) {
    if (state.kind === "ready") return { word: "Ready", title: "", reason: "" };
    if (state.kind === "away") {
        if (state.reason) {
            const title = "The gateway cannot tell the cluster's state, trying again.";
            return { word: "No state", title, reason: state.reason };
        }
        const hope = "Your conversation is kept; this page goes on by itself once the gateway is back.";
        return { word: "No answer", title: "The gateway does not answer, trying again.", reason: hope };
    }
    return describedWaiting(state);
}

/** Why an answering gateway cannot generate: the model is being loaded, or something else, which its reason tells. */
function describedWaiting({ reason, document, rates }) {
    const nodes = document.nodes ?? [];
    const saysLoading = reason.startsWith("loading");
    const { loadedBytes, shardBytes } = loaded(nodes);
    // A node that is gone has loaded nothing either, but nobody is waiting for its bytes to arrive.
    const isCounted = loadedBytes < shardBytes && nodes.some((node) => node.state === "loading");
    if (!isCounted && !saysLoading) {
        return { word: "Not ready", title: "The cluster cannot generate.", reason: sentence(reason) };
    }
    const title = "The cluster is loading the model.";
    if (!isCounted) return { word: "Loading", title, reason: sentence(reason) };
    const loading = { loadedBytes, shardBytes, bytesPerSecond: rates.loadedBytesPerSecond };
    // What the numbers say is not said twice.
    const words = saysLoading ? "" : sentence(reason);
    return { word: `Loading ${percent(loadedBytes / shardBytes)}`, title, reason: words, loading };
}

/** Bytes, percent, speed and time left; the last two only once they can be measured. */
function showLoading(loading) {
    byId("notice-progress").hidden = !loading;
    byId("notice-numbers").hidden = !loading;
    if (!loading) return;
    const { loadedBytes, shardBytes, bytesPerSecond } = loading;
    byId("notice-progress").value = loadedBytes / shardBytes;
    const parts = [`${bytes(loadedBytes)} of ${bytes(shardBytes)}`, percent(loadedBytes / shardBytes)];
    if (bytesPerSecond > 0) {
        parts.push(`${bytes(bytesPerSecond)}/s`, `${timeLeft((shardBytes - loadedBytes) / bytesPerSecond)} left`);
    }
    setText(byId("notice-numbers"), parts.join(", "));
}

function sentence(text) {
    const whole = text.charAt(0).toUpperCase() + text.slice(1);
    return /[.!?]$/.test(whole) ? whole : `${whole}.`;
}
