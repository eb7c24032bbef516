// The frame of every page with a window: range, filters, live refresh, empty and error states.

import * as state from "./state.js";
import { ask, Refusal } from "./api.js";
import { $, $$, copy, fill, h, setText } from "./dom.js";
import * as format from "./format.js";

const LIVE_MS = { "1h": 5000, "6h": 10000, "24h": 10000 };
const SLOW_LIVE_MS = 60000;
let load = null;
let timer = 0;
let shown = false;

// ``loader`` fills the page, and is called again whenever what is shown changes. A page of tables, whose heights nobody
// knows before, appears when it is filled (``late``); one of plots appears at once.
let appearLate = false;
export function start(loader, { late = false } = {}) {
  load = loader;
  appearLate = late;
  wireRanges();
  wireFilters();
  wireLive();
  state.onChange(refresh);
  document.addEventListener("visibilitychange", () => { if (!document.hidden && state.isLive()) refresh(); });
  document.addEventListener("click", (event) => {
    for (const open of $$("details.pop[open]")) if (!open.contains(event.target)) open.open = false;
  });
  document.addEventListener("keydown", (event) => {
    if (event.key !== "Escape") return;
    for (const open of $$("details.pop[open]")) { open.open = false; $("summary", open).focus(); }
  });
  refresh();
}

export async function refresh() {
  clearTimeout(timer);
  draw();
  const view = $("#view");
  view.classList.toggle("stale", shown);
  view.setAttribute("aria-busy", "true");
  $("#loading").hidden = !view.hidden;
  try {
    const first = shown ? null : ask("/info");
    const loading = load();
    loading.catch(() => {});
    const info = await first;
    if (info && !info.spans) {
      await loading.catch(() => {});
      return welcome(info);
    }
    if (!appearLate) { view.hidden = false; $("#loading").hidden = true; }
    await loading;
    view.hidden = false;
    shown = true;
    if (!$("#banner").dataset.kept) banner(null);
  } catch (error) {
    if (error.name === "AbortError") return;
    failed(error);
  } finally {
    $("#loading").hidden = true;
    view.classList.remove("stale");
    view.removeAttribute("aria-busy");
    if (state.isLive() && !$("#banner.welcome")) timer = setTimeout(() => (document.hidden ? null : refresh()), LIVE_MS[state.range()] ?? SLOW_LIVE_MS);
  }
}

export function banner(kind, ...children) {
  const place = $("#banner");
  delete place.dataset.kept;
  place.hidden = kind === null;
  place.className = kind ?? "";
  if (kind) { fill(place, ...children); place.setAttribute("role", kind === "error" ? "alert" : "status"); }
}

function failed(error) {
  if (!(error instanceof Refusal)) console.error(error);
  const advice = error.status === 503 ? "The question was too large for its time limit. A shorter range or fewer groups will do." : "";
  banner("error", h("p", {}, error instanceof Refusal ? error.message : "This page met an error of its own."),
    advice ? h("p", {}, advice) : null,
    h("div", { class: "actions" },
      h("button", { type: "button", onclick: refresh }, "Try again"),
      h("button", { type: "button", onclick: () => state.go({ from: null, to: null, range: "24h" }) }, "Last 24 hours")));
}

// Nothing in this window although the store has spans: says where the data is.
export async function noCalls() {
  const info = await ask("/info", null, "newest");
  if (!info.spans) return;
  const filtered = state.filters().length > 0;
  const last = info.last ? Date.parse(info.last) : null;
  banner("empty",
    h("p", {}, filtered ? "No calls match these filters in this range. " : "No calls in this range. ",
      last ? `The newest span is from ${format.moment(last)} (${format.ago(last)}).` : ""),
    h("div", { class: "actions" },
      filtered ? h("button", { type: "button", onclick: () => state.go(Object.fromEntries(state.filters().map(([name]) => [name, null]))) }, "Drop all filters") : null,
      last ? h("button", { type: "button", onclick: () => state.setWindow(Math.max(Date.parse(info.first), last - 30 * 86400000), last + 1000) }, "Go to the newest data") : null));
  $("#banner").dataset.kept = "yes";
}

