// Making and finding elements. Text always becomes a text node, so nothing that a person or a model writes is ever
// read as HTML.

/** The element with this id, which index.html has. */
export function byId(id) {
    return document.getElementById(id);
}

/**
 * Makes an element: `element("p", { class: "muted" }, "text", child)`. Properties are attributes; one that is false,
 * null or undefined is left out, and of `true` only the name counts. Children that are null are left out.
 */
export function element(name, attributes = {}, ...children) {
    const made = document.createElement(name);
    for (const [key, value] of Object.entries(attributes)) {
        if (value === false || value === null || value === undefined) continue;
        made.setAttribute(key, value === true ? "" : value);
    }
    made.append(...children.flat().filter((child) => child !== null && child !== undefined));
    return made;
}

/** Sets an element's text, only if it is another: what is selected or read aloud is not disturbed for nothing. */
export function setText(target, text) {
    if (target.textContent !== text) target.textContent = text;
}
