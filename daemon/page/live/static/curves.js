// Courses over the steps of a training: several lines in one picture, with their names.

import { drawn, element, number } from "/static/build.js";
import { ticks } from "/static/charts.js";

const WIDTH = 560;
const HEIGHT = 220;
const EDGE = { left: 52, right: 12, top: 14, bottom: 30 };

// lines: [{name, class, points: [[x, y]]}]
export function curves(title, lines, last, range = null) {
  const root = element("figure", { class: "chart curves", "data-curves": title });
  const key = element("figcaption", { class: "key" }, element("b", {}, title), ...lines.flatMap((line) => [element("i", { class: line.class }), line.name]));
  const all = lines.flatMap((line) => line.points.map(([, y]) => y));
  root.append(key);
  if (!all.length) {
    root.append(element("p", { class: "quiet" }, "nothing to show yet"));
    return root;
  }
  const [low, high] = range || bounds(all);
  const across = (x) => EDGE.left + ((WIDTH - EDGE.left - EDGE.right) * x) / Math.max(last, 1);
  const up = (y) => HEIGHT - EDGE.bottom - ((HEIGHT - EDGE.top - EDGE.bottom) * (y - low)) / (high - low || 1);
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title });
  for (const value of ticks(low, high, 4)) {
    svg.append(drawn("line", { class: "axis", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: up(value), y2: up(value) }));
    svg.append(drawn("text", { x: EDGE.left - 6, y: up(value) + 4, "text-anchor": "end" }, number(value)));
  }
  for (const value of ticks(0, last, 6).filter(Number.isInteger)) svg.append(drawn("text", { x: across(value), y: HEIGHT - 12, "text-anchor": "middle" }, String(value)));
  svg.append(drawn("text", { x: EDGE.left - 14, y: HEIGHT - 12, "text-anchor": "end" }, "step"));
  for (const line of lines) {
    svg.append(drawn("path", { class: `course ${line.class}`, d: line.points.map(([x, y], i) => `${i ? "L" : "M"}${across(x).toFixed(1)} ${up(y).toFixed(1)}`).join("") }));
    if (line.points.length < 60) {
      for (const [x, y] of line.points) {
        const dot = drawn("circle", { class: `dot ${line.class}`, cx: across(x), cy: up(y), r: 2.6 });
        dot.append(drawn("title", {}, `step ${x}: ${number(y)}, ${line.name}`));
        svg.append(dot);
      }
    }
  }
  root.append(svg);
  return root;
}

function bounds(values) {
  const low = Math.min(...values);
  const high = Math.max(...values);
  const room = (high - low) * 0.08 || Math.abs(high) * 0.1 || 1;
  return [Math.max(0, low - room), high + room];
}