function draw() {
  const { from, to } = state.window_();
  const relative = state.isRelative();
  for (const button of $$(".ranges [data-range]")) button.setAttribute("aria-pressed", String(relative && button.dataset.range === state.range()));
  $("#free")?.toggleAttribute("data-on", !relative);
  const words = $("#window");
  setText(words, format.window_(from, to));
  words.title = `${format.utc(from)} – ${format.utc(to)}`;
  $("#live").setAttribute("aria-pressed", String(state.isLive()));
  $("#live").disabled = !relative;
  const chips = state.filters().map(([name, value]) => {
    const label = name === "without" ? "without" : state.DIMENSIONS[name] ?? name;
    const text = name === "without" ? (state.DIMENSIONS[value] ?? value).toLowerCase() : value;
    return h("span", { class: "chip" }, h("span", { title: text }, h("b", {}, label), " ", text),
      h("button", { type: "button", "aria-label": `Remove filter ${label} ${text}`, onclick: () => state.removeFilter(name, value) }, "✕"));
  });
  if ($("#chips")) fill($("#chips"), chips);
  for (const anchor of $$("nav a[data-keep]")) anchor.href = state.link(new URL(anchor.href).pathname);
  for (const select of $$(".toolbar select[id]")) {
    const value = state.get(select.id);
    const known = [...select.options].some((option) => option.value === value);
    select.value = known ? value : select.options[0].value;
  }
}

function wireRanges() {
  for (const button of $$(".ranges [data-range]")) {
    button.addEventListener("click", () => state.go({ range: button.dataset.range, from: null, to: null }));
  }
  for (const button of $$(".ranges [data-shift]")) {
    button.addEventListener("click", () => {
      const { from, to } = state.window_();
      const by = ((to - from) / 2) * Number(button.dataset.shift);
      state.setWindow(Math.round(from + by), Math.round(to + by));
    });
  }
  const form = $("#free form");
  $("#free").addEventListener("toggle", () => {
    const { from, to } = state.window_();
    for (const [name, ms] of Object.entries({ from, to })) form.elements[name].value = local(ms);
  });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    const from = new Date(form.elements.from.value).getTime(), to = new Date(form.elements.to.value).getTime();
    form.elements.to.setCustomValidity(from < to ? "" : "The end comes after the beginning.");
    if (!form.reportValidity()) return;
    $("#free").open = false;
    state.setWindow(from, to);
  });
  form.addEventListener("input", () => form.elements.to.setCustomValidity(""));
  for (const select of $$(".toolbar select[id]")) {
    select.addEventListener("change", () => state.go({ [select.id]: select.value === select.options[0].value ? null : select.value }));
  }
}

const local = (ms) => new Date(ms - new Date(ms).getTimezoneOffset() * 60000).toISOString().slice(0, 19);

function wireFilters() {
  const form = $("#add-filter form");
  if (!form) return;
  const { name, value, without } = form.elements;
  fill(name, Object.entries(state.DIMENSIONS).map(([key, label]) => h("option", { value: key }, label)),
    h("option", { value: "status" }, "Status"), h("option", { value: "streaming" }, "Streaming"));
  const values = async () => {
    if (!$("#add-filter").open) return;
    if (name.value === "status" || name.value === "streaming") {
      const words = name.value === "status" ? ["error", "ok"] : ["true", "false"];
      return fill($("#values"), words.map((word) => h("option", { value: word })));
    }
    try {
      const found = await ask("/top", state.params({ by: name.value, measures: "calls", sort: "calls", limit: 100 }), "values");
      fill($("#values"), found.rows.filter((row) => row[name.value] !== null).map((row) => h("option", { value: row[name.value] })));
    } catch (error) { if (error.name !== "AbortError") fill($("#values")); }
  };
  $("#add-filter").addEventListener("toggle", values);
  name.addEventListener("change", () => { value.value = ""; values(); });
  without.addEventListener("change", () => { value.disabled = without.checked; });
  form.addEventListener("submit", (event) => {
    event.preventDefault();
    if (!without.checked && !value.value) return value.focus();
    $("#add-filter").open = false;
    if (name.value === "status" || name.value === "streaming") state.go({ [name.value]: value.value });
    else state.addFilter(name.value, without.checked ? null : value.value);
    value.value = "";
  });
}

