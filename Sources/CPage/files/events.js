// Server-sent events, read from the body of an answer as they arrive.

/** The data of each event. Comments, which keep a silent connection open, are left out. */
export async function* events(body) {
    let data = [];
    for await (const line of lines(body)) {
        if (line === "") {
            if (data.length > 0) yield data.join("\n");
            data = [];
        } else if (line.startsWith("data:")) {
            data.push(line.slice(line[5] === " " ? 6 : 5));
        }
    }
}

/** The whole lines of a body; a piece of a line at its end is no line. */
async function* lines(body) {
    const reader = body.pipeThrough(new TextDecoderStream()).getReader();
    let rest = "";
    try {
        for (;;) {
            const { value, done } = await reader.read();
            if (done) return;
            const parts = (rest + value).split("\n");
            rest = parts.pop();
            for (const part of parts) yield part.endsWith("\r") ? part.slice(0, -1) : part;
        }
    } finally {
        // Whoever stops listening closes the connection, and so ends the work that is done for it.
        reader.cancel().catch(() => {});
    }
}
