// One plot: stacked bars, lines, or a line with a percentile band. Drag to zoom, click to pin, hover to read.

import { fill, h } from "./dom.js";
import * as format from "./format.js";

/* global uPlot */
const AXIS_FONT = "11px system-ui, sans-serif";
const colour = (name) => getComputedStyle(document.documentElement).getPropertyValue(name).trim();
export const slot = (index) => (index < 0 ? "rest" : `s${index % 8}`);
const WHOLE = Array.from({ length: 16 }, (_, power) => [1, 2, 5].map((digit) => digit * 10 ** power)).flat();
const plots = new Set();

export function lightUp(label) { for (const plot of plots) plot.light(label); }

addEventListener("themechange", () => { for (const plot of plots) plot.rebuild(); });
matchMedia("(prefers-color-scheme: dark)").addEventListener("change", () => { for (const plot of plots) plot.rebuild(); });

export class Plot {
  // onZoom(fromMs, toMs); onLinks(fromMs, toMs) -> elements shown in a pinned tip
  constructor(place, { unit, onZoom, onLinks }) {
    this.place = place;
    this.format = format.byUnit(unit);
    this.axis = format.axisOf(unit);
    this.whole = format.isWhole(unit);
    this.onZoom = onZoom;
    this.onLinks = onLinks;
    this.plot = null;
    this.model = null;
    this.tip = h("div", { class: "tip", hidden: true });
    this.lit = null; // label of the group that is pointed at in the legend
    plots.add(this);
    new ResizeObserver(() => {
      const { width, height } = this.size();
      if (this.plot && width > 0 && (this.plot.width !== width || this.plot.height !== height)) this.plot.setSize({ width, height });
    }).observe(place);
    place.tabIndex = 0;
    place.addEventListener("keydown", (event) => this.key(event));
    place.addEventListener("blur", (event) => { if (!this.tip.contains(event.relatedTarget)) { this.keyed = false; if (!this.hovered) this.unpin(); } });
    addEventListener("scroll", () => { if (!this.keyed) this.unpin(); }, { passive: true });
    document.addEventListener("keydown", (event) => {
      if (event.key !== "Escape") return;
      if (this.tip.contains(document.activeElement)) place.focus();
      this.unpin();
    });
    document.addEventListener("pointerdown", (event) => { if (!this.tip.contains(event.target) && !place.contains(event.target)) this.unpin(); });
  }

  size() {
    const style = getComputedStyle(this.place);
    return { width: this.place.clientWidth - parseFloat(style.paddingLeft) - parseFloat(style.paddingRight), height: this.place.clientHeight - 4 };
  }

  // model: {starts, step, kind: "bars" | "lines" | "band", lines: [{label, colour, values, faint}], band: [lowIndex, highIndex]}
  update(model) {
    const before = this.model;
    this.model = model;
    const same = before && this.plot && before.kind === model.kind && before.step === model.step
      && before.lines.length === model.lines.length
      && before.lines.every((line, index) => line.label === model.lines[index].label && line.colour === model.lines[index].colour);
    if (same) {
      this.plot.setData(this.data(), false);
      this.plot.batch(() => { this.plot.setScale("x", this.span()); this.plot.setScale("y", { min: 0, max: this.top() }); });
      if (!this.pinned) this.showTip(this.plot.cursor.idx);
    } else this.rebuild();
    this.nothing();
  }

  nothing() {
    this.place.querySelector(".empty")?.remove();
    if (this.isEmpty()) this.place.append(h("span", { class: "empty" }, this.model.lines.some((line) => line.values.includes(0)) ? "none in this range" : "nothing in this range"));
  }

  isEmpty() { return !this.model.lines.some((line) => line.values.some((value) => value)); }

  span() {
    const { starts, step } = this.model;
    return { min: starts[0], max: starts[starts.length - 1] + step };
  }

  stacked() { return this.model.kind === "bars" && this.model.lines.length > 1; }

  data() {
    const { starts, step, lines } = this.model;
    const xs = starts.map((start) => start + step / 2);
    if (!this.stacked()) return [xs, ...lines.map((line) => line.values)];
    const columns = [];
    let below = new Array(starts.length).fill(0);
    for (const line of lines) {
      below = below.map((sum, index) => sum + (line.values[index] ?? 0));
      columns.push(below);
    }
    return [xs, ...columns.reverse()]; // the tallest is drawn first, the others over it
  }

  top() {
    let most = 0;
    for (const column of this.data().slice(1)) for (const value of column) if (value > most) most = value;
    return most > 0 ? Math.max(most * 1.08, this.whole ? 1.08 : 0) : 1;
  }

