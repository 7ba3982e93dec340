// The chat: asks, shows the answer as it comes, and stops when told to.

import { AnswerView } from "./answer.js";
import { streamChat } from "./api.js";
import { Conversation, Turn } from "./conversation.js";
import { byId, setText } from "./dom.js";

const log = byId("log");
const question = byId("question");
const sendButton = byId("send");
const stopButton = byId("stop");

/** The left half of the page. */
export class Chat {
    #conversation = new Conversation();
    /** The view of the last turn; null before the first. */
    #view = null;
    /** Stops the answer that is under way; null while there is none. */
    #stopper = null;
    /** Whether the end of the conversation is in sight, and so stays; who has scrolled up to read is left alone. */
    #isAtEnd = true;
    #canAsk = false;
    #asksForExperts = true;
    #listener;

    /**
     * Tells `listener` what happens: `onAnswer(turn, view)` when there is a new last answer (both null: none any more),
     * `onProgress()` when it has grown, `onToken(index)` when one of its tokens was clicked, `onNetworkLoss()` when the
     * gateway seems gone.
     */
    constructor(listener) {
        this.#listener = listener;
        byId("composer").addEventListener("submit", (event) => {
            event.preventDefault();
            this.#submit();
        });
        // What is wrong has to be in sight for the browser to point at it.
        byId("composer").addEventListener("invalid", () => (byId("sampling").open = true), { capture: true });
        question.addEventListener("keydown", (event) => this.#keyDown(event));
        question.addEventListener("input", () => this.#showControls());
        stopButton.addEventListener("click", () => this.#stop());
        document.addEventListener("keydown", (event) => {
            if (event.key === "Escape") this.#stop();
        });
        log.addEventListener("scroll", () => {
            this.#isAtEnd = log.scrollHeight - log.scrollTop - log.clientHeight < 40;
        });
        new ResizeObserver(() => this.#scrollAlong()).observe(log);
        byId("new-conversation").addEventListener("click", () => this.#beginAnew());
        byId("examples").addEventListener("click", (event) => this.#askExample(event.target.closest("button")));
        this.#showControls();
    }

    /** Whether the cluster can generate now. The first time that it can, the question may be typed. */
    set canAsk(canAsk) {
        if (canAsk === this.#canAsk) return;
        this.#canAsk = canAsk;
        if (canAsk) announce("The cluster is ready");
        if (canAsk && question.disabled) {
            question.disabled = false;
            // On a touch screen the focus would open the keyboard over the page.
            if (document.activeElement === document.body && !matchMedia("(pointer: coarse)").matches) question.focus();
        }
        this.#showControls();
    }

    #keyDown(event) {
        // Enter that ends the composition of a character is no request to send.
        if (event.key !== "Enter" || event.shiftKey || event.isComposing) return;
        event.preventDefault();
        byId("composer").requestSubmit();
    }

    #submit() {
        const text = question.value.trim();
        if (text === "" || !this.#canAsk || this.#stopper) return;
        question.value = "";
        this.#ask(text);
    }

    #askExample(button) {
        if (!button || !this.#canAsk || this.#stopper) return;
        question.focus();
        this.#ask(button.textContent);
    }

    #ask(text) {
        this.#view?.release();
        byId("welcome").hidden = true;
        const turn = new Turn(text, performance.now());
        this.#conversation.turns.push(turn);
        this.#show(turn, (view) => log.append(view.root));
        this.#run(turn);
    }

    /** Asks the last question again, in the place of the answer that failed. */
    #retry() {
        if (!this.#canAsk || this.#stopper) return;
        const turn = new Turn(this.#conversation.turns.pop().question, performance.now());
        this.#conversation.turns.push(turn);
        const failed = this.#view.root;
        this.#show(turn, (view) => failed.replaceWith(view.root));
        question.focus();
        this.#run(turn);
    }

    #show(turn, place) {
        this.#view = new AnswerView(turn, {
            onRetry: () => this.#retry(),
            onToken: (index) => this.#listener.onToken(index),
        });
        place(this.#view);
        this.#isAtEnd = true;
        this.#scrollAlong();
        this.#listener.onAnswer(turn, this.#view);
    }

    async #run(turn) {
        const stopper = new AbortController();
        this.#stopper = stopper;
        this.#showControls();
        announce("Generating");
        const view = this.#view;
        try {
            for await (const chunk of this.#chunks(stopper.signal)) this.#grow(turn, view, chunk);
            turn.state = "done";
        } catch (error) {
            turn.state = stopper.signal.aborted ? "stopped" : "failed";
            if (turn.state === "failed") turn.error = error.message;
            if (turn.state === "failed" && error.isNetwork) this.#listener.onNetworkLoss();
        }
        // Another conversation may have begun meanwhile.
        if (this.#stopper !== stopper) return;
        this.#stopper = null;
        view.update();
        this.#scrollAlong();
        this.#showControls();
        this.#listener.onProgress();
        announce(turn.state === "failed" ? "" : `${turn.state === "stopped" ? "Stopped" : "Answer"}: ${turn.text}`);
    }

    /** The chunks of the answer. A cluster that cannot tell the experts is asked again without them. */
    async *#chunks(signal) {
        try {
            yield* streamChat(this.#request(), signal);
        } catch (error) {
            if (error.parameter !== "return_routed_experts" || !this.#asksForExperts) throw error;
            this.#asksForExperts = false;
            yield* streamChat(this.#request(), signal);
        }
    }

    #grow(turn, view, chunk) {
        const piece = turn.add(chunk, performance.now());
        if (piece.text !== "" || piece.reasoning !== "" || piece.tokenCount > 0) view.append(piece);
        view.update();
        this.#scrollAlong();
        this.#listener.onProgress();
    }

    #scrollAlong() {
        if (this.#isAtEnd) log.scrollTop = log.scrollHeight;
    }

    #request() {
        const maxTokens = byId("max-tokens").value;
        return {
            model: "default",
            messages: this.#conversation.messages,
            temperature: Number(byId("temperature").value),
            ...(maxTokens === "" ? {} : { max_tokens: Number(maxTokens) }),
            stream_options: { include_usage: true },
            ...(this.#asksForExperts ? { return_routed_experts: true } : {}),
        };
    }

    #stop() {
        if (!this.#stopper) return;
        this.#stopper.abort();
        question.focus();
    }

    #beginAnew() {
        this.#stopper?.abort();
        this.#stopper = null;
        this.#conversation = new Conversation();
        this.#view = null;
        for (const turn of log.querySelectorAll(".turn")) turn.remove();
        byId("welcome").hidden = false;
        announce("New conversation");
        this.#listener.onAnswer(null, null);
        this.#showControls();
        question.focus();
    }

    #showControls() {
        const isRunning = this.#stopper !== null;
        sendButton.hidden = isRunning;
        stopButton.hidden = !isRunning;
        sendButton.disabled = !this.#canAsk || question.value.trim() === "";
        byId("new-conversation").disabled = this.#conversation.turns.length === 0;
        for (const button of byId("examples").querySelectorAll("button")) button.disabled = !this.#canAsk;
        for (const button of log.querySelectorAll(".failure button")) button.disabled = !this.#canAsk || isRunning;
        question.placeholder = this.#canAsk ? "Ask something" : "The cluster cannot answer at the moment";
    }
}

/** Has a screen reader say something. */
function announce(text) {
    setText(byId("announcement"), text);
}
