// The overview: headline figures, series over time, largest groups.

import * as state from "./state.js";
import { ask, csvLink } from "./api.js";
import { $, $$, fill, h, setText } from "./dom.js";
import * as format from "./format.js";
import { noCalls, refresh, start } from "./frame.js";
import { lightUp, Plot, slot, spark } from "./plot.js";
import { named, table } from "./table.js";
import { byName, tile } from "./tiles.js";

// Tile: its figure, what stands below it and the figure of that, which direction is good, the series of its spark line.
const TILES = {
  cost: { value: "cost", below: (f) => `${format.money(f.cost_per_call)} a call`, second: "cost_per_call", spark: "cost" },
  calls: { value: "calls", below: (f, hours) => `${format.number(f.calls / hours)} an hour`, spark: "calls" },
  tokens: { value: "tokens", below: (f) => `${format.count(f.input_tokens)} in · ${format.count(f.output_tokens)} out`, spark: "input_tokens" },
  error_rate: { value: "error_rate", below: (f) => `${format.exact(f.errors)} calls`, second: "errors", good: -1, spark: "errors" },
  latency: { value: "latency_p50", below: (f) => `${format.duration(f.latency_p95)} p95`, second: "latency_p95", good: -1, spark: "latency_p50" },
  ttft: { value: "ttft_p50", below: (f) => `${format.duration(f.ttft_p95)} p95`, second: "ttft_p95", good: -1, spark: "ttft_p50" },
  tps: { value: "tps", below: () => "in and out", good: 1, spark: "tps" },
  tpot: { value: "tpot", below: () => "mean", good: -1, spark: "tpot" },
};
// Plot: the measure of a split view, and the lines of the whole.
const PLOTS = {
  cost: { unit: "USD", additive: true, of: () => "cost" },
  calls: { unit: "calls", additive: true, of: () => "calls", links: { status: null } },
  tokens: { unit: "tokens", additive: true, of: () => "tokens", parts: [["input_tokens", "input"], ["output_tokens", "output"]] },
  latency: { unit: "ms", of: (stat) => `latency_${stat}`, spread: "latency" },
  ttft: { unit: "ms", of: (stat) => `ttft_${stat}`, spread: "ttft" },
  error_rate: { unit: "fraction", of: () => "error_rate", colour: "s7", links: { status: "error" } },
  errors: { unit: "calls", additive: true, of: () => "errors", colour: "s7", links: { status: "error" } },
  tps: { unit: "tokens/s", of: (stat) => (stat === "avg" ? "tps" : `tps_${stat}`), spread: "tps" },
  tpot: { unit: "ms", of: (stat) => (stat === "avg" ? "tpot" : `tpot_${stat}`), spread: "tpot" },
};
// Asked for apart.
const SUMS = ["cost", "calls", "tokens", "error_rate", "errors"];
const SPREADS = ["latency", "ttft", "tps", "tpot"];
const stat = () => state.get("stat", "p50");
const split = () => state.get("split");
// Days begin at local midnight, and no plot has more bars than can be told apart.
const buckets = () => ({ offset: new Date().getTimezoneOffset() * 60, points: 58 });

const plots = Object.fromEntries($$("[data-plot]").map((figure) => {
  const name = figure.dataset.plot;
  return [name, new Plot($(".canvas", figure), { unit: PLOTS[name].unit, onZoom: state.setWindow, onLinks: (from, to) => [
    h("a", { href: state.link("/ui/calls", { from: state.iso(from), to: state.iso(to), range: null, ...PLOTS[name].links }) }, "Show the calls"),
    h("button", { type: "button", class: "link", onclick: () => state.setWindow(from, to) }, "Zoom here"),
  ] })];
}));

