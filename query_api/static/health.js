// What the numbers lack, and what to do about it.

import * as state from "./state.js";
import { ask, csvLink } from "./api.js";
import { $, $$, h, setText } from "./dom.js";
import * as format from "./format.js";
import { start } from "./frame.js";
import { table } from "./table.js";

const none = (value) => value ?? h("span", { class: "none" }, "none");
const link = (text, changes) => h("a", { href: state.link("/ui/calls", changes) }, text);
const advice = { key: "advice", label: "What to do", left: true, className: "wrap", cell: (row) => row.advice };

const TABLES = {
  unpriced: {
    nothing: "Every model has a price.",
    columns: [
      { key: "provider", label: "Provider", left: true, cell: (row) => none(row.provider) },
      { key: "model", label: "Model", left: true, cell: (row) => none(row.model) },
      { key: "calls", label: "Calls", cell: (row) => link(format.exact(row.calls), { without: ["price", ...(row.model === null ? ["model"] : [])], ...(row.model === null ? {} : { model: [row.model] }) }) },
      { key: "input_tokens", label: "Input tokens", cell: (row) => format.exact(row.input_tokens) },
      { key: "output_tokens", label: "Output tokens", cell: (row) => format.exact(row.output_tokens) },
      { key: "last", label: "Last", cell: (row) => time(row.last) },
      advice,
    ],
  },
  instrumentations: {
    nothing: "No calls in this range.",
    columns: [
      { key: "scope", label: "Instrumentation", left: true, cell: (row) => [none(row.scope), row.version ? h("span", { class: "muted" }, ` ${row.version}`) : null] },
      { key: "dialect", label: "Read as", left: true, cell: (row) => row.dialect },
      { key: "calls", label: "Calls", cell: (row) => link(format.exact(row.calls), narrowed(row)) },
      { key: "without_tokens", label: "no usage", cell: (row) => lacking(row, "without_tokens", row.calls, { without: ["tokens"], status: "ok" }) },
      { key: "streaming", label: "Streams", cell: (row) => link(format.exact(row.streaming), { ...narrowed(row), streaming: "true" }) },
      { key: "without_ttft", label: "no first token", cell: (row) => lacking(row, "without_ttft", row.streaming, { without: ["ttft"], streaming: "true", status: "ok" }) },
      { key: "without_model", label: "no model", cell: (row) => lacking(row, "without_model", row.calls, { without: ["model"] }) },
      { key: "adjusted", label: "normalised", cell: (row) => format.exact(row.adjusted) },
      { ...advice, cell: (row) => row.advice || h("span", {}, "Nothing is missing.") },
    ],
  },
  suppressed: {
    nothing: "No call was recorded twice.",
    columns: [
      { key: "scope", label: "Instrumentation", left: true, cell: (row) => none(row.scope) },
      { key: "records", label: "Records", cell: (row) => format.exact(row.records) },
      { key: "meaning", label: "Why they are not counted", left: true, className: "wrap", cell: (row) => row.meaning || row.reason },
      { key: "example", label: "Example", left: true, cell: (row) => h("a", { href: `/ui/traces/${row.example_trace_id}` }, "trace") },
      advice,
    ],
  },
  rejected: {
    nothing: "Nothing was rejected.",
    columns: [
      { key: "reason", label: "Reason", left: true, cell: (row) => h("code", {}, row.reason) },
      { key: "signal", label: "What", left: true, cell: (row) => row.signal.replace("_", " ") },
      { key: "items", label: "Items", cell: (row) => format.exact(row.items) },
      { key: "last", label: "Last", cell: (row) => time(row.last) },
      { key: "detail", label: "For example", left: true, className: "wrap", cell: (row) => row.detail },
      advice,
    ],
  },
};

const narrowed = (row) => state.narrowed("scope", row.scope);
const time = (text) => h("time", { datetime: text, title: format.utc(Date.parse(text)) }, format.moment(Date.parse(text)));

function lacking(row, key, whole, changes) {
  if (!row[key]) return h("span", { class: "muted" }, "0");
  const base = narrowed(row);
  const merged = { ...base, ...changes, without: [...(base.without ?? []), ...(changes.without ?? [])] };
  return [h("span", { class: "badge warn" }, format.percent(row[key] / whole)), " ", link(format.exact(row[key]), merged)];
}

async function load() {
  const found = await ask("/data-health", state.params());
  for (const [name, { columns, nothing }] of Object.entries(TABLES)) table($(`#${name} .table`), { columns, rows: found[name], nothing });
  const sum = (rows, key) => rows.reduce((total, row) => total + row[key], 0);
  const calls = found.totals.counted_calls;
  const streams = sum(found.instrumentations, "streaming");
  const tiles = {
    unpriced: [sum(found.unpriced, "calls"), calls], tokens: [sum(found.instrumentations, "without_tokens"), calls],
    ttft: [sum(found.instrumentations, "without_ttft"), streams], suppressed: [sum(found.suppressed, "records"), found.totals.call_records],
    rejected: [sum(found.rejected, "items"), null],
  };
  for (const [name, [value, whole]] of Object.entries(tiles)) {
    const tile = $(`[data-tile="${name}"]`);
    setText($(".value", tile), format.count(value));
    setText($(".second", tile), whole ? `${format.percent(value / whole)} of ${format.count(whole)}` : value ? "" : "none");
  }
  const total = (entry) => (typeof entry === "number" ? entry : Object.values(entry).reduce((a, b) => a + b, 0));
  const rows = ["spans", "log_records", "data_points"].map((signal) => ({ signal, ...found.since_start[signal] }));
  const because = (entry) => Object.entries(entry).map(([reason, times]) => `${reason} ${format.exact(times)}`).join(", ");
  table($("#server .table"), {
    columns: [
      { key: "signal", label: "Signal", left: true, cell: (row) => row.signal.replace("_", " ") },
      ...["received", "stored", "duplicate", "ignored", "rejected"].map((key) => ({ key, label: key, cell: (row) => h("span", { title: typeof row[key] === "number" ? null : because(row[key]) }, format.exact(total(row[key]))) })),
    ],
    rows,
  });
  for (const anchor of $$("[data-csv]")) anchor.href = csvLink("/data-health", state.params({ table: anchor.dataset.csv }));
}

start(load, { late: true });
