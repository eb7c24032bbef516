// Tables that sort on their headings, filter on their names, and do not jump when they are filled again.

import { fill, h } from "./dom.js";

// columns: {key, label, left, cell(row) -> child or list of children, sort, className}
// onSort(key, descending) makes headings buttons.
export function table(place, { columns, rows, sort, descending = true, onSort, nothing = "Nothing in this range.", sum, caption }) {
  const focused = place.contains(document.activeElement) ? document.activeElement.dataset.focus : null;
  if (!rows.length) return fill(place, h("p", { class: "nothing" }, nothing));
  const heading = (column) => {
    const sorted = onSort && sort === column.sort;
    const label = onSort && column.sort
      ? h("button", { type: "button", "data-focus": `sort ${column.key}`, onclick: () => onSort(column.sort, sorted ? !descending : true) }, column.label)
      : column.label;
    return h("th", { scope: "col", role: "columnheader", class: column.left ? "left" : null, "aria-sort": sorted ? (descending ? "descending" : "ascending") : null }, label);
  };
  // roles are said aloud: on a narrow screen rows are laid out as cards, and a browser would no longer call them rows
  const line = (row, extra) => h("tr", { role: "row", class: extra ?? row.className, "data-id": row.id },
    columns.map((column) => h("td", { role: "cell", "data-label": column.label, class: [column.left ? "left" : "", column.className ?? ""].join(" ").trim() || null }, column.cell(row))));
  fill(place, h("table", { role: "table", class: "data" }, caption ? h("caption", { class: "off" }, caption) : null,
    h("thead", { role: "rowgroup" }, h("tr", { role: "row" }, columns.map(heading))),
    h("tbody", { role: "rowgroup" }, rows.map((row) => line(row)), sum ? line(sum, "sum") : null)));
  if (focused) [...place.querySelectorAll("[data-focus]")].find((one) => one.dataset.focus === focused)?.focus();
}

// The name of a group: a share bar behind it, and a click that filters.
export function named(value, share, onPick, none = "none") {
  const text = value === null ? h("span", { class: "none" }, none) : value;
  return [h("span", { class: "bar", style: { "--share": `calc((100% - 8px) * ${Math.max(0, Math.min(1, share ?? 0)).toFixed(4)})` } }),
    h("span", { class: "text", title: value ?? none }, onPick ? h("button", { type: "button", "data-focus": `pick ${value}`, title: `Filter: ${value ?? none}`, onclick: onPick }, text) : text)];
}