async function load() {
  // what the chosen view does not use is not offered: the percentile of a split, and stacks of calls with several tags
  $("#stat").closest("label").hidden = !split();
  $("#look").disabled = split() === "tag";
  const series = (kind, measures, more = {}) => ask("/series", state.params({ measures: [...new Set(measures)].join(","), ...buckets(), ...more }), `series ${kind}`);
  const sparks = Object.values(TILES).map((tile) => tile.spark);
  const ofSpreads = (measure) => SPREADS.some((name) => measure.startsWith(name));
  const plotted = (kind, names) => {
    if (split()) return series(kind, [...names.map((name) => PLOTS[name].of(stat())), "cost"], { split: split(), top: 8, rank: "cost" }).then((answer) => drawSplit(answer, names));
    const also = sparks.filter((measure) => ofSpreads(measure) === (kind === "spreads"));
    return series(kind, [...names.flatMap(wholeMeasures), ...also]).then((answer) => { drawSparks(answer, also); drawWhole(answer, names); });
  };
  await plotted("sums", SUMS); // first and alone: percentiles cost a sort, and no sum should wait for one
  const headlines = ask("/overview", state.params()).then(async (answer) => {
    if (!drawTiles(answer).calls) await noCalls(); else delete $("#banner").dataset.kept;
  });
  await Promise.all([headlines, plotted("spreads", SPREADS), split() ? series("sparks", sparks).then((answer) => drawSparks(answer, sparks)) : null]);
  for (const figure of $$("[data-plot]")) {
    const name = figure.dataset.plot;
    const measures = split() ? PLOTS[name].of(stat()) : wholeMeasures(name).join(",");
    $(".csv", figure).href = csvLink("/series", state.params({ measures, split: split() || null, ...buckets() }));
  }
  await loadTops(); // last: the figures and plots above them must not wait
}

function drawSparks(series, measures) {
  for (const [name, { spark: measure }] of Object.entries(TILES)) {
    if (measures.includes(measure)) spark($(`[data-tile="${name}"] .spark`), series.groups[0]?.points[measure] ?? []);
  }
}

function drawTiles(answer) {
  const figures = byName(answer);
  const now = Object.fromEntries(answer.figures.map((figure) => [figure.measure, figure.value]));
  const { from, to } = state.window_();
  for (const [name, { value, below, second, good }] of Object.entries(TILES)) {
    const { place, draw } = tile(name, figures, { good, second });
    draw(value, now.calls ? below(now, (to - from) / 3600000) : "");
    place.href = state.link("/ui/calls", Object.fromEntries(new URLSearchParams(place.dataset.link)));
    place.title = `${format.exact(figures[value].value)} ${figures[value].unit}`;
  }
  return now;
}

function wholeMeasures(name) {
  const { parts, spread, of } = PLOTS[name];
  if (parts) return parts.map(([measure]) => measure);
  return spread ? [`${spread}_p50`, `${spread}_p95`] : [of(stat())];
}

function drawWhole(series, names) {
  $("#legend").hidden = true;
  const lines = state.get("look") === "lines";
  const points = series.groups[0]?.points ?? {};
  for (const name of names) {
    const { parts, spread, of, colour = "s0", additive } = PLOTS[name];
    const values = (measure) => points[measure] ?? series.starts.map(() => null);
    let model;
    if (parts) model = { kind: lines ? "lines" : "bars", lines: parts.map(([measure, label], index) => ({ label, colour: slot(index), values: values(measure) })) };
    else if (spread) {
      model = { kind: "band", band: [0, 1], lines: [
        { label: "p50", colour: "s0", values: values(`${spread}_p50`) },
        { label: "p95", colour: "s0", values: values(`${spread}_p95`), faint: true }] };
    } else model = { kind: additive && !lines ? "bars" : "lines", lines: [{ label: $(`[data-plot="${name}"] h2`).textContent, colour, values: values(of(stat())) }] };
    plots[name].update({ starts: series.starts, step: series.step, ...model });
    note(name, spread || parts ? model.lines : [], series);
  }
}

function drawSplit(series, names) {
  const groups = series.groups.map((group, index) => ({
    ...group, label: group.rest ? "all others" : group.value ?? "none", colour: group.rest ? "rest" : slot(index),
  }));
  const total = (group) => group.points.cost.reduce((sum, value) => sum + value, 0);
  const legend = $("#legend");
  legend.hidden = false;
  fill(legend, groups.map((group) => h("button", { type: "button", disabled: group.rest, title: group.rest ? null : `Filter: ${group.label}`,
    onclick: () => state.addFilter(split(), group.value), onpointerenter: () => lightUp(group.label), onpointerleave: () => lightUp(null), onfocus: () => lightUp(group.label), onblur: () => lightUp(null) },
    h("span", { class: `swatch c${group.colour.slice(1)}` }), h("span", { class: group.value === null ? "name none" : "name" }, group.label), h("span", { class: "muted" }, format.money(total(group))))));
  const lines = state.get("look") === "lines" || split() === "tag"; // calls with two tags would be stacked twice
  for (const name of names) {
    const { of, additive } = PLOTS[name];
    const measure = of(stat());
    plots[name].update({ starts: series.starts, step: series.step, kind: additive && !lines ? "bars" : "lines",
      lines: groups.map((group) => ({ label: group.label, colour: group.colour, values: group.points[measure] })) });
    note(name, PLOTS[name].spread ? [{ label: stat() }] : [], series);
  }
}

