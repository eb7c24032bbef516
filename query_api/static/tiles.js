// Headline figures, each with its change against the window before.

import { $, setText } from "./dom.js";
import * as format from "./format.js";

export const byName = (answer) => Object.fromEntries(answer.figures.map((figure) => [figure.measure, figure]));

// A window before that has next to no calls lies before the data: a change against it says nothing.
export const comparable = (figures) => figures.calls.previous > 0.02 * figures.calls.value;

// good: 1 when more is better, -1 when less is, 0 when neither.
export function delta(place, figure, good, isComparable) {
  const moved = isComparable && figure.change !== null && Math.abs(figure.change) >= 0.0005;
  setText(place, isComparable ? (figure.change === null && figure.previous === 0 && figure.value ? "▲ from 0" : format.change(figure.change)) : "");
  place.title = isComparable && figure.previous !== null ? `${format.byUnit(figure.unit)(figure.previous)} in the window before` : "";
  place.className = "delta" + (moved && good ? (Math.sign(figure.change) === good ? " good" : " bad") : "");
}

export function tile(name, figures, { good = 0, second = null } = {}) {
  const place = $(`[data-tile="${name}"]`);
  return { place, draw(measure, text) {
    const figure = figures[measure], known = comparable(figures);
    setText($(".value", place), format.byUnit(figure.unit)(figure.value));
    const beside = $(".first .delta", place), below = $(".then .delta", place);
    delta(beside, figure, good, known);
    setText($(".second", place), text ?? "");
    if (second) delta(below, figures[second], good, known);
    if (!known && figures.calls.value && name === "calls") {
      setText(beside, "none before");
      beside.title = "The window before has no calls, or next to none: there is nothing to compare with.";
    }
  } };
}
