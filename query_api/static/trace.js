// One trace as a waterfall. Arrow keys walk, left and right fold, the chosen span is in the URL.

import * as state from "./state.js";
import { ask, csvLink, Refusal } from "./api.js";
import { $, $$, copy, fill, h } from "./dom.js";
import * as format from "./format.js";
import { detail } from "./span_detail.js";

const traceId = $("#view").dataset.trace;
const MAX_ROWS = 1500; // more rows than anybody scrolls; the CSV has all
const DAY_MS = 86400000;
const folded = new Set();
let trace = null;

async function load() {
  try {
    trace = await ask(`/traces/${traceId}`, new URLSearchParams({ detail: "waterfall" }));
  } catch (error) {
    const why = error.status === 404 ? await ask(`/traces/${traceId}/why`).catch(() => null) : null;
    const place = $("#banner");
    place.hidden = false;
    place.className = "error";
    place.setAttribute("role", "alert");
    fill(place, h("p", {}, error instanceof Refusal ? error.message : "This page met an error of its own."),
      why?.spans.length ? h("p", {}, `Of this trace only refusals are known: ${why.spans.map((span) => `${span.reason} (${span.detail})`).join("; ")}.`) : null,
      h("div", { class: "actions" }, h("a", { class: "button", href: state.link("/ui/calls") }, "To the calls")));
    return;
  }
  head();
  draw();
  $("#view").hidden = false;
  const chosen = state.get("span") || trace.spans.find((span) => span.error)?.span_id || trace.spans.find((span) => span.counted)?.span_id || trace.spans[0].span_id;
  choose(chosen, { keep: true });
}

function head() {
  const root = trace.spans[0];
  const start = Date.parse(trace.start);
  fill($("#trace-name"), trace.trace_name ?? root.name);
  document.title = `${trace.trace_name ?? root.name} · otel-llm`;
  fill($("#trace-id"), trace.trace_id, " ", h("button", { type: "button", class: "link", onclick: () => copy(trace.trace_id) }, "copy"));
  const fact = (label, value) => (value === null || value === "" ? null : h("div", {}, h("dt", {}, label), h("dd", {}, value)));
  const listed = (name, values) => (values.length ? values.flatMap((value, index) => [index ? ", " : "", filter(name, value)]) : null);
  fill($("#facts"),
    fact("Started", h("time", { datetime: trace.start, title: format.utc(start) }, format.moment(start, { seconds: true }))),
    fact("Took", format.duration(trace.latency_ms)),
    fact("Calls", format.exact(trace.total.calls)),
    trace.total.errors ? fact("Failed", h("span", { class: "bad" }, format.exact(trace.total.errors))) : null,
    fact("Tokens", `${format.exact(trace.total.input_tokens)} in, ${format.exact(trace.total.output_tokens)} out`),
    fact("Cost", format.money(trace.total.cost)),
    fact("User", filter("user", trace.user_id)),
    fact("Session", filter("session", trace.session_id)),
    fact("Service", listed("service", trace.services)),
    fact("Tags", listed("tag", trace.tags)));
  fill($("#span-note"), `${format.exact(trace.span_count)} span${trace.span_count === 1 ? "" : "s"}${trace.truncated ? `, the first ${format.exact(trace.spans.length)} are shown` : ""}`);
  const roles = [...new Set(trace.spans.map((span) => span.role))];
  fill($("#roles"), roles.map((role) => h("span", { class: "key" }, h("span", { class: `dot role ${role}` }), role)),
    trace.spans.some((span) => span.ttft_ms !== null) ? h("span", { class: "key" }, h("span", { class: "dot first-token" }), "first token") : null);
  $("#trace-csv").href = csvLink(`/traces/${traceId}`, "detail=waterfall");
}

// The other calls with a value, in the month around the trace, which may be older than any preset.
function filter(name, value) {
  if (value === null || value === undefined || value === "") return null;
  const start = Date.parse(trace.start);
  const around = { from: state.iso(start - 15 * DAY_MS), to: state.iso(Math.min(start + 15 * DAY_MS, Math.max(Date.now(), start + DAY_MS))) };
  return h("a", { href: `/ui/calls?${new URLSearchParams({ ...around, [name]: value })}`, title: `Calls of ${value}` }, value);
}

function shownSpans() {
  let hiddenBelow = Infinity;
  return trace.spans.filter((span) => {
    if (span.depth > hiddenBelow) return false;
    hiddenBelow = folded.has(span.span_id) ? span.depth : Infinity;
    return true;
  }).slice(0, MAX_ROWS);
}

function draw() {
  const whole = trace.latency_ms || 1;
  const header = h("div", { class: "wf-row wf-head", role: "row" },
    h("div", { class: "wf-name", role: "columnheader" }, "Name"),
    h("div", { class: "wf-axis", role: "columnheader", "aria-label": `Time, from 0 to ${format.duration(whole)}` },
      [0, 0.25, 0.5, 0.75].map((part) => h("span", { "aria-hidden": "true" }, part ? format.axisOf("ms")(whole * part) : "0"))),
    h("div", { class: "wf-num", role: "columnheader" }, "Tokens"), h("div", { class: "wf-num", role: "columnheader" }, "Cost"));
  const grid = h("div", { role: "treegrid", "aria-label": "Spans of the trace" }, header, shownSpans().map((span) => row(span, whole)));
  grid.addEventListener("click", (event) => {
    const line = event.target.closest("[data-span]");
    if (!line) return;
    if (event.target.closest(".fold") && line.hasAttribute("aria-expanded")) return fold(line.dataset.span);
    choose(line.dataset.span);
  });
  grid.addEventListener("keydown", walk);
  fill($("#waterfall"), grid);
  mark(state.get("span"));
}

