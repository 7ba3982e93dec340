// A line of text beside whatever the pointer or the focus is on. It repeats what its owner says in words of its own, so
// screen readers need not see it.

import { element, setText } from "./dom.js";

const tip = element("div", { class: "tip", id: "tip", "aria-hidden": "true" });
tip.hidden = true;
document.body.append(tip);
document.addEventListener("scroll", hideTip, { capture: true, passive: true });

/** Shows the words above a box of the window, or below where there is no room. */
export function showTip(words, box) {
    setText(tip, words);
    tip.hidden = false;
    const middle = (box.left + box.right) / 2;
    const left = Math.min(middle - tip.offsetWidth / 2, innerWidth - tip.offsetWidth - 8);
    const above = box.top - tip.offsetHeight - 6;
    tip.style.left = `${Math.max(8, left)}px`;
    tip.style.top = `${above < 4 ? box.bottom + 6 : above}px`;
}

export function hideTip() {
    tip.hidden = true;
}
