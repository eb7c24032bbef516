// Tokens and cost for each provider and model.

import * as state from "./state.js";
import { ask, csvLink } from "./api.js";
import { $, $$, fill, h, setText } from "./dom.js";
import * as format from "./format.js";
import { noCalls, start } from "./frame.js";
import { Plot, slot } from "./plot.js";
import { named, table } from "./table.js";

const MEASURES = ["calls", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "cost", "cost_per_call", "unpriced_calls"];
const offset = () => new Date().getTimezoneOffset() * 60;
const plots = Object.fromEntries($$("[data-plot]").map((figure) => [figure.dataset.plot, new Plot($(".canvas", figure), {
  unit: figure.dataset.plot === "cost" ? "USD" : "tokens", onZoom: state.setWindow,
  onLinks: (from, to) => [h("a", { href: state.link("/ui/calls", { from: state.iso(from), to: state.iso(to), range: null }) }, "Show the calls")],
})]));

async function load() {
  const sort = state.get("sort", "cost"), descending = state.get("order") !== "asc";
  const asked = { by: "provider,model", measures: MEASURES.join(","), sort: MEASURES.includes(sort) ? sort : "cost", order: descending ? "desc" : "asc" };
  const rows = ask("/top", state.params({ ...asked, limit: 500 }));
  const series = ask("/series", state.params({ split: "model", measures: "cost,tokens", rank: "cost", offset: offset(), points: 60 }));
  const overview = ask("/overview", state.params());
  for (const one of [rows, series, overview]) one.catch(() => {});
  const figures = Object.fromEntries((await overview).figures.map((figure) => [figure.measure, figure]));
  for (const tile of $$("[data-tile]")) {
    const figure = figures[tile.dataset.tile];
    setText($(".value", tile), format.byUnit(figure.unit)(figure.value));
    setText($(".delta", tile), format.change(figure.change));
    tile.href = state.link("/ui/calls", { sort: tile.dataset.tile === "cost" ? "costliest" : "largest" });
  }
  if (!figures.calls.value) await noCalls(); else delete $("#banner").dataset.kept;
  draw(await series);
  const answer = await rows;
  const calls = (row, changes = {}) => state.link("/ui/calls", { ...state.narrowed("provider", row.provider), ...(row.model === null ? {} : { model: [row.model] }), ...changes });
  const column = (key, label, show, changes) => ({ key, label, sort: key, cell: (row) => (row.model === undefined ? show(row[key]) : h("a", { href: calls(row, changes) }, show(row[key]))) });
  table($("#usage"), {
    columns: [
      { key: "provider", label: "Provider", left: true, cell: (row) => (row.model === undefined ? "All" : h("button", { type: "button", class: "plain", "data-focus": `p ${row.provider} ${row.model}`, onclick: () => state.addFilter("provider", row.provider) }, row.provider ?? h("span", { class: "none" }, "none"))) },
      { key: "model", label: "Model", left: true, className: "named", cell: (row) => (row.model === undefined ? "" : named(row.model, row.share, () => state.addFilter("model", row.model))) },
      column("calls", "Calls", format.count),
      column("input_tokens", "Input tokens", format.exact, { sort: "largest" }),
      column("cache_read_tokens", "cached", format.exact),
      column("cache_write_tokens", "written to cache", format.exact),
      column("output_tokens", "Output tokens", format.exact, { sort: "largest" }),
      column("reasoning_tokens", "reasoning", format.exact),
      column("cost_per_call", "Cost a call", format.money, { sort: "costliest" }),
      { key: "cost", label: "Cost", sort: "cost", cell: (row) => {
        const missing = row.unpriced_calls ? h("span", { class: "badge warn", title: `${format.exact(row.unpriced_calls)} calls have tokens and no price` }, row.cost === 0 ? "no price" : "partly") : null;
        return row.model === undefined ? format.money(row.cost) : [missing, missing ? " " : null, h("a", { href: calls(row, { sort: "costliest" }) }, format.money(row.cost))];
      } },
    ],
    rows: answer.rows, sum: answer.rows.length > 1 ? answer.total : null, sort: answer.sort, descending,
    onSort: (key, down) => state.go({ sort: key === "cost" ? null : key, order: down ? null : "asc" }, { replace: true }),
    nothing: "No calls in this range.",
  });
  $("#usage-csv").href = csvLink("/top", state.params({ ...asked, limit: 1000 }));
}

function draw(series) {
  const groups = series.groups.map((group, index) => ({ ...group, label: group.rest ? "all others" : group.value ?? "none", colour: group.rest ? "rest" : slot(index) }));
  for (const [name, plot] of Object.entries(plots)) {
    plot.update({ starts: series.starts, step: series.step, kind: "bars", lines: groups.map((group) => ({ label: group.label, colour: group.colour, values: group.points[name] })) });
    $(`[data-plot="${name}"] .csv`).href = csvLink("/series", state.params({ split: "model", measures: name, offset: offset() }));
  }
  $("#legend").hidden = !groups.length;
  fill($("#legend"), groups.map((group) => h("button", { type: "button", disabled: group.rest, onclick: () => state.addFilter("model", group.value) },
    h("span", { class: `swatch c${group.colour.slice(1)}` }), h("span", { class: "name" }, group.label))));
}

start(load);
