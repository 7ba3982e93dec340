// The state of the cluster: numbers on top, where the time of a step goes, and the table of nodes.

import { byId, element, setText } from "./dom.js";
import { bytes, count, percent, rate, unknown } from "./format.js";
import { showNodes } from "./nodes.js";
import { showPhases } from "./phases.js";

/** Shows what the connection said last. Without an answer the last one stays, marked as old. */
export function showCluster(state) {
    const document = state.document;
    byId("cluster").dataset.state = state.kind;
    setText(byId("cluster-age"), age(state));
    if (!document) return;
    showModel(document.model ?? {});
    showTiles(document.work ?? {}, state.rates);
    const nodes = document.nodes ?? [];
    showPhases(byId("phases"), state.rates.phases, nodes.some((node) => node.role === "worker"));
    showNodes(byId("nodes"), nodes);
}

function age(state) {
    if (state.kind !== "away") return "";
    return state.document ? "as it was before the gateway fell silent" : "not known yet";
}

function showModel(model) {
    const parts = [model.name, model.family, model.weightBytes > 0 ? `${bytes(model.weightBytes)} of weights` : null];
    if (model.contextTokensMax > 0) parts.push(`context of ${count(model.contextTokensMax)} tokens`);
    setText(byId("model"), parts.filter(Boolean).join(", "));
}

function showTiles(work, rates) {
    const speed = rates.tokensPerSecond;
    show("Tokens/s", speed === null ? unknown : rate(speed), "mean of 5 s");
    show("Running", numberOf(work.runningSequences), "sequences");
    show("Waiting", numberOf(work.waitingSequences), "sequences");
    const share = work.cachedTokensMax > 0 ? work.cachedTokens / work.cachedTokensMax : null;
    const room = share === null ? "" : `${count(work.cachedTokens)} of ${count(work.cachedTokensMax)} tokens`;
    show("KV cache", share === null ? unknown : percent(share), room, share);
    const failed = work.failedRequests > 0 ? `${count(work.failedRequests)} failed` : "none failed";
    show("Requests", numberOf(work.requests), work.requests === undefined ? "" : failed);
}

/** One number with its name and unit; made the first time it is shown. `share` draws a bar as well. */
function show(name, value, detail, share = null) {
    const tiles = byId("tiles");
    let tile = [...tiles.children].find((each) => each.dataset.name === name);
    if (!tile) {
        const bar = element("dd", { class: "bar", "aria-hidden": "true" }, element("div"));
        tile = element("div", { class: "tile", "data-name": name },
            element("dt", {}, name), element("dd", { class: "value" }), element("dd", { class: "detail" }), bar);
        tiles.append(tile);
    }
    const [, valueCell, detailCell, bar] = tile.children;
    setText(valueCell, value);
    setText(detailCell, detail);
    bar.hidden = share === null;
    bar.firstChild.style.width = `${(share ?? 0) * 100}%`;
}

function numberOf(value) {
    return value === undefined ? unknown : count(value);
}
