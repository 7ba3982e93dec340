// The gateway's interface: its state, and streamed answers. What fails is thrown as a `RequestError` with a sentence
// that can be shown.

import { events } from "./events.js";

const clusterTimeoutMilliseconds = 5000;

/** Why there is no answer, in words. */
export class RequestError extends Error {
    /** `isNetwork`: nobody answered, or the connection broke. `parameter`: the field of the request that is wrong. */
    constructor(message, { isNetwork = false, parameter = null } = {}) {
        super(message);
        this.name = "RequestError";
        this.isNetwork = isNetwork;
        this.parameter = parameter;
    }
}

/** What `GET /cluster` says. */
export async function readCluster() {
    let response;
    try {
        const signal = AbortSignal.timeout(clusterTimeoutMilliseconds);
        response = await fetch("/cluster", { signal, cache: "no-store" });
        if (response.ok) return await response.json();
    } catch {
        throw new RequestError("The gateway does not answer.", { isNetwork: true });
    }
    throw await failure(response);
}

/**
 * Asks for a chat's answer and gives its chunks back as they come. Ends only after `[DONE]`; an error event, a broken
 * connection or an end without `[DONE]` throws. `signal` stops it with an `AbortError`.
 */
export async function* streamChat(request, signal) {
    const response = await post("/v1/chat/completions", { ...request, stream: true }, signal);
    if (!response.ok) throw await failure(response);
    try {
        for await (const data of events(response.body)) {
            if (data === "[DONE]") return;
            const chunk = parsed(data);
            if (chunk.error) throw new RequestError(chunk.error.message ?? "The gateway reports an unknown error.");
            yield chunk;
        }
    } catch (error) {
        if (error instanceof RequestError || signal.aborted) throw error;
        throw new RequestError("The connection broke before the answer was complete.", { isNetwork: true });
    }
    throw new RequestError("The answer ended before it was complete.");
}

async function post(path, body, signal) {
    try {
        const headers = { "content-type": "application/json" };
        return await fetch(path, { method: "POST", headers, body: JSON.stringify(body), signal });
    } catch (error) {
        if (signal.aborted) throw error;
        throw new RequestError("The gateway does not answer.", { isNetwork: true });
    }
}

function parsed(data) {
    try {
        return JSON.parse(data);
    } catch {
        throw new RequestError("The gateway sent an event that is no JSON.");
    }
}

/** The message of an answer's error object, or at least its status. */
async function failure(response) {
    const document = await response.json().catch(() => null);
    const message = document?.error?.message ?? `The gateway answered with status ${response.status}.`;
    return new RequestError(message, { parameter: document?.error?.param ?? null });
}