  rebuild() {
    if (!this.model || typeof uPlot === "undefined") return;
    this.plot?.destroy();
    this.unpin();
    const { kind, lines, band } = this.model;
    const { width, height } = this.size();
    const stacked = this.stacked();
    const ordered = stacked ? [...lines].reverse() : lines;
    const muted = colour("--muted"), grid = colour("--line-soft"), dimmed = colour("--dimmed");
    const series = ordered.map((line) => {
      const own = colour(`--${line.colour}`);
      const stroke = () => (this.lit === null || this.lit === line.label ? own : dimmed);
      if (kind === "bars") return { label: line.label, stroke, fill: stroke, width: 0, paths: (plot, index) => this.bars(plot, index), points: { show: false } };
      return { label: line.label, stroke, width: line.faint ? 1 : 1.7, alpha: line.faint ? 0.75 : 1, dash: line.dashed ? [3, 3] : undefined,
        points: { show: true, filter: (plot, index) => lonely(plot.data[index]), size: 4, fill: own, width: 0 } };
    });
    const options = {
      width: Math.max(width, 50), height, padding: [8, 12, 0, 0],
      legend: { show: false },
      cursor: { sync: { key: "time", setSeries: false }, drag: { x: true, y: false, setScale: false }, y: false, points: { show: kind !== "bars", size: 6 } },
      scales: { x: { time: true, range: () => { const { min, max } = this.span(); return [min, max]; } }, y: { range: () => [0, this.top()] } },
      axes: [
        { stroke: muted, font: AXIS_FONT, size: 26, gap: 3, grid: { show: false }, ticks: { stroke: grid, size: 4 }, space: 58,
          filter: (plot, splits) => splits.map((at) => (at > this.span().max - 0.03 * (this.span().max - this.span().min) ? null : at)), // it would be cut
          values: (plot, splits, axis, space, incr) => splits.map((at) => (at === null ? null : format.tick(at, incr))) },
        { stroke: muted, font: AXIS_FONT, size: 54, gap: 4, grid: { stroke: grid, width: 1 }, ticks: { show: false }, space: 34,
          ...(this.whole ? { incrs: WHOLE } : {}),
          values: (plot, splits) => splits.map((value) => (this.isEmpty() ? "" : this.axis(value))) },
      ],
      series: [{}, ...series],
      bands: band ? [{ series: [band[1] + 1, band[0] + 1], fill: `color-mix(in srgb, ${colour(`--${lines[band[0]].colour}`)} 16%, transparent)` }] : [],
      hooks: {
        setCursor: [(plot) => { if (!this.pinned) this.showTip(plot.cursor.idx); }],
        setSelect: [(plot) => { if (this.hovered && plot.select.width > 4) this.zoom(plot); }],
      },
    };
    fill(this.place);
    this.plot = new uPlot(options, this.data(), this.place);
    this.place.append(this.tip);
    const over = this.plot.over;
    over.addEventListener("pointerenter", () => { this.hovered = true; });
    over.addEventListener("pointerleave", () => { this.hovered = false; if (!this.pinned) this.tip.hidden = true; });
    over.addEventListener("click", (event) => { if (!this.zoomed && event.detail === 1) this.pin(); this.zoomed = false; });
    this.nothing();
  }

  // From edge to edge of each bucket, a pixel apart: all gaps are equal, whatever the width.
  bars(plot, index) {
    const [xs, values] = [plot.data[0], plot.data[index]];
    const half = this.model.step / 2, zero = plot.valToPos(0, "y", true), pixel = devicePixelRatio;
    const fill = new Path2D();
    values.forEach((value, at) => {
      if (!value) return;
      const left = Math.round(plot.valToPos(xs[at] - half, "x", true)), right = Math.round(plot.valToPos(xs[at] + half, "x", true));
      const top = Math.min(plot.valToPos(value, "y", true), zero - pixel); // the smallest value is still seen
      fill.rect(left, top, Math.max(pixel, right - left - (right - left > 3 * pixel ? pixel : 0)), zero - top);
    });
    return { fill, stroke: null, flags: 0 };
  }

  // One group stands out in every plot; null ends it.
  light(label) {
    if (this.lit === label) return;
    this.lit = label;
    this.plot?.redraw(false);
  }

