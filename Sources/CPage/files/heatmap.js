// The map of visits: a table with a row per layer and a column per expert, each cell shaded by its count. The counts
// are the cells' texts, so the map reads as the table that it is. Arrow keys walk through it.

import { element, setText } from "./dom.js";

/** Above this many columns cells are too narrow for their numbers, which then show only in words. */
const numberedColumnsMax = 16;

/** The class of a head whose number has no room beside its neighbours'. */
function unlabelled(index, total) {
    const step = total <= 24 ? 1 : total <= 64 ? 4 : 16;
    return index % step === 0 ? null : "unlabelled";
}

export class HeatMap {
    #target;
    #describe;
    #cells = [];
    #shown = [];
    #mostShown = 0;
    #tip = element("div", { class: "tip", id: "tip", "aria-hidden": "true" });

    /** `describe(layer, expert)` says in words what a cell shows; an expert of -1 means the row's head, and so on. */
    constructor(target, describe) {
        this.#target = target;
        this.#describe = describe;
        this.#tip.hidden = true;
        document.body.append(this.#tip);
        target.addEventListener("pointerover", (event) => this.#point(event.target.closest("td, th")));
        target.addEventListener("pointerleave", () => (this.#tip.hidden = true));
        target.addEventListener("focusin", (event) => this.#point(event.target.closest("td")));
        target.addEventListener("focusout", () => (this.#tip.hidden = true));
        target.addEventListener("keydown", (event) => this.#walk(event));
        document.addEventListener("scroll", () => (this.#tip.hidden = true), { capture: true, passive: true });
    }

    /** Makes an empty map; `layerNames` has one name per row. */
    build(layerNames, expertCount) {
        const heads = Array.from({ length: expertCount }, (_, expert) => element("th",
            { scope: "col", "data-expert": expert, class: unlabelled(expert, expertCount) },
            element("span", {}, String(expert))));
        this.#cells = layerNames.map((_, layer) => Array.from({ length: expertCount }, (_, expert) =>
            element("td", { role: "gridcell", tabindex: "-1", "data-layer": layer, "data-expert": expert }, "0")));
        const rows = layerNames.map((name, layer) => element("tr", {},
            element("th", { scope: "row", "data-layer": layer, class: unlabelled(layer, layerNames.length) }, name),
            this.#cells[layer]));
        const isDense = expertCount > numberedColumnsMax;
        const table = element("table", { role: "grid", "aria-labelledby": "experts-title", "aria-readonly": "true",
            class: isDense ? "heat dense" : "heat" },
        element("thead", {}, element("tr", {}, element("th", { scope: "col", class: "corner" }, "layer"), heads)),
        element("tbody", {}, rows));
        table.style.setProperty("--columns", expertCount);
        table.style.setProperty("--rows", layerNames.length);
        this.#shown = layerNames.map(() => new Array(expertCount).fill(0));
        this.#mostShown = 0;
        this.#cells[0]?.[0]?.setAttribute("tabindex", "0");
        this.#target.replaceChildren(table);
    }

    /** Shows the counts of `routing`; touches only what has changed. */
    update(routing) {
        const most = routing.mostVisits;
        const table = this.#target.firstChild;
        if (most !== this.#mostShown) table.style.setProperty("--most", Math.max(1, most));
        this.#cells.forEach((row, layer) => row.forEach((cell, expert) => {
            const visits = routing.visits(layer, expert);
            if (visits === this.#shown[layer][expert]) return;
            this.#shown[layer][expert] = visits;
            cell.textContent = visits;
            cell.style.setProperty("--visits", visits);
        }));
        this.#mostShown = most;
    }

    /** Outlines the experts that one token visited, a list per layer; null outlines none. */
    highlight(layers) {
        this.#target.firstChild?.classList.toggle("selecting", layers !== null);
        for (const cell of this.#target.querySelectorAll("td.chosen")) cell.classList.remove("chosen");
        layers?.forEach((experts, layer) => {
            for (const expert of experts) this.#cells[layer]?.[expert]?.classList.add("chosen");
        });
    }

    /** Shows the words for a cell beside it, and gives it them as its name. */
    #point(cell) {
        if (!cell || cell.classList.contains("corner")) return void (this.#tip.hidden = true);
        const words = this.#describe(Number(cell.dataset.layer ?? -1), Number(cell.dataset.expert ?? -1));
        if (cell.tagName === "TD") cell.setAttribute("aria-label", words);
        setText(this.#tip, words);
        this.#tip.hidden = false;
        const box = cell.getBoundingClientRect();
        const middle = box.left + box.width / 2;
        const left = Math.min(middle - this.#tip.offsetWidth / 2, innerWidth - this.#tip.offsetWidth - 8);
        const above = box.top - this.#tip.offsetHeight - 6;
        this.#tip.style.left = `${Math.max(8, left)}px`;
        this.#tip.style.top = `${above < 4 ? box.bottom + 6 : above}px`;
    }

    #walk(event) {
        const cell = event.target.closest("td");
        const steps = { ArrowUp: [-1, 0], ArrowDown: [1, 0], ArrowLeft: [0, -1], ArrowRight: [0, 1] };
        const ends = { Home: 0, End: this.#cells[0].length - 1 };
        if (!cell || !(event.key in steps || event.key in ends)) return;
        event.preventDefault();
        const [down, right] = steps[event.key] ?? [0, 0];
        const expert = ends[event.key] ?? Number(cell.dataset.expert) + right;
        const next = this.#cells[Number(cell.dataset.layer) + down]?.[expert];
        if (!next) return;
        cell.setAttribute("tabindex", "-1");
        next.setAttribute("tabindex", "0");
        next.focus();
    }
}
