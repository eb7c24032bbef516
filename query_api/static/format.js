// Numbers and times for people. English forms, local time; UTC is one hover away.

const whole = new Intl.NumberFormat("en");
const compact = new Intl.NumberFormat("en", { notation: "compact", minimumSignificantDigits: 3, maximumSignificantDigits: 3 });
const three = new Intl.NumberFormat("en", { maximumSignificantDigits: 3 });
const threeCompact = new Intl.NumberFormat("en", { notation: "compact", maximumSignificantDigits: 3 });
const cents = new Intl.NumberFormat("en", { minimumFractionDigits: 2, maximumFractionDigits: 2 });
const two = new Intl.NumberFormat("en", { minimumSignificantDigits: 2, maximumSignificantDigits: 2 });
const day = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short" });
const dayYear = new Intl.DateTimeFormat("en-GB", { day: "numeric", month: "short", year: "numeric" });
const clock = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit" });
const clockSeconds = new Intl.DateTimeFormat("en-GB", { hour: "2-digit", minute: "2-digit", second: "2-digit" });

export const NONE = "–";
const known = (value) => value !== null && value !== undefined && Number.isFinite(value);

export const exact = (value) => (known(value) ? whole.format(value) : NONE);
export const count = (value) => (!known(value) ? NONE : Math.abs(value) < 10000 ? whole.format(Math.round(value)) : compact.format(value));
export const number = (value) => (!known(value) ? NONE : Math.abs(value) >= 10000 ? compact.format(value) : three.format(value));

export function money(value) {
  if (!known(value)) return NONE;
  const size = Math.abs(value);
  if (size === 0) return "$0";
  if (size >= 10000) return "$" + compact.format(value);
  return "$" + (size >= 0.1 ? cents.format(value) : size < 0.000001 ? value.toExponential(1) : two.format(value));
}

export function duration(ms) {
  if (!known(ms)) return NONE;
  if (ms === 0) return "0 ms";
  if (ms < 999.5) return (ms < 9.995 ? ms.toFixed(2) : Math.round(ms)) + " ms"; // as many digits in every row of a column
  if (ms < 59950) return (ms / 1000).toFixed(ms < 9995 ? 2 : 1) + " s";
  const seconds = Math.round(ms / 1000);
  if (seconds < 3600) return `${Math.floor(seconds / 60)}m ${String(seconds % 60).padStart(2, "0")}s`;
  return `${Math.floor(seconds / 3600)}h ${String(Math.floor((seconds % 3600) / 60)).padStart(2, "0")}m`;
}

export function percent(fraction) {
  if (!known(fraction)) return NONE;
  const size = Math.abs(fraction * 100);
  if (size === 0 || size === 100) return fraction * 100 + "%";
  return size < 0.01 ? "<0.01%" : (fraction * 100).toFixed(size < 9.995 ? 2 : 1) + "%";
}

export const FORMATS = {
  calls: count, tokens: count, USD: money, ms: duration, fraction: percent, "tokens/s": number,
};
export const byUnit = (unit) => FORMATS[unit] ?? number;

// The same without trailing zeros: round numbers on an axis.
const AXES = {
  calls: (value) => threeCompact.format(value), tokens: (value) => threeCompact.format(value), "tokens/s": (value) => threeCompact.format(value),
  USD: (value) => (value === 0 || (value >= 0.1 && value < 10) ? money(value) : "$" + threeCompact.format(value)),
  ms: (value) => (value === 0 ? "0" : value < 1000 ? three.format(value) + " ms" : value < 60000 ? three.format(value / 1000) + " s" : duration(value)),
  fraction: (value) => three.format(value * 100) + "%",
};
export const axisOf = (unit) => AXES[unit] ?? ((value) => threeCompact.format(value));
export const isWhole = (unit) => unit === "calls" || unit === "tokens";

export function change(fraction) {
  if (!known(fraction)) return "";
  const size = Math.abs(fraction);
  if (size < 0.0005) return "no change";
  return `${fraction > 0 ? "▲" : "▼"} ${size >= 9.995 ? "×" + number(1 + fraction) : (size * 100).toFixed(size < 0.0995 ? 1 : 0) + "%"}`;
}

const midnight = (date) => !date.getHours() && !date.getMinutes() && !date.getSeconds();

export function moment(ms, { seconds = false } = {}) {
  const date = new Date(ms);
  const thisYear = date.getFullYear() === new Date().getFullYear();
  return `${(thisYear ? day : dayYear).format(date)} ${(seconds ? clockSeconds : clock).format(date)}`;
}

export const utc = (ms) => new Date(ms).toISOString().replace("T", " ").replace(/\.\d+Z$/, "").replace("Z", "") + " UTC";

export function window_(from, to) { return `${moment(from)} – ${moment(to)}`; }

// A label on a time axis; ``step`` seconds lie between labels.
export function tick(seconds, step) {
  const date = new Date(seconds * 1000);
  if (step >= 86400 * 300) return String(date.getFullYear());
  if (step >= 86400 || midnight(date)) return day.format(date);
  return (step < 60 ? clockSeconds : clock).format(date);
}

export function ago(ms) {
  const seconds = Math.max(0, (Date.now() - ms) / 1000);
  for (const [size, word] of [[86400, "day"], [3600, "hour"], [60, "minute"]]) {
    const found = Math.floor(seconds / size);
    if (found) return `${found} ${word}${found > 1 ? "s" : ""} ago`;
  }
  return "just now";
}
