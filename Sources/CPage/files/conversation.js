// What was asked and answered, as data. Nothing here touches the page.

import { Routing } from "./routing.js";

/** One question and what came of it. */
export class Turn {
    /** "streaming", "done", "stopped" (by the person) or "failed". */
    state = "streaming";
    text = "";
    /** What the model thought before; empty if it did not tell. */
    reasoning = "";
    /** Why it failed, in words; null if it did not. */
    error = null;
    /** Why the model ended: "stop", "length", … */
    finishReason = null;
    /** Tokens of the answer, as the gateway counted them; null until it told. */
    tokenCount = null;
    /** Tokens spent on reasoning, as the gateway counted them; null until it told. */
    reasoningTokenCount = null;
    routing = new Routing();
    #startTime;
    #firstTime = null;
    #lastTime = null;

    constructor(question, time) {
        this.question = question;
        this.#startTime = time;
    }

    /**
     * Takes one chunk of the stream that arrived at `time`, in milliseconds. Gives back the reasoning and the text that
     * it brought and the tokens that these complete: `{ reasoning, text, firstToken, tokenCount }`.
     */
    add(chunk, time) {
        if (chunk.usage) {
            this.tokenCount = chunk.usage.completion_tokens;
            this.reasoningTokenCount = chunk.usage.completion_tokens_details?.reasoning_tokens ?? null;
        }
        const choice = chunk.choices?.[0];
        const text = choice?.delta?.content ?? "";
        const reasoning = choice?.delta?.reasoning_content ?? "";
        const firstToken = this.routing.tokenCount;
        if (choice) this.routing.add(choice.routed_experts);
        const tokenCount = this.routing.tokenCount - firstToken;
        if (text !== "" || reasoning !== "" || tokenCount > 0) {
            this.#firstTime ??= time;
            this.#lastTime = time;
        }
        this.text += text;
        this.reasoning += reasoning;
        this.finishReason = choice?.finish_reason ?? this.finishReason;
        return { reasoning, text, firstToken, tokenCount };
    }

    /** From the question to the first piece of its answer, in milliseconds; null before that. */
    get firstTokenMilliseconds() {
        return this.#firstTime === null ? null : this.#firstTime - this.#startTime;
    }

    /** Tokens so far; null if nobody told. */
    get knownTokenCount() {
        return this.tokenCount ?? (this.routing.tokenCount > 0 ? this.routing.tokenCount : null);
    }

    /** Tokens per second after the first; null if that cannot be said. */
    get tokensPerSecond() {
        const milliseconds = this.#lastTime - this.#firstTime;
        const tokens = this.knownTokenCount;
        return tokens > 1 && milliseconds > 0 ? (tokens - 1) * 1000 / milliseconds : null;
    }
}

/** All turns, and what of them the model is told with the next question. */
export class Conversation {
    turns = [];

    /** The messages of a request for the last turn: what has an answer, complete or stopped, and its question. */
    get messages() {
        const answered = this.turns.slice(0, -1).filter((turn) => turn.state !== "failed" && turn.text !== "");
        const messages = answered.flatMap((turn) => [
            { role: "user", content: turn.question },
            {
                role: "assistant",
                content: turn.text,
                ...(turn.reasoning === "" ? {} : { reasoning_content: turn.reasoning }),
            },
        ]);
        return [...messages, { role: "user", content: this.turns.at(-1).question }];
    }
}
