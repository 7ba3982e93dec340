// The map of visits for models with many experts, painted: thousands of cells are too many to be elements. What a cell
// shows is told in words for the one under the pointer, or for the one that the arrow keys have walked to.

import { element, setText } from "./dom.js";
import { steppedTo } from "./heattable.js";
import { hideTip, showTip } from "./tip.js";

const shadeCount = 64;
const cellWidthMin = 4;
const leftMargin = 36;
const topMargin = 18;

export class HeatCanvas {
    #layerNames;
    #expertCount;
    #describe;
    #canvas = element("canvas", {
        tabindex: "0", role: "application", "aria-roledescription": "map of experts", "aria-describedby": "cell-words",
        "aria-label": "Visits by layer and expert. Arrow keys walk from cell to cell.",
    });
    #words = element("p", { class: "visually-hidden", id: "cell-words", role: "status" });
    #routing = null;
    #chosen = null;
    /** The cell that the arrow keys have walked to. */
    #cursor = { layer: 0, expert: 0 };
    #hasFocus = false;
    /** Of the columns, and the right edge of the last. */
    #lefts = [];
    #rowHeight = 0;
    root = element("div", { class: "heat-canvas" }, this.#canvas, this.#words);

    /** As of a `HeatTable`. */
    constructor(layerNames, expertCount, describe) {
        this.#layerNames = layerNames;
        this.#expertCount = expertCount;
        this.#describe = describe;
        new ResizeObserver(() => this.#paint()).observe(this.root);
        matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => this.#paint());
        this.#canvas.addEventListener("pointermove", (event) => this.#point(event));
        this.#canvas.addEventListener("pointerleave", hideTip);
        this.#canvas.addEventListener("keydown", (event) => this.#walk(event));
        this.#canvas.addEventListener("focus", () => this.#focus(this.#canvas.matches(":focus-visible")));
        this.#canvas.addEventListener("blur", () => this.#focus(false));
    }

    /** As of a `HeatTable`. */
    update(routing, chosen) {
        this.#routing = routing;
        this.#chosen = chosen;
        this.#paint();
    }

    /** Where columns begin, in whole pixels, and how high rows are: low if there are many. */
    #measure() {
        const cellWidth = Math.max(cellWidthMin, (this.root.clientWidth - leftMargin) / this.#expertCount);
        this.#lefts = Array.from({ length: this.#expertCount + 1 }, (_, expert) =>
            Math.round(leftMargin + expert * cellWidth));
        this.#rowHeight = Math.min(18, Math.max(7, Math.floor(480 / this.#layerNames.length)));
    }

    #box(layer, expert) {
        const left = this.#lefts[expert];
        const top = topMargin + layer * this.#rowHeight;
        return { left, top, width: this.#lefts[expert + 1] - left - 1, height: this.#rowHeight - 1 };
    }

    #paint() {
        if (!this.#routing || this.root.clientWidth === 0) return;
        this.#measure();
        const width = this.#lefts.at(-1);
        const height = topMargin + this.#rowHeight * this.#layerNames.length;
        const scale = devicePixelRatio;
        // Setting the size clears the canvas, too.
        this.#canvas.width = width * scale;
        this.#canvas.height = height * scale;
        this.#canvas.style.width = `${width}px`;
        this.#canvas.style.height = `${height}px`;
        const context = this.#canvas.getContext("2d");
        context.scale(scale, scale);
        const style = getComputedStyle(this.root);
        this.#paintNumbers(context, style);
        this.#paintCells(context, style);
        if (this.#hasFocus) this.#paintCursor(context, style);
    }

    #paintNumbers(context, style) {
        context.fillStyle = style.getPropertyValue("--muted");
        context.font = `11px ${style.fontFamily}`;
        context.textBaseline = "middle";
        context.textAlign = "right";
        const rowStep = Math.ceil(12 / this.#rowHeight);
        this.#layerNames.forEach((name, layer) => {
            const box = this.#box(layer, 0);
            if (layer % rowStep === 0) context.fillText(name, leftMargin - 6, box.top + box.height / 2);
        });
        context.textAlign = "left";
        const columnStep = this.#lefts[1] - this.#lefts[0] < 8 ? 16 : 4;
        for (let expert = 0; expert < this.#expertCount; expert += columnStep) {
            context.fillText(String(expert), this.#box(0, expert).left, 8);
        }
    }

    /** All cells of one shade together: choosing the colour costs more than filling a cell. */
    #paintCells(context, style) {
        const most = Math.max(1, this.#routing.mostVisits);
        const shades = Array.from({ length: shadeCount + 1 }, () => []);
        this.#layerNames.forEach((_, layer) => {
            for (let expert = 0; expert < this.#expertCount; expert += 1) {
                const visits = this.#routing.visits(layer, expert);
                // One visit is already seen, as in experts.css.
                const share = visits === 0 ? 0 : 0.1 + 0.9 * visits / most;
                shades[Math.round(share * shadeCount)].push(this.#box(layer, expert));
            }
        });
        const [low, high] = [style.getPropertyValue("--heat-low"), style.getPropertyValue("--heat-high")];
        shades.forEach((boxes, shade) => {
            context.fillStyle = `color-mix(in oklab, ${high} ${100 * shade / shadeCount}%, ${low})`;
            for (const box of boxes) context.fillRect(box.left, box.top, box.width, box.height);
        });
        context.fillStyle = style.getPropertyValue("--chosen");
        this.#chosen?.forEach((experts, layer) => experts.forEach((expert) => {
            const box = this.#box(layer, expert);
            context.fillRect(box.left, box.top, box.width, box.height);
        }));
    }

    #paintCursor(context, style) {
        const box = this.#box(this.#cursor.layer, this.#cursor.expert);
        context.strokeStyle = style.getPropertyValue("--text");
        context.lineWidth = 2;
        context.strokeRect(box.left - 1, box.top - 1, box.width + 2, box.height + 2);
    }

    #point(event) {
        const expert = this.#lefts.findLastIndex((left) => left <= event.offsetX);
        const layer = Math.floor((event.offsetY - topMargin) / this.#rowHeight);
        const isOutside = expert < 0 || expert >= this.#expertCount || layer >= this.#layerNames.length;
        if (isOutside) return hideTip();
        // Above the first row are the columns' heads.
        this.#showTip(layer < 0 ? undefined : layer, expert);
    }

    /** Gives back the words. */
    #showTip(layer, expert) {
        const words = this.#describe(layer, expert);
        const canvas = this.#canvas.getBoundingClientRect();
        const box = this.#box(layer ?? 0, expert);
        const [left, top] = [canvas.left + box.left, canvas.top + (layer === undefined ? 0 : box.top)];
        showTip(words, { left, right: left + box.width, top, bottom: top + box.height });
        return words;
    }

    #focus(hasFocus) {
        this.#hasFocus = hasFocus;
        this.#paint();
        if (hasFocus) this.#tellCursor();
        else hideTip();
    }

    #tellCursor() {
        setText(this.#words, this.#showTip(this.#cursor.layer, this.#cursor.expert));
    }

    #walk(event) {
        const place = steppedTo(event.key, this.#cursor.layer, this.#cursor.expert, this.#expertCount);
        if (!place) return;
        event.preventDefault();
        const isInside = place.layer in this.#layerNames && place.expert >= 0 && place.expert < this.#expertCount;
        if (!isInside) return;
        this.#cursor = place;
        this.#hasFocus = true;
        this.#paint();
        this.#scrollToCursor();
        this.#tellCursor();
    }

    /** On narrow screens the map is wider than its frame. */
    #scrollToCursor() {
        const box = this.#box(this.#cursor.layer, this.#cursor.expert);
        const frame = this.root.parentElement;
        const isSeen = box.left >= frame.scrollLeft && box.left + box.width <= frame.scrollLeft + frame.clientWidth;
        if (!isSeen) frame.scrollLeft = box.left - frame.clientWidth / 2;
    }
}
