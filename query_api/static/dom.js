// Elements made from data. Text is always text: nothing from the store is ever read as HTML.

const SVG = new Set(["svg", "path", "circle", "line"]);

export const $ = (selector, within = document) => within.querySelector(selector);
export const $$ = (selector, within = document) => [...within.querySelectorAll(selector)];

export function h(tag, attributes = {}, ...children) {
  const element = SVG.has(tag) ? document.createElementNS("http://www.w3.org/2000/svg", tag) : document.createElement(tag);
  for (const [name, value] of Object.entries(attributes)) {
    if (value === null || value === undefined || value === false) continue;
    if (name.startsWith("on")) element.addEventListener(name.slice(2), value);
    else if (name === "style") for (const [key, one] of Object.entries(value)) element.style.setProperty(key, one);
    else element.setAttribute(name, value === true ? "" : value);
  }
  element.append(...children.flat(4).filter((child) => child !== null && child !== undefined && child !== false));
  return element;
}

export function fill(element, ...children) { element.replaceChildren(...children.flat(4).filter((child) => child !== null && child !== undefined)); }

export function setText(element, text) { if (element && element.textContent !== text) element.textContent = text; }

let quiet = 0;
export function say(text) {
  const place = $("#says");
  place.textContent = text;
  place.classList.add("on");
  clearTimeout(quiet);
  quiet = setTimeout(() => place.classList.remove("on"), 2200);
}

export async function copy(text) {
  try {
    await navigator.clipboard.writeText(text);
  } catch {
    const area = h("textarea", { class: "off" });
    area.value = text;
    document.body.append(area);
    area.select();
    document.execCommand("copy");
    area.remove();
  }
  say("Copied");
}
