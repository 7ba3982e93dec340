// Which experts the tokens of the last answer visited: the map, the choice of one token, and all of it in words.

import { byId, element, setText } from "./dom.js";
import { count, counted } from "./format.js";
import { HeatCanvas } from "./heatcanvas.js";
import { HeatTable } from "./heattable.js";

/** With more experts per layer cells are too narrow for their numbers, and too many. */
const tableExpertsMax = 16;

const slider = byId("token");

export class ExpertsView {
    #turn = null;
    #view = null;
    /** The model as `/cluster` describes it; null before that. */
    #model = null;
    /** The chosen token, from 0; null: all. */
    #token = null;
    #shape = "";
    #isDrawPromised = false;
    #map = null;

    constructor() {
        slider.addEventListener("input", () => this.select(Number(slider.value) === 0 ? null : slider.value - 1));
        byId("all-tokens").addEventListener("click", () => {
            this.select(null);
            slider.focus();
        });
    }

    /** What `/cluster` says of the model: it may know how many experts there are, and which layers have them. */
    set model(model) {
        const isNews = JSON.stringify(model) !== JSON.stringify(this.#model);
        this.#model = model;
        if (isNews) this.draw();
    }

    /** Shows another answer from now on, or none. */
    show(turn, view) {
        this.#turn = turn;
        this.#view = view;
        this.#token = null;
        this.draw();
    }

    /** Chooses one token of the answer, or (null) all. */
    select(token) {
        this.#token = token;
        this.draw();
    }

    /** Draws before the next frame, once, however often it is called until then. */
    draw() {
        if (this.#isDrawPromised) return;
        this.#isDrawPromised = true;
        requestAnimationFrame(() => {
            this.#isDrawPromised = false;
            this.#drawNow();
        });
    }

    #drawNow() {
        const routing = this.#turn?.routing;
        setText(byId("experts-note"), this.#note());
        setText(byId("experts-size"), this.#size());
        byId("map").hidden = !(routing?.layerCount > 0);
        if (byId("map").hidden) return;
        this.#makeMap(this.#layerNames, this.#expertCount);
        this.#map.update(routing, this.#token === null ? null : routing.tokens[this.#token]);
        this.#drawPicker(routing);
        this.#drawLegend(routing);
        this.#drawVisited(routing);
        this.#view.mark(this.#token);
    }

    /** A new map, if there is none with these rows and columns yet. */
    #makeMap(layerNames, expertCount) {
        const shape = `${layerNames.join()} ${expertCount}`;
        if (shape === this.#shape) return;
        this.#shape = shape;
        const Map = expertCount <= tableExpertsMax ? HeatTable : HeatCanvas;
        this.#map = new Map(layerNames, expertCount, (layer, expert) => this.#described(layer, expert));
        byId("map-scroll").replaceChildren(this.#map.root);
    }

    #note() {
        if (!this.#turn) return "Once there is an answer, this map shows which experts its tokens visited.";
        if (this.#turn.routing.layerCount > 0) {
            return "Rows are the layers with experts, columns their experts. The stronger a cell's shade, the more "
                + "tokens of the last answer visited that expert.";
        }
        if (this.#turn.state === "streaming") return "Waiting for the first token.";
        const tokens = this.#turn.knownTokenCount;
        return this.#turn.text === "" && !tokens
            ? "The last answer has no tokens."
            : "The server did not tell which experts the tokens of the last answer visited.";
    }

    #size() {
        const { experts, expertsPerToken } = this.#model ?? {};
        if (!(experts > 0)) return "";
        const all = `${counted(experts, "expert")} per layer`;
        return expertsPerToken > 0 ? `${all}, ${count(expertsPerToken)} for each token` : all;
    }

    get #expertCount() {
        return Math.max(this.#model?.experts ?? 0, this.#turn.routing.highestExpert + 1);
    }

    /** The indices that layers have in the model; if nobody tells, they are counted from 1 among those with experts. */
    get #layerNames() {
        const { layerCount } = this.#turn.routing;
        const indices = this.#model?.mixtureLayers;
        if (indices?.length === layerCount) return indices.map(String);
        return Array.from({ length: layerCount }, (_, index) => `#${index + 1}`);
    }

    #drawPicker(routing) {
        const tokens = routing.tokenCount;
        slider.max = tokens;
        slider.value = this.#token === null ? 0 : this.#token + 1;
        byId("all-tokens").disabled = this.#token === null;
        const words = this.#token === null ? allWords(tokens) : this.#tokenWords(this.#token, tokens);
        setText(byId("picked"), words);
        slider.setAttribute("aria-valuetext", words);
    }

    #tokenWords(token, tokens) {
        const { text, tokenCount } = this.#view.textOf(token);
        const place = `${count(token + 1)} of ${count(tokens)}`;
        if (text === "") return `${place}, without text`;
        return tokenCount > 1 ? `${place}, a part of ${quoted(text)}` : `${place}, ${quoted(text)}`;
    }

    #drawLegend(routing) {
        const most = routing.mostVisits;
        const legend = byId("legend");
        if (legend.children.length === 0) {
            legend.append(
                element("span", {}, "0"), element("span", { class: "ramp", "aria-hidden": "true" }), element("span"),
                element("span", { class: "chosen-key" }, element("span", { class: "chosen-swatch" }), "this token"));
        }
        setText(legend.children[2], `${count(most)} of ${counted(routing.tokenCount, "token")}, the most visited`);
        legend.children[3].hidden = this.#token === null;
    }

    #drawVisited(routing) {
        byId("visited").hidden = this.#token === null;
        if (this.#token === null) return;
        const names = this.#layerNames;
        const lines = routing.tokens[this.#token].map((experts, layer) =>
            element("li", {}, `layer ${names[layer]}: ${experts.join(", ")}`));
        byId("visited-list").replaceChildren(...lines);
    }

    /** A cell, or (without a layer) a column, in words. */
    #described(layer, expert) {
        const routing = this.#turn.routing;
        const tokens = counted(routing.tokenCount, "token");
        if (layer === undefined) {
            const visits = this.#layerNames.reduce((sum, _, index) => sum + routing.visits(index, expert), 0);
            return `expert ${expert}: ${counted(visits, "visit")} in all layers, by ${tokens}`;
        }
        const visits = count(routing.visits(layer, expert));
        const words = `layer ${this.#layerNames[layer]}, expert ${expert}: ${visits} of ${tokens}`;
        const isChosen = this.#token !== null && routing.tokens[this.#token][layer]?.includes(expert);
        return isChosen ? `${words}, among them token ${count(this.#token + 1)}` : words;
    }
}

function allWords(tokens) {
    return tokens === 1 ? "the only token" : `all ${counted(tokens, "token")}`;
}

/** A text in quotes, with what cannot be seen written out. */
function quoted(text) {
    return `“${text.replaceAll("\n", "\\n").replaceAll("\t", "\\t")}”`;
}
