// What is shown is in the URL, all of it: a link shows another person the same, and going back goes back.

export const DIMENSIONS = {
  provider: "Provider", model: "Model", user: "User", session: "Session", agent: "Agent", service: "Service",
  environment: "Environment", tag: "Tag", trace_name: "Trace name", scope: "Instrumentation", error_type: "Error type",
  role: "Kind", key: "Key",
};
export const RANGES = { "1h": 3600, "6h": 21600, "24h": 86400, "7d": 604800, "30d": 2592000, "90d": 7776000 };
const DEFAULT_RANGE = "24h";
// Parameters that the API understands as filters; the others are about the view.
const FILTERS = [...Object.keys(DIMENSIONS), "without", "status", "streaming"];
const KEPT = ["range", "from", "to", "live", ...FILTERS];

let query = new URLSearchParams(location.search);
const listeners = [];

addEventListener("popstate", () => { query = new URLSearchParams(location.search); emit(); });

function emit() { for (const listener of listeners) listener(); }

export function onChange(listener) { listeners.push(listener); }
export const get = (name, fallback = "") => query.get(name) ?? fallback;
export const all = (name) => query.getAll(name);

// changes: name -> text, list of texts, or null to drop it
function changed(changes, base = query) {
  const next = new URLSearchParams(base);
  for (const [name, value] of Object.entries(changes)) {
    next.delete(name);
    for (const one of Array.isArray(value) ? value : [value]) if (one !== null && one !== undefined && one !== "") next.append(name, one);
  }
  return next;
}

// ``quiet``: the caller itself shows what changed.
export function go(changes, { replace = false, quiet = false } = {}) {
  const next = changed(changes);
  if (next.toString() === query.toString()) return;
  query = next;
  const address = location.pathname + (next.size ? "?" + next : "");
  history[replace ? "replaceState" : "pushState"](null, "", address);
  if (!quiet) emit();
}

// A link to another page that keeps window and filters.
export function link(path, changes = {}) {
  const kept = new URLSearchParams();
  for (const [name, value] of query) if (KEPT.includes(name)) kept.append(name, value);
  const next = changed(changes, kept);
  return path + (next.size ? "?" + next : "");
}

export function addFilter(name, value) {
  if (value === null) return go({ without: [...new Set([...all("without"), name])] });
  return go({ [name]: [...new Set([...all(name), value])] });
}

export function removeFilter(name, value) { go({ [name]: all(name).filter((one) => one !== value) }); }

export function filters() {
  return FILTERS.flatMap((name) => all(name).map((value) => [name, value]));
}

// Link changes that narrow to one group.
export function narrowed(name, value) {
  return value === null ? { without: [...new Set([...all("without"), name])] } : { [name]: [value] };
}

export const isRelative = () => !(query.get("from") && query.get("to"));
export const range = () => (query.get("range") in RANGES ? query.get("range") : DEFAULT_RANGE);
export const isLive = () => isRelative() && query.get("live") !== "off";

// The window in ms since 1970.
export function window_() {
  const from = Date.parse(query.get("from")), to = Date.parse(query.get("to"));
  if (!isRelative() && from < to) return { from, to };
  const now = Date.now();
  return { from: now - RANGES[range()] * 1000, to: now };
}

export const iso = (ms) => new Date(ms).toISOString().replace(".000Z", "Z");

export function setWindow(from, to) { go({ from: iso(from), to: iso(to), range: null }); }

// Parameters for the API: window and filters, and what else is asked.
export function params(more = {}, { windowed = true } = {}) {
  const found = new URLSearchParams();
  if (windowed) {
    const { from, to } = window_();
    found.set("from", iso(from));
    found.set("to", iso(to));
  }
  for (const [name, value] of filters()) found.append(name, value);
  for (const [name, value] of Object.entries(more)) {
    found.delete(name);
    for (const one of Array.isArray(value) ? value : [value]) if (one !== null && one !== "") found.append(name, one);
  }
  return found;
}
