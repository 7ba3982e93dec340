// The map of visits for models with few experts: a table with a row per layer and a column per expert, each cell shaded
// by its count. The counts are the cells' texts, so the map reads as the table that it is. Arrow keys walk through it.

import { element } from "./dom.js";
import { hideTip, showTip } from "./tip.js";

export class HeatTable {
    #describe;
    #cells;
    #shown;
    #mostShown = 0;
    /** The outermost element. */
    root;

    /** `layerNames` has one name per row; `describe(layer, expert)` says in words what a cell shows. */
    constructor(layerNames, expertCount, describe) {
        this.#describe = describe;
        const experts = Array.from({ length: expertCount }, (_, expert) => expert);
        this.#shown = layerNames.map(() => experts.map(() => 0));
        this.#cells = layerNames.map((_, layer) => experts.map((expert) => element("td",
            { role: "gridcell", tabindex: "-1", "data-layer": layer, "data-expert": expert }, "0")));
        this.#cells[0][0].setAttribute("tabindex", "0");
        const heads = experts.map((expert) => element("th", { scope: "col", "data-expert": expert }, String(expert)));
        const rows = layerNames.map((name, layer) => element("tr", {},
            element("th", { scope: "row" }, name), this.#cells[layer]));
        this.root = element("table", { role: "grid", "aria-labelledby": "experts-title", class: "heat" },
            element("thead", {}, element("tr", {}, element("th", { scope: "col" }, "layer"), heads)),
            element("tbody", {}, rows));
        this.root.style.setProperty("--columns", expertCount);
        this.root.style.setProperty("--rows", layerNames.length);
        this.#listen();
    }

    #listen() {
        this.root.addEventListener("pointerover", (event) => this.#point(event.target.closest("[data-expert]")));
        this.root.addEventListener("pointerleave", hideTip);
        this.root.addEventListener("focusin", (event) => this.#point(event.target));
        this.root.addEventListener("focusout", hideTip);
        this.root.addEventListener("keydown", (event) => this.#walk(event));
    }

    /** Shows the counts of `routing`, and which experts one token visited: a list per layer, null for none. */
    update(routing, chosen) {
        const most = routing.mostVisits;
        if (most !== this.#mostShown) this.root.style.setProperty("--most", Math.max(1, most));
        this.#mostShown = most;
        this.#cells.forEach((row, layer) => row.forEach((cell, expert) => {
            cell.classList.toggle("chosen", chosen?.[layer]?.includes(expert) ?? false);
            const visits = routing.visits(layer, expert);
            if (visits === this.#shown[layer][expert]) return;
            this.#shown[layer][expert] = visits;
            cell.textContent = visits;
            cell.style.setProperty("--visits", visits);
        }));
    }

    /** Shows the words for a cell or a column's head beside it, and gives them to a cell as its name. */
    #point(target) {
        if (!target) return hideTip();
        const words = this.#describe(target.dataset.layer, Number(target.dataset.expert));
        if (target.tagName === "TD") target.setAttribute("aria-label", words);
        showTip(words, target.getBoundingClientRect());
    }

    #walk(event) {
        const { layer, expert } = event.target.dataset;
        const place = steppedTo(event.key, Number(layer), Number(expert), this.#cells[0].length);
        if (!place) return;
        event.preventDefault();
        const next = this.#cells[place.layer]?.[place.expert];
        if (!next) return;
        event.target.setAttribute("tabindex", "-1");
        next.setAttribute("tabindex", "0");
        next.focus();
    }
}

/** Where a key leads from a cell of a map; null if it leads nowhere. It may lead beyond the map. */
export function steppedTo(key, layer, expert, expertCount) {
    switch (key) {
        case "ArrowUp": return { layer: layer - 1, expert };
        case "ArrowDown": return { layer: layer + 1, expert };
        case "ArrowLeft": return { layer, expert: expert - 1 };
        case "ArrowRight": return { layer, expert: expert + 1 };
        case "Home": return { layer, expert: 0 };
        case "End": return { layer, expert: expertCount - 1 };
        default: return null;
    }
}
