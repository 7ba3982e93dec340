// Which experts the tokens of an answer visited, counted. Nothing here touches the page.

/** Grows with the answer. */
export class Routing {
    /** For each token, for each layer with experts, the ids of the chosen experts in the router's order. */
    tokens = [];
    /** The highest id of an expert that any token visited; -1 before the first. */
    highestExpert = -1;
    /** For each layer with experts, how many tokens visited each expert. */
    #counts = [];

    get tokenCount() {
        return this.tokens.length;
    }

    /** Layers with experts, as the answer has them; 0 before the first token. */
    get layerCount() {
        return this.#counts.length;
    }

    /** Takes `routed_experts` of one chunk: nothing, if the server does not tell or the chunk completes no token. */
    add(routedExperts) {
        if (!isRouting(routedExperts)) return;
        for (const layers of routedExperts) {
            this.tokens.push(layers);
            layers.forEach((experts, layer) => experts.forEach((expert) => this.#count(layer, expert)));
        }
    }

    /** How many tokens visited an expert of a layer (both counted from 0, layers without experts left out). */
    visits(layer, expert) {
        return this.#counts[layer]?.[expert] ?? 0;
    }

    /** The most visits of any expert. */
    get mostVisits() {
        return this.#counts.reduce((most, layer) => layer.reduce((a, b) => Math.max(a, b ?? 0), most), 0);
    }

    #count(layer, expert) {
        while (this.#counts.length <= layer) this.#counts.push([]);
        const counts = this.#counts[layer];
        counts[expert] = (counts[expert] ?? 0) + 1;
        this.highestExpert = Math.max(this.highestExpert, expert);
    }
}

/** Lists of lists of lists of ids; anything else is not understood, so not shown. */
function isRouting(value) {
    const isID = (id) => Number.isInteger(id) && id >= 0 && id < 65536;
    const isList = (list, isItem) => Array.isArray(list) && list.every(isItem);
    return isList(value, (layers) => isList(layers, (experts) => isList(experts, isID)));
}
