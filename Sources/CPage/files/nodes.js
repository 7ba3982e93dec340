// The table of nodes. Roles are written out, as on narrow screens its rows are laid out as cards, which would make
// browsers forget that it is a table.

import { element, setText } from "./dom.js";
import { bytes, count, counted, milliseconds, percent, unknown } from "./format.js";

const columns = ["Node", "Role", "State", "Weights", "Memory", "Round trip", "Load"];

/** Shows the nodes in the gateway's order; rows of nodes that stay are kept, so that a selection in them survives. */
export function showNodes(target, nodes) {
    const table = target.querySelector("table") ?? makeTable(target);
    const names = new Set(nodes.map((node) => node.name));
    for (const group of [...table.tBodies]) if (!names.has(group.dataset.node)) group.remove();
    nodes.forEach((node, index) => {
        const group = [...table.tBodies].find((each) => each.dataset.node === node.name) ?? makeRows(node.name);
        if (table.tBodies[index] !== group) table.insertBefore(group, table.tBodies[index] ?? null);
        fill(group, node);
    });
}

function makeTable(target) {
    const heads = columns.map((name) => element("th", { role: "columnheader", scope: "col" }, name));
    const table = element("table", { role: "table", "aria-labelledby": "nodes-title" },
        element("thead", { role: "rowgroup" }, element("tr", { role: "row" }, heads)));
    target.append(element("h3", { id: "nodes-title" }, "Nodes"), table);
    return table;
}

/** A row of numbers, and one for the reason why a node is not ready. */
function makeRows(name) {
    const cell = (column, ...children) => element("td", { role: "cell", "data-column": column }, ...children,
        element("span", { class: "first" }), " ", element("span", { class: "second" }));
    const bar = element("div", { class: "bar", "aria-hidden": "true" }, element("div"));
    return element("tbody", { role: "rowgroup", "data-node": name },
        element("tr", { role: "row" },
            element("th", { role: "rowheader", scope: "row" }, name), cell("Role"), cell("State"), cell("Weights"),
            cell("Memory"), cell("Round trip"), cell("Load", bar)),
        element("tr", { role: "row", class: "reason" },
            element("td", { role: "cell", colspan: columns.length, "aria-colspan": columns.length })));
}

function fill(group, node) {
    const [row, reason] = group.rows;
    const [, role, state, weights, memory, roundTrip, load] = row.cells;
    put(role, node.role);
    put(state, node.state);
    state.dataset.state = node.state;
    put(weights, ...weightsOf(node));
    put(memory, node.residentBytes > 0 ? bytes(node.residentBytes) : unknown);
    const isMeasured = typeof node.roundTripMilliseconds === "number";
    put(roundTrip, isMeasured ? milliseconds(node.roundTripMilliseconds) : unknown);
    // Only workers tell how busy they are.
    const share = node.role === "worker" && typeof node.load === "number" ? node.load : null;
    put(load, share === null ? unknown : percent(share), node.expertRows > 0 ? `${count(node.expertRows)} rows` : "");
    const bar = load.querySelector(".bar");
    bar.hidden = share === null;
    bar.firstChild.style.width = `${(share ?? 0) * 100}%`;
    reason.hidden = !node.reason;
    setText(reason.cells[0], node.reason ?? "");
}

/** Shards and their bytes; while they load, how much of it is there. */
function weightsOf(node) {
    if (!(node.shardCount > 0)) return [node.role === "worker" ? "none yet" : unknown];
    const size = bytes(node.shardBytes);
    const isLoading = node.loadedBytes < node.shardBytes;
    return [counted(node.shardCount, "shard"), isLoading ? `${bytes(node.loadedBytes)} of ${size}` : size];
}

function put(cell, first, second = "") {
    cell.classList.toggle("unknown", first === unknown);
    setText(cell.querySelector(".first"), first);
    setText(cell.querySelector(".second"), second);
}
