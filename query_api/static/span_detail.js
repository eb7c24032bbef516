// Everything about one span: figures, why it is or is not counted, what was read from which attribute, attributes, events.

import { copy, h } from "./dom.js";
import * as format from "./format.js";

const LONG = 600;

// onSpan(id) chooses another span; filter(dimension, value) is a link to the calls with that value
export function detail(span, onSpan, filter) {
  return h("div", {},
    h("div", {}, h("h2", {}, span.name), h("p", { class: "muted" }, span.role, span.operation && span.operation !== span.role ? `, ${span.operation}` : "", span.scope ? ` · ${span.scope} ${span.scope_version ?? ""}` : "")),
    span.error ? h("p", { class: "problem" }, [span.error_type, span.error_message].filter(Boolean).join(": ") || "The span failed.") : null,
    why(span, onSpan),
    facts(span, filter),
    explained(span),
    keyValues("Attributes", span.attributes, true),
    events(span),
    keyValues("Resource", span.resource_attributes, false),
    span.links?.length ? keyValues("Links", Object.fromEntries(span.links.map((link, index) => [index + 1, link])), false) : null);
}

function why(span, onSpan) {
  if (!span.is_call) return h("div", { class: "why" }, h("p", {}, "Not an LLM call, so it adds to no sum. ", span.below.calls ? `Below it: ${format.exact(span.below.calls)} calls, ${format.money(span.below.cost)}.` : ""), rule(span));
  return h("div", { class: span.counted ? "why" : "why no" },
    h("p", {}, h("b", {}, span.counted ? "Counted. " : "Not counted. "), span.reason_text || span.reason || ""),
    span.suppressed_by ? h("p", {}, "Counted instead: ", h("button", { type: "button", class: "link", onclick: () => onSpan(span.suppressed_by) }, span.suppressed_by)) : null,
    span.filled?.length ? h("p", {}, `Taken over from other records of the call: ${span.filled.join(", ")}.`) : null,
    rule(span));
}

function rule(span) {
  const text = span.explain?.role?.rule;
  return text ? h("p", { class: "muted" }, `Read as ${span.dialect}; ${span.role} because: ${text}`) : null;
}

function facts(span, filter) {
  const rows = [
    ["Started", h("time", { datetime: span.start, title: span.start }, format.moment(Date.parse(span.start), { seconds: true }))],
    ["Took", format.duration(span.latency_ms)],
    ["First token", span.ttft_ms === null ? null : `${format.duration(span.ttft_ms)}${span.ttft_source ? ` (${span.ttft_source})` : ""}`],
    ["Model", span.model ? [filter("model", span.model), span.request_model && span.model !== span.request_model ? ` (asked for ${span.request_model})` : ""] : null],
    ["Provider", span.provider ? [filter("provider", span.provider), span.provider_inferred ? " (inferred)" : ""] : null],
    ["Input", span.input_tokens === null ? null : tokens(span.input_tokens, { cached: span.cache_read_tokens, "written to cache": span.cache_write_tokens })],
    ["Output", span.output_tokens === null ? null : tokens(span.output_tokens, { reasoning: span.reasoning_tokens })],
    ["Cost", cost(span)],
    ["Finish", span.finish_reasons?.join(", ") || null],
    ["User", filter("user", span.user_id)], ["Session", filter("session", span.session_id)], ["Agent", filter("agent", span.agent_name ?? span.agent_id)],
    ["Tool", span.tool_name], ["Service", filter("service", span.service)], ["Environment", filter("environment", span.environment)],
    ["Server", span.server_address ? `${span.server_address}${span.server_port ? `:${span.server_port}` : ""}` : null],
    ["Tags", span.tags?.join(", ") || null],
    ["Response id", span.response_id], ["Key", span.key_id],
    ["Span", [h("code", {}, span.span_id), " ", h("button", { type: "button", class: "link", onclick: () => copy(span.span_id) }, "copy")]],
  ];
  return h("dl", {}, rows.filter(([, value]) => value !== null && value !== undefined && value !== "").map(([label, value]) => [h("dt", {}, label), h("dd", {}, value)]));
}

function tokens(all, parts) {
  const named = Object.entries(parts).filter(([, value]) => value).map(([label, value]) => `${format.exact(value)} ${label}`);
  return `${format.exact(all)} tokens${named.length ? `, of them ${named.join(", ")}` : ""}`;
}

function cost(span) {
  if (!span.is_call) return null;
  const parts = [];
  if (span.cost_reported !== null) parts.push(`${format.money(span.cost_reported)} reported (${span.cost_reported_source})`);
  if (span.cost_computed !== null) parts.push(`${format.money(span.cost_computed)} computed (${span.cost_computed_source})`);
  return parts.join(", ") || (span.input_tokens === null && span.output_tokens === null ? "none: the call reports no usage" : "none: the model has no price");
}

function explained(span) {
  const fields = Object.entries(span.explain?.fields ?? {});
  const notes = span.explain?.normalised ?? [];
  if (!fields.length) return null;
  return h("details", {}, h("summary", {}, `What was read from where (${fields.length})`),
    notes.map((text) => h("p", { class: "muted" }, text)),
    h("table", { class: "kv" }, h("tbody", {}, fields.map(([field, entry]) => h("tr", {}, h("th", { scope: "row" }, field),
      h("td", {}, entry.candidates.map((item) => h("div", { class: item.wins ? null : "lost" }, h("code", {}, item.attribute), " ", shortly(item.value), item.problem ? h("span", { class: "bad" }, ` ${item.problem}`) : null))))))));
}

function events(span) {
  if (!span.events?.length) return null;
  const start = Date.parse(span.start);
  return h("details", { open: true }, h("summary", {}, `Events (${span.events.length})`), span.events.map((event) => h("div", {},
    h("p", {}, h("b", {}, event.name), " ", h("span", { class: "muted" }, `after ${format.duration(event.time_ns / 1e6 - start)}`)),
    rows(event.attributes ?? {}))));
}

function keyValues(title, values, open) {
  const size = Object.keys(values ?? {}).length;
  return size ? h("details", { open }, h("summary", {}, `${title} (${size})`), rows(values)) : null;
}

function rows(values) {
  return h("table", { class: "kv" }, h("tbody", {}, Object.entries(values).map(([key, value]) => h("tr", {}, h("th", { scope: "row" }, breakable(key)), h("td", {}, written(value))))));
}

// Keys may be broken behind a dot, not inside a word.
const breakable = (key) => key.split(/(?<=\.)/).flatMap((part, index) => (index ? [h("wbr"), part] : [part]));

function written(value) {
  const text = typeof value === "string" ? value : JSON.stringify(value, null, typeof value === "object" ? 1 : 0);
  if (text.length <= LONG) return typeof value === "object" && value !== null ? h("pre", {}, text) : text;
  return h("details", {}, h("summary", {}, text.slice(0, 160) + "…"), h("pre", {}, text));
}

const shortly = (value) => {
  const text = typeof value === "string" ? value : JSON.stringify(value) ?? "";
  return text.length > 120 ? text.slice(0, 120) + "…" : text;
};
