// Numbers as people read them. What is not known is never shown as a number: callers show `unknown` instead.

/** Stands where a number would, if nobody told it. */
export const unknown = "-";

const grouped = new Intl.NumberFormat("en", { maximumFractionDigits: 0 });

/** 65536 as "65,536". */
export function count(value) {
    return grouped.format(value);
}

/** A count and its noun: "1 token", "12 tokens". */
export function counted(value, noun) {
    return `${count(value)} ${noun}${value === 1 ? "" : "s"}`;
}

/** Bytes in binary units with three digits: "444 KiB", "1.09 GiB". */
export function bytes(value) {
    const units = ["bytes", "KiB", "MiB", "GiB", "TiB", "PiB"];
    let rest = value;
    let unit = 0;
    while (rest >= 1000 && unit < units.length - 1) {
        rest /= 1024;
        unit += 1;
    }
    return `${unit === 0 ? count(rest) : digits(rest)} ${units[unit]}`;
}

/** A share between 0 and 1 as "28 %". */
export function percent(share) {
    const value = share * 100;
    return `${value > 0 && value < 1 ? "<1" : count(Math.min(value, 100))} %`;
}

/** Tokens per second and the like: "34.5". */
export function rate(value) {
    return digits(value);
}

/** A time span in milliseconds as "40.0 µs", "0.47 ms", "120 ms" or "1.20 s". */
export function milliseconds(value) {
    if (value > 0 && value < 0.1) return `${digits(value * 1000)} µs`;
    return value < 1000 ? `${digits(value)} ms` : `${digits(value / 1000)} s`;
}

/** A time that something will still take, in seconds: "9 s", "4 min", "2 h". */
export function timeLeft(seconds) {
    if (seconds < 120) return `${Math.ceil(seconds)} s`;
    return seconds < 7200 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds / 3600)} h`;
}

/** Three digits, and no more zeros than needed to tell 0 from little. */
function digits(value) {
    if (value === 0) return "0";
    if (value < 0.01) return "<0.01";
    // Rounded first: 9.999 is 10.0, not 10.00.
    const rounded = Number(value.toPrecision(3));
    if (rounded < 10) return rounded.toFixed(2);
    return rounded < 100 ? rounded.toFixed(1) : count(value);
}