function row(span, whole) {
  const at = (ms) => `${Math.max(0, Math.min(100, (100 * ms) / whole)).toFixed(3)}%`;
  const tokens = span.counted ? [span.input_tokens, span.output_tokens] : span.below.calls ? [span.below.input_tokens, span.below.output_tokens] : null;
  const cost = span.counted ? span.cost : span.below.calls ? span.below.cost : null;
  const rolled = !span.counted && span.below.calls ? "Sum of the calls below" : null;
  const left = span.offset_ms / whole;
  // where the words fit: right of the bar, left of it, else on it
  const words = left + span.latency_ms / whole < 0.82 ? "" : left > 0.22 ? " in" : " over";
  const first = span.ttft_ms !== null && span.latency_ms ? Math.min(100, (100 * span.ttft_ms) / span.latency_ms) : null;
  const classes = ["wf-row", span.is_call && !span.counted ? "uncounted" : "", span.error ? "failed" : ""].join(" ").trim();
  return h("div", { class: classes, role: "row", tabindex: "-1", "data-span": span.span_id, "aria-level": span.depth + 1, "aria-selected": "false",
    "aria-expanded": span.children ? String(!folded.has(span.span_id)) : null },
    h("div", { class: "wf-name", role: "rowheader", style: { "--depth": Math.min(span.depth, 24) } },
      h("span", { class: "fold", "aria-hidden": "true" }, span.children ? (folded.has(span.span_id) ? "▸" : "▾") : ""),
      h("span", { class: `role ${span.role}` }),
      h("span", { class: "text", title: `${span.name} (${span.role})` }, span.name),
      span.orphan ? h("span", { class: "badge", title: "Its parent span is not stored" }, "no parent") : null,
      span.is_call && !span.counted ? h("span", { class: "badge warn", title: span.reason_text }, "not counted") : null,
      span.error ? h("span", { class: "badge bad" }, span.error_type ?? "error") : null),
    h("div", { class: "wf-lane", role: "gridcell" },
      h("div", { class: `wf-bar ${span.role}`, style: { "--left": at(span.offset_ms), "--width": at(span.latency_ms) },
        title: first === null ? format.duration(span.latency_ms) : `${format.duration(span.latency_ms)}, first token after ${format.duration(span.ttft_ms)}` },
        first === null ? null : h("span", { class: "waiting", style: { "--first": `${first.toFixed(2)}%` } })),
      h("span", { class: `wf-time${words}`, style: { "--left": !words ? at(span.offset_ms + span.latency_ms) : at(span.offset_ms) } },
        format.duration(span.latency_ms), first === null ? "" : ` · ${format.duration(span.ttft_ms)} to first`)),
    h("div", { class: "wf-num", role: "gridcell", title: tokens ? `${format.exact(tokens[0])} in, ${format.exact(tokens[1])} out${rolled ? ". " + rolled : ""}` : null },
      !tokens ? "" : tokens[0] === null && tokens[1] === null ? format.NONE : format.count((tokens[0] ?? 0) + (tokens[1] ?? 0))),
    h("div", { class: "wf-num", role: "gridcell", title: rolled }, cost === null && !span.counted ? "" : format.money(cost)));
}

function fold(spanId) {
  if (!folded.delete(spanId)) folded.add(spanId);
  draw();
  $(`[data-span="${spanId}"]`)?.focus();
}

function walk(event) {
  const line = event.target.closest("[data-span]");
  if (!line) return;
  const lines = $$("[data-span]");
  const at = lines.indexOf(line);
  const open = line.getAttribute("aria-expanded");
  const moves = { ArrowDown: at + 1, ArrowUp: at - 1, Home: 0, End: lines.length - 1 };
  if (event.key in moves) {
    event.preventDefault();
    lines[Math.max(0, Math.min(lines.length - 1, moves[event.key]))].focus();
  } else if (event.key === "Enter" || event.key === " ") {
    event.preventDefault();
    choose(line.dataset.span);
  } else if ((event.key === "ArrowLeft" && open === "true") || (event.key === "ArrowRight" && open === "false")) {
    event.preventDefault();
    fold(line.dataset.span);
  }
}

function mark(spanId) {
  for (const line of $$("[data-span]")) {
    const chosen = line.dataset.span === spanId;
    line.setAttribute("aria-selected", String(chosen));
    line.tabIndex = chosen ? 0 : -1;
  }
  if (!$('[data-span][tabindex="0"]')) $("[data-span]")?.setAttribute("tabindex", "0");
}

async function choose(spanId, { keep = false } = {}) {
  const known = trace.spans.find((span) => span.span_id === spanId);
  if (!known) return;
  state.go({ span: spanId }, { replace: keep });
  mark(spanId);
  try {
    const span = await ask(`/traces/${traceId}/spans/${spanId}`, null, "span");
    fill($("#detail"), detail({ ...span, below: known.below }, (other) => {
      choose(other);
      $(`[data-span="${other}"]`)?.scrollIntoView({ block: "nearest" });
    }, filter));
    $("#detail").scrollTop = 0;
  } catch (error) {
    if (error.name !== "AbortError") fill($("#detail"), h("p", { class: "pad problem" }, error.message));
  }
}

state.onChange(() => { const span = state.get("span"); if (trace && span) choose(span, { keep: true }); });
for (const anchor of $$("nav a[data-keep]")) anchor.href = state.link(new URL(anchor.href).pathname);
load();
