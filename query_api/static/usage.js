// Tokens and cost for each provider and model.

import * as state from "./state.js";
import { ask, csvLink } from "./api.js";
import { $, $$, fill, h } from "./dom.js";
import * as format from "./format.js";
import { noCalls, start } from "./frame.js";
import { lightUp, Plot, slot } from "./plot.js";
import { named, table } from "./table.js";
import { byName, tile } from "./tiles.js";

const MEASURES = ["calls", "input_tokens", "cache_read_tokens", "cache_write_tokens", "output_tokens", "reasoning_tokens", "cost", "cost_per_call", "unpriced_calls"];
// Link changes that narrow to a provider and a model, either of which a call may lack.
const both = (provider, model) => {
  const changes = [["provider", provider], ["model", model]];
  const without = changes.filter(([, value]) => value === null).map(([name]) => name);
  return { ...Object.fromEntries(changes.filter(([, value]) => value !== null).map(([name, value]) => [name, [value]])),
    ...(without.length ? { without: [...new Set([...state.all("without"), ...without])] } : {}) };
};
const share = (part, whole, word) => `${format.percent(whole.value ? part.value / whole.value : null)} of ${word}`;
const BELOW = {
  cost: (f) => (f.unpriced_calls.value ? `${format.count(f.unpriced_calls.value)} calls without a price` : `${format.money(f.cost_per_call.value)} a call`),
  input_tokens: (f) => share(f.input_tokens, f.tokens, "all tokens"),
  output_tokens: (f) => share(f.output_tokens, f.tokens, "all tokens"),
  cache_read_tokens: (f) => share(f.cache_read_tokens, f.input_tokens, "the input"),
};
const offset = () => new Date().getTimezoneOffset() * 60;
const plots = Object.fromEntries($$("[data-plot]").map((figure) => [figure.dataset.plot, new Plot($(".canvas", figure), {
  unit: figure.dataset.plot === "cost" ? "USD" : "tokens", onZoom: state.setWindow,
  onLinks: (from, to) => [h("a", { href: state.link("/ui/calls", { from: state.iso(from), to: state.iso(to), range: null }) }, "Show the calls")],
})]));

async function load() {
  const sort = state.get("sort", "cost"), descending = state.get("order") !== "asc";
  const asked = { by: "provider,model", measures: MEASURES.join(","), sort: MEASURES.includes(sort) ? sort : "cost", order: descending ? "desc" : "asc" };
  const rows = ask("/top", state.params({ ...asked, limit: 500 }));
  const series = ask("/series", state.params({ split: "model", measures: "cost,tokens", rank: "cost", offset: offset(), points: 58 }));
  const overview = ask("/overview", state.params());
  for (const one of [rows, series, overview]) one.catch(() => {});
  const figures = byName(await overview);
  for (const [measure, below] of Object.entries(BELOW)) {
    const { place, draw: drawTile } = tile(measure, figures);
    drawTile(measure, figures.calls.value ? below(figures) : "");
    place.href = state.link("/ui/calls", { sort: measure === "cost" ? "costliest" : "largest" });
    place.title = `${format.exact(figures[measure].value)} ${figures[measure].unit}`;
  }
  if (!figures.calls.value) await noCalls(); else delete $("#banner").dataset.kept;
  draw(await series);
  const answer = await rows;
  const calls = (row, changes = {}) => state.link("/ui/calls", { ...(row.model === undefined ? {} : both(row.provider, row.model)), ...changes });
  const column = (key, label, show, changes) => ({ key, label, sort: key, cell: (row) => h("a", { href: calls(row, changes), class: row[key] ? null : "muted" }, show(row[key])) });
  table($("#usage"), {
    columns: [
      { key: "provider", label: "Provider", left: true, cell: (row) => (row.model === undefined ? "All" : h("button", { type: "button", class: "plain", "data-focus": `p ${row.provider} ${row.model}`, onclick: () => state.addFilter("provider", row.provider) }, row.provider ?? h("span", { class: "none" }, "none"))) },
      { key: "model", label: "Model", left: true, className: "named", cell: (row) => (row.model === undefined ? "" : named(row.model, row.share, () => state.addFilter("model", row.model))) },
      column("calls", "Calls", format.exact),
      column("input_tokens", "Input tokens", format.exact, { sort: "largest" }),
      column("cache_read_tokens", "Cache read", format.exact),
      column("cache_write_tokens", "Cache write", format.exact),
      column("output_tokens", "Output tokens", format.exact, { sort: "largest" }),
      column("reasoning_tokens", "Reasoning", format.exact),
      column("cost_per_call", "Cost a call", format.money, { sort: "costliest" }),
      { key: "cost", label: "Cost", sort: "cost", cell: (row) => {
        const missing = row.unpriced_calls ? h("span", { class: "badge warn", title: `${format.exact(row.unpriced_calls)} calls have tokens and no price` }, row.cost === 0 ? "no price" : "partly") : null;
        return [missing, missing ? " " : null, h("a", { href: calls(row, { sort: "costliest" }) }, format.money(row.cost))];
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
  fill($("#legend"), groups.map((group) => h("button", { type: "button", disabled: group.rest, title: group.rest ? null : `Filter: ${group.label}`, onclick: () => state.addFilter("model", group.value),
    onpointerenter: () => lightUp(group.label), onpointerleave: () => lightUp(null), onfocus: () => lightUp(group.label), onblur: () => lightUp(null) },
    h("span", { class: `swatch c${group.colour.slice(1)}` }), h("span", { class: "name" }, group.label))));
}

start(load);