  // Arrow keys walk from bucket to bucket, Enter opens the links of one.
  key(event) {
    if (!this.plot || event.target !== this.place) return;
    const last = this.model.starts.length - 1;
    const at = this.keyed ? this.at : event.key === "ArrowLeft" ? last + 1 : -1;
    const moves = { ArrowLeft: at - 1, ArrowRight: at + 1, Home: 0, End: last };
    if (event.key in moves) {
      event.preventDefault();
      this.unpin();
      this.keyed = true;
      this.at = Math.max(0, Math.min(last, moves[event.key]));
      this.plot.setCursor({ left: this.plot.valToPos(this.plot.data[0][this.at], "x"), top: 10 }, false);
      this.tip.setAttribute("role", "status");
      this.showTip(this.at);
    } else if (event.key === "Enter" && this.keyed) {
      event.preventDefault();
      this.pin(this.at);
      this.tip.querySelector(".links :is(a, button)")?.focus();
    }
  }

  zoom(plot) {
    const { starts, step } = this.model;
    const at = (pixel) => plot.posToVal(pixel, "x");
    const from = starts.findLast((start) => start <= at(plot.select.left)) ?? starts[0];
    const to = (starts.findLast((start) => start <= at(plot.select.left + plot.select.width)) ?? starts[0]) + step;
    plot.setSelect({ left: 0, top: 0, width: 0, height: 0 }, false);
    this.zoomed = true;
    this.tip.hidden = true;
    this.onZoom(from * 1000, to * 1000);
  }

  pin(index = this.plot.cursor.idx) {
    if (index === null || index === undefined || !this.onLinks) return;
    this.pinned = true;
    this.showTip(index);
    const { starts, step } = this.model;
    this.tip.classList.add("pinned");
    this.tip.append(h("div", { class: "links" }, this.onLinks(starts[index] * 1000, (starts[index] + step) * 1000)));
  }

  unpin() {
    this.pinned = this.keyed = false;
    this.tip.removeAttribute("role");
    this.tip.classList.remove("pinned");
    this.tip.hidden = true;
  }

  showTip(index) {
    if (index === null || index === undefined || !this.plot || !(this.hovered || this.pinned || this.keyed)) { this.tip.hidden = true; return; }
    const { starts, step, lines } = this.model;
    if (index >= starts.length) return;
    const from = starts[index] * 1000, to = from + step * 1000;
    const rows = lines.map((line) => ({ line, value: line.values[index] })).filter(({ value }) => value !== null && (lines.length < 3 || value !== 0));
    fill(this.tip,
      h("div", { class: "when" }, step >= 86400 ? format.moment(from) : `${format.moment(from, { seconds: step < 60 })} – ${format.moment(to, { seconds: step < 60 }).replace(/^\S+ \S+( \d{4})? /, "")}`),
      h("div", { class: "utc" }, format.utc(from)),
      rows.length
        ? h("table", {}, rows.map(({ line, value }) => h("tr", {}, h("td", {}, h("span", { class: `swatch c${line.colour.slice(1)}` }), line.label), h("td", {}, this.format(value)))),
          this.stacked() && rows.length > 1 ? h("tr", { class: "sum" }, h("td", {}, "all"), h("td", {}, this.format(rows.reduce((sum, { value }) => sum + value, 0)))) : null)
        : h("div", { class: "muted" }, "no calls"));
    this.tip.hidden = false;
    const x = this.plot.valToPos(this.plot.data[0][index], "x") + this.plot.over.offsetLeft;
    const right = x > this.place.clientWidth / 2;
    this.tip.style.left = right ? "auto" : `${x + 14}px`;
    this.tip.style.right = right ? `${this.place.clientWidth - x + 14}px` : "auto";
    this.tip.style.top = "8px";
  }
}

// Places of values between two gaps, which would be invisible as a line.
function lonely(column) {
  const gap = (index) => (column[index] ?? null) === null;
  return [...column.keys()].filter((index) => !gap(index) && gap(index - 1) && gap(index + 1));
}

export function spark(svg, values) {
  const known = values.map((value, index) => [index / (values.length - 1), value]).filter(([, value]) => value !== null);
  const most = Math.max(...known.map(([, value]) => value), 0);
  const [fillPath, linePath] = svg.querySelectorAll("path");
  if (!most || known.length < 2) { fillPath.removeAttribute("d"); linePath.removeAttribute("d"); return; }
  const points = known.map(([part, value]) => `${(part * 120).toFixed(1)},${(27 - (value / most) * 24).toFixed(1)}`);
  const [first, last] = [known[0], known.at(-1)].map(([part]) => (part * 120).toFixed(1));
  linePath.setAttribute("d", "M" + points.join("L"));
  fillPath.setAttribute("d", `M${first},28L${points.join("L")}L${last},28Z`);
}
