// Single calls, page by page. New ones are announced, not pushed in.

import * as state from "./state.js";
import { ask, csvLink } from "./api.js";
import { $, h, setText } from "./dom.js";
import * as format from "./format.js";
import { noCalls, start } from "./frame.js";
import { table } from "./table.js";

const PAGE = 50;
let question = null; // what the rows answer
let rows = [];
let next = null;

const asked = () => {
  const more = { sort: state.get("sort") || null, limit: PAGE };
  // a moving window would make every refresh another question: its beginning is enough
  const params = state.params(more);
  if (state.isRelative()) params.delete("to");
  return params;
};
const identity = () => JSON.stringify([state.filters(), state.get("sort"), state.isRelative() ? state.range() : [state.get("from"), state.get("to")]]);

async function load() {
  const now = identity();
  const page = await ask("/calls/search", asked());
  const seen = new Set(rows.map((row) => row.span_id));
  const fresh = page.calls.filter((call) => !seen.has(call.span_id));
  $("#calls-csv").href = csvLink("/calls/search", (() => { const params = asked(); params.delete("limit"); return params; })());
  setText($("#total"), `${format.exact(page.total)} in this range`);
  if (question === now && rows.length && (fresh.length || rows.length > PAGE)) {
    const button = $("#newer");
    button.hidden = !fresh.length;
    setText(button, `${fresh.length}${fresh.length === PAGE ? " or more" : ""} new, show`);
    button.onclick = () => { show(page); button.hidden = true; };
    return;
  }
  question = now;
  $("#newer").hidden = true;
  show(page);
  if (!page.calls.length) await noCalls(); else delete $("#banner").dataset.kept;
}

function show(page) {
  rows = page.calls;
  next = page.next;
  draw();
}

$("#older").addEventListener("click", async (event) => {
  const button = event.currentTarget;
  button.disabled = true;
  try {
    const params = asked();
    params.set("cursor", next);
    const page = await ask("/calls/search", params, "older");
    const before = rows.length;
    rows = [...rows, ...page.calls];
    next = page.next;
    draw();
    $(`#calls tbody tr:nth-child(${before + 1}) a`)?.focus();
  } finally { button.disabled = false; }
});

$("#calls").addEventListener("click", (event) => {
  if (event.target.closest("a, button") || getSelection().toString()) return;
  event.target.closest("tr")?.querySelector("a.to-trace")?.click();
});

const pick = (name) => (row) => (row[name] === null ? h("span", { class: "none" }, format.NONE)
  : h("button", { type: "button", class: "plain", title: `Filter: ${row[name]}`, onclick: () => state.addFilter(name, row[name]) }, row[name]));

function draw() {
  const longest = Math.max(...rows.map((row) => row.latency_ms), 1);
  table($("#calls"), {
    columns: [
      { key: "start", label: "Time", left: true, className: "most", cell: (row) => h("a", { class: "to-trace", href: state.link(`/ui/traces/${row.trace_id}`, { span: row.span_id }) },
        h("time", { datetime: row.start, title: format.utc(Date.parse(row.start)) }, format.moment(Date.parse(row.start), { seconds: true }))) },
      { key: "model", label: "Model", left: true, className: "named most", cell: (row) => [pick("model")(row)] },
      { key: "provider", label: "Provider", left: true, className: "less", cell: pick("provider") },
      { key: "latency_ms", label: "Latency", className: "rest", cell: (row) => [format.duration(row.latency_ms), lane(row, longest)] },
      { key: "ttft_ms", label: "First token", cell: (row) => format.duration(row.ttft_ms) },
      { key: "input_tokens", label: "In", cell: (row) => format.count(row.input_tokens) },
      { key: "output_tokens", label: "Out", cell: (row) => format.count(row.output_tokens) },
      { key: "cost", label: "Cost", className: "rest", cell: (row) => format.money(row.cost) },
      { key: "error", label: "Outcome", left: true, cell: (row) => (row.error
        ? h("button", { type: "button", class: "plain", onclick: () => (row.error_type ? state.addFilter("error_type", row.error_type) : state.go({ status: "error" })) }, h("span", { class: "badge bad" }, row.error_type ?? "error"))
        : h("span", { class: "muted ok" }, "ok")) },
      { key: "user", label: "User", left: true, cell: pick("user") },
      { key: "agent", label: "Agent", left: true, cell: pick("agent") },
      { key: "service", label: "Service", left: true, className: "less", cell: pick("service") },
      { key: "session", label: "Session", left: true, className: "less", cell: pick("session") },
    ],
    rows: rows.map((row) => ({ ...row, id: row.span_id })),
    nothing: "No calls in this range.",
  });
  $("#older").hidden = next === null;
}

// A small bar: length is latency against the slowest on the page, the mark inside is the first token.
function lane(row, longest) {
  const share = (part, whole) => `${Math.min(100, (100 * part) / whole).toFixed(1)}%`;
  return h("span", { class: "thin", "aria-hidden": "true" }, h("i", { style: { "--share": share(row.latency_ms, longest) } },
    row.ttft_ms === null || !row.latency_ms ? null : h("b", { style: { "--first": share(row.ttft_ms, row.latency_ms) } })));
}

start(load, { late: true });