// Beside the title: what the colours of a plot without a legend of its own mean.
function note(name, lines, series) {
  const figure = $(`[data-plot="${name}"]`);
  fill($(".note", figure), lines.map(({ label, colour, faint }) => h("span", { class: "key" },
    colour ? h("span", { class: `swatch c${colour.slice(1)}${faint ? " faint" : ""}` }) : null, label)));
  const label = $("h2", figure).textContent, words = lines.map((line) => line.label).join(", ");
  $(".canvas", figure).setAttribute("aria-label", `${label} over time, ${series.starts.length} buckets${words ? ", " + words : ""}. Arrow keys read them one by one, the CSV link has all.`);
}

// -- the largest groups, each asked for when it comes into sight

const visible = new Set();
let ready = false;
// Order and length of each table are in the URL, too: ``top.user=-calls`` and ``all=user``.
const orderOf = (name) => { const sort = state.get(`top.${name}`, "cost"); return sort.startsWith("-") ? [sort.slice(1), false] : [sort, true]; };
const SHORT = 8, LONG = 50;
const isLong = (name) => state.all("all").includes(name);
const watcher = new IntersectionObserver((entries) => {
  for (const entry of entries) {
    if (!entry.isIntersecting || visible.has(entry.target.dataset.top)) continue;
    visible.add(entry.target.dataset.top);
    if (ready) loadTop(entry.target.dataset.top).catch(report);
  }
}, { rootMargin: "600px" });
for (const panel of $$("[data-top]")) {
  watcher.observe(panel);
  $(".more", panel).addEventListener("click", () => {
    const name = panel.dataset.top;
    state.go({ all: isLong(name) ? state.all("all").filter((one) => one !== name) : [...state.all("all"), name] }, { replace: true, quiet: true });
    loadTop(name).catch(report);
  });
}

function report(error) { if (error.name !== "AbortError") refresh(); }

function loadTops() {
  ready = true;
  return Promise.all([...visible].map(loadTop));
}

async function loadTop(name) {
  const panel = $(`[data-top="${name}"]`);
  const [sort, descending] = orderOf(name);
  const asked = { by: name, sort, order: descending ? "desc" : "asc", measures: "cost,calls,tokens,error_rate,latency_p50" };
  const answer = await ask("/top", state.params({ ...asked, limit: isLong(name) ? LONG : SHORT }), `top ${name}`);
  const column = (key, label, cell) => ({ key, label, sort: key, cell });
  const calls = (row, changes = {}) => state.link("/ui/calls", { ...state.narrowed(name, row[name]), ...changes });
  table($(".table", panel), {
    columns: [
      { key: name, label: state.DIMENSIONS[name], left: true, className: "named", cell: (row) => named(row[name], row.share, () => state.addFilter(name, row[name])) },
      column("cost", "Cost", (row) => h("a", { href: calls(row, { sort: "costliest" }) }, format.money(row.cost))),
      column("calls", "Calls", (row) => h("a", { href: calls(row) }, format.count(row.calls))),
      column("tokens", "Tokens", (row) => h("a", { href: calls(row, { sort: "largest" }) }, format.count(row.tokens))),
      column("error_rate", "Errors", (row) => h("a", { href: calls(row, { status: "error" }), class: row.error_rate >= 0.05 ? "bad" : null }, format.percent(row.error_rate))),
      column("latency_p50", "Latency p50", (row) => h("a", { href: calls(row, { sort: "slowest" }) }, format.duration(row.latency_p50))),
    ],
    rows: answer.rows, sort, descending,
    onSort: (key, down) => {
      state.go({ [`top.${name}`]: key === "cost" && down ? null : (down ? "" : "-") + key }, { replace: true, quiet: true });
      loadTop(name).catch(report);
    },
    nothing: "No calls in this range.",
  });
  setText($(".note", panel), answer.groups > answer.rows.length ? `${answer.rows.length} of ${format.count(answer.groups)}` : "");
  const more = $(".more", panel);
  more.hidden = !(answer.groups > answer.rows.length) && !(isLong(name) && answer.rows.length > SHORT);
  setText(more, isLong(name) ? "Show less" : "Show more");
  panel.classList.add("loaded");
  $(".csv", panel).href = csvLink("/top", state.params({ by: name, sort, limit: 1000 }));
}

start(load);
