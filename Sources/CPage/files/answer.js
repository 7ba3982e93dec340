// How one question and its answer are shown.

import { element, setText } from "./dom.js";
import { counted, milliseconds, rate } from "./format.js";

/** A turn on the page. */
export class AnswerView {
    /** The outermost element. */
    root;
    #turn;
    #answer = element("p", { class: "answer-text" });
    #reasoningTitle = element("summary");
    #reasoningText = element("p", { class: "reasoning-text" });
    /** What the model thought: open while there is nothing else to read, unless the person decides otherwise. */
    #reasoning = element("details", { class: "reasoning" }, this.#reasoningTitle, this.#reasoningText);
    #metrics = element("ul", { class: "metrics" });
    #failure = element("div", { class: "failure" });
    #pieces = [];
    #marked = null;

    /** `onRetry` and `onToken(index)` are called when the person asks for another attempt, or clicks a token. */
    constructor(turn, { onRetry, onToken }) {
        this.#turn = turn;
        this.#failure.hidden = true;
        this.#reasoning.hidden = true;
        for (const text of [this.#reasoningText, this.#answer]) {
            text.addEventListener("click", (event) => {
                const piece = this.#pieces.find((each) => each.node === event.target);
                if (piece?.tokenCount > 0) onToken(piece.firstToken);
            });
        }
        const retry = element("button", { type: "button" }, "Retry");
        retry.addEventListener("click", onRetry);
        this.#failure.append(element("p", { role: "alert" }), retry);
        this.root = element("article", { class: "turn" },
            element("h3", { class: "visually-hidden" }, "You"),
            element("p", { class: "question-text" }, turn.question),
            element("h3", { class: "visually-hidden" }, "Answer"),
            this.#reasoning, this.#answer, this.#metrics, this.#failure);
        this.update();
    }

    /** Shows what a chunk brought. Text without tokens of its own belongs to the tokens before it. */
    append({ reasoning, text, firstToken, tokenCount }) {
        if (reasoning !== "" && this.#reasoning.hidden) {
            this.#reasoning.hidden = false;
            this.#reasoning.open = true;
        }
        if (text !== "" && this.#answer.textContent === "") this.#reasoning.open = false;
        const isAllReasoning = text === "" && reasoning !== "";
        if (reasoning !== "") this.#add(this.#reasoningText, reasoning, firstToken, isAllReasoning ? tokenCount : 0);
        if (!isAllReasoning) this.#add(this.#answer, text, firstToken, tokenCount);
    }

    #add(place, text, firstToken, tokenCount) {
        const last = this.#pieces.at(-1);
        if (tokenCount === 0 && last?.node.parentNode === place) {
            last.node.append(text);
        } else {
            const node = element("span", {}, text);
            this.#pieces.push({ node, firstToken, tokenCount });
            place.append(node);
        }
    }

    /** Shows the state and the numbers of the turn as they are now. */
    update() {
        const turn = this.#turn;
        this.root.dataset.state = turn.state;
        this.#answer.ariaBusy = String(turn.state === "streaming");
        const notes = this.#notes();
        while (this.#metrics.children.length > notes.length) this.#metrics.lastChild.remove();
        notes.forEach((note, index) => {
            if (!this.#metrics.children[index]) this.#metrics.append(element("li"));
            setText(this.#metrics.children[index], note);
        });
        const isSelectable = this.#pieces.some((piece) => piece.tokenCount > 0);
        for (const text of [this.#reasoningText, this.#answer]) text.classList.toggle("selectable", isSelectable);
        setText(this.#reasoningTitle, this.#thoughts());
        this.#failure.hidden = turn.state !== "failed";
        if (turn.state === "failed") setText(this.#failure.firstChild, turn.error);
    }

    /** There is a newer question: nothing is retried, and no token chosen, so one piece of text is enough. */
    release() {
        this.mark(null);
        this.#failure.querySelector("button").remove();
        this.#pieces = [];
        this.#answer.textContent = this.#turn.text;
        this.#reasoningText.textContent = this.#turn.reasoning;
    }

    /** Marks the text that a token is part of; null marks nothing. */
    mark(token) {
        this.#marked?.classList.remove("marked");
        this.#marked = token === null ? null : this.#piece(token)?.node;
        this.#marked?.classList.add("marked");
        if (this.#reasoning.contains(this.#marked)) this.#reasoning.open = true;
    }

    /** The text that a token is part of and how many tokens share it. */
    textOf(token) {
        const piece = this.#piece(token);
        return piece ? { text: piece.node.textContent, tokenCount: piece.tokenCount } : { text: "", tokenCount: 1 };
    }

    #piece(token) {
        return this.#pieces.find((each) => token >= each.firstToken && token < each.firstToken + each.tokenCount);
    }

    /** The title of what the model thought. */
    #thoughts() {
        const turn = this.#turn;
        if (turn.state === "streaming" && turn.text === "") return "Thinking";
        const count = turn.reasoningTokenCount;
        return count === null ? "Thoughts" : `Thoughts, ${counted(count, "token")}`;
    }

    #notes() {
        const turn = this.#turn;
        const notes = [];
        const first = turn.firstTokenMilliseconds;
        if (first === null && turn.state === "streaming") notes.push("waiting for the first token");
        if (first !== null) notes.push(`first token after ${milliseconds(first)}`);
        if (turn.tokensPerSecond !== null) notes.push(`${rate(turn.tokensPerSecond)} tokens/s`);
        if (turn.knownTokenCount !== null) notes.push(counted(turn.knownTokenCount, "token"));
        if (turn.state === "stopped") notes.push("stopped by you");
        if (turn.state === "done" && turn.finishReason === "length") notes.push("ended at the limit of tokens");
        if (turn.state === "done" && turn.text === "") notes.push("an answer without text");
        return notes;
    }
}
