// Where the time of a step goes: one bar of labelled parts, each with its number.

import { element, setText } from "./dom.js";
import { counted, milliseconds, percent } from "./format.js";

/** What the coordinator's names for the phases mean, in the order in which a step runs through them. */
const names = new Map([
    ["attention", "attention"],
    ["route", "router"],
    ["dispatch", "sending to experts"],
    ["dispatchWait", "waiting for experts"],
    ["combine", "combining results"],
    ["dense", "dense layers"],
    ["head", "output head"],
    ["sample", "sampling"],
]);

/** Shows the mean step; null says that there is nothing to show yet. */
export function showPhases(target, phases, hasWorkers) {
    if (target.children.length === 0) {
        target.append(
            element("h3", {}, "A step"), element("p", { class: "muted" }),
            element("div", { class: "stack", "aria-hidden": "true" }), element("ul", { class: "stack-legend" }));
    }
    const [, note, bar, legend] = target.children;
    const parts = phases ? ordered(phases.milliseconds, hasWorkers) : [];
    const total = parts.reduce((sum, part) => sum + part.value, 0);
    setText(note, described(phases, total));
    bar.hidden = total === 0;
    fit(bar, parts.length, () => element("div"));
    fit(legend, parts.length, () =>
        element("li", {}, element("span", { class: "swatch", "aria-hidden": "true" }), element("span"), element("b")));
    parts.forEach((part, index) => {
        bar.children[index].dataset.phase = part.style;
        // In percent: shares of less than 1 in all would not fill the bar.
        bar.children[index].style.flexGrow = total > 0 ? part.value / total * 100 : 0;
        const [swatch, label, value] = legend.children[index].children;
        swatch.dataset.phase = part.style;
        setText(label, part.label);
        setText(value, total > 0 ? `${milliseconds(part.value)}, ${percent(part.value / total)}` : milliseconds(0));
    });
}

function described(phases, total) {
    if (!phases) return "No step has been measured yet.";
    const basis = phases.isSinceStart ? "since the start" : "while it last computed";
    return `${milliseconds(total)} on average, over ${counted(phases.steps, "step")} ${basis}`;
}

/** The phases in the order of a step, those without a name of ours at the end under their own. */
function ordered(values, hasWorkers) {
    const known = [...names.keys()];
    const place = (phase) => (names.has(phase) ? known.indexOf(phase) : known.length);
    const phases = Object.keys(values).sort((a, b) => place(a) - place(b) || a.localeCompare(b));
    // Without workers the experts are computed where their rows would otherwise be sent from.
    const label = (phase) => (phase === "dispatch" && !hasWorkers ? "experts" : names.get(phase) ?? words(phase));
    return phases.map((phase) => ({
        label: label(phase), style: names.has(phase) ? phase : "other", value: values[phase],
    }));
}

/** "dispatchWait" and "dispatch_wait" as "dispatch wait". */
function words(name) {
    return name.replaceAll("_", " ").replaceAll(/[A-Z]/g, (letter) => ` ${letter.toLowerCase()}`).trim();
}

function fit(list, length, make) {
    while (list.children.length > length) list.lastChild.remove();
    while (list.children.length < length) list.append(make());
}