function wireLive() {
  $("#live").addEventListener("click", () => state.go({ live: state.isLive() ? "off" : null }, { replace: true }));
}

// An empty store: how to send the first span, to the ports that are really served.
function welcome(info) {
  const host = location.hostname.includes(":") ? `[${location.hostname.replace(/[[\]]/g, "")}]` : location.hostname;
  const scheme = info.tls ? "https" : "http";
  const http = `${scheme}://${host}:${info.otlp_http_port}`;
  const key = info.keys ? `export OTEL_EXPORTER_OTLP_HEADERS="authorization=Bearer YOUR-SECRET-KEY"\n` : "";
  const header = info.keys ? ` -H "authorization: Bearer YOUR-SECRET-KEY"` : "";
  const now = BigInt(Date.now()) * 1000000n;
  const id = (size) => [...crypto.getRandomValues(new Uint8Array(size))].map((byte) => byte.toString(16).padStart(2, "0")).join("");
  const span = { traceId: id(16), spanId: id(8), name: "chat gpt-4o-mini", kind: 3, startTimeUnixNano: String(now - 1500000000n), endTimeUnixNano: String(now),
    attributes: Object.entries({ "gen_ai.operation.name": "chat", "gen_ai.provider.name": "openai", "gen_ai.request.model": "gpt-4o-mini", "gen_ai.usage.input_tokens": 120, "gen_ai.usage.output_tokens": 48 })
      .map(([name, value]) => ({ key: name, value: typeof value === "number" ? { intValue: String(value) } : { stringValue: value } })) };
  const body = JSON.stringify({ resourceSpans: [{ scopeSpans: [{ spans: [span] }] }] });
  const steps = [
    ["Point an app at this server", "Any app with the OpenTelemetry SDK or an auto-instrumentation, in any language.",
      `export OTEL_EXPORTER_OTLP_ENDPOINT=${http}\nexport OTEL_EXPORTER_OTLP_PROTOCOL=http/protobuf\n${key}`.trim()],
    ["Or over gRPC", "",
      `export OTEL_EXPORTER_OTLP_ENDPOINT=${scheme}://${host}:${info.grpc_port}\nexport OTEL_EXPORTER_OTLP_PROTOCOL=grpc\n${key}`.trim()],
    ["Or send one span by hand", "No app needed: one call of 120 and 48 tokens.",
      `curl ${http}/v1/traces -H "content-type: application/json"${header} -d '${body}'`],
  ];
  $("#view").hidden = true;
  $("#toolbar").hidden = true;
  banner("welcome",
    h("h1", {}, "No spans yet"),
    h("p", { class: "muted" }, "This page fills by itself with the first span."),
    h("ol", {}, steps.map(([title, text, code]) => h("li", {}, h("h2", {}, title), text ? h("p", { class: "muted" }, text) : null,
      h("div", { class: "snippet" }, h("pre", { tabindex: "0" }, h("code", {}, code)), h("button", { type: "button", "aria-label": `Copy: ${title}`, onclick: () => copy(code) }, "Copy"))))),
    h("p", {}, h("span", { class: "waiting-dot" }), `Waiting for spans in the project ${info.project}`));
  clearTimeout(timer);
  const look = async () => {
    try {
      if ((await ask("/info")).spans) { banner(null); $("#toolbar").hidden = false; return refresh(); }
    } catch { /* the server is away for a moment: ask again */ }
    timer = setTimeout(look, 2000);
  };
  timer = setTimeout(look, 2000);
}
