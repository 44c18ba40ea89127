// Courses over time: drag to zoom, double click to see all, click to go there.

import { drawn, element, number } from "/static/build.js";

const WIDTH = 440;
const HEIGHT = 170;
const EDGE = { left: 52, right: 10, top: 20, bottom: 26 };

// points: [{x, y, id}], gaps where x jumps; y null is a gap too.
export function chart(title, unit, points, { now = null, go = null, step = 1, say = String } = {}) {
  const known = points.filter((point) => typeof point.y === "number");
  const root = element("figure", { class: "chart" });
  root.style.margin = "0 0 .8rem";
  if (!known.length) {
    root.append(element("p", { class: "quiet" }, `${title}: nothing to show yet`));
    return root;
  }
  let span = [known[0].x, known[known.length - 1].x];
  const whole = [...span];
  const draw = () => root.replaceChildren(picture(title, unit, known, span, { now, go, step, say, zoom }));
  const zoom = (from, to) => {
    span = from === null ? [...whole] : [from, to];
    draw();
  };
  draw();
  return root;
}

function picture(title, unit, known, span, { now, go, step, say, zoom }) {
  const shown = known.filter((point) => point.x >= span[0] && point.x <= span[1]);
  const values = shown.map((point) => point.y);
  const low = Math.min(...values, Infinity);
  const high = Math.max(...values, -Infinity);
  const room = high > low ? (high - low) * 0.08 : Math.abs(high) * 0.1 || 1;
  const floor = low >= 0 ? Math.max(low - room, 0) : low - room;
  const roof = high + room;
  const across = (x) => EDGE.left + ((WIDTH - EDGE.left - EDGE.right) * (x - span[0])) / Math.max(span[1] - span[0], 1e-9);
  const up = (y) => HEIGHT - EDGE.bottom - ((HEIGHT - EDGE.top - EDGE.bottom) * (y - floor)) / (roof - floor);
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, role: "img", "aria-label": title });
  svg.append(drawn("text", { x: EDGE.left, y: 12 }, unit ? `${title} (${unit})` : title));
  const counts = values.every(Number.isInteger);
  for (const value of ticks(floor, roof, 4).filter((one) => !counts || Number.isInteger(one))) {
    svg.append(drawn("line", { class: "axis", x1: EDGE.left, x2: WIDTH - EDGE.right, y1: up(value), y2: up(value) }));
    svg.append(drawn("text", { x: EDGE.left - 5, y: up(value) + 4, "text-anchor": "end" }, number(value)));
  }
  for (const value of ticks(span[0], span[1], 6).filter(Number.isInteger)) {
    svg.append(drawn("text", { x: across(value), y: HEIGHT - 8, "text-anchor": "middle" }, say(value)));
  }
  svg.append(drawn("path", { class: "course", d: path(shown, across, up, step) }));
  if (shown.length < 150) {
    for (const point of shown) {
      const dot = drawn("circle", { class: "dot", cx: across(point.x), cy: up(point.y), r: 2.4 });
      dot.append(drawn("title", {}, `t = ${say(point.x)}: ${number(point.y)}${point.id ? `, ${point.id}` : ""}`));
      svg.append(dot);
    }
  }
  if (now !== null && now >= span[0] && now <= span[1]) {
    svg.append(drawn("line", { class: "now", x1: across(now), x2: across(now), y1: EDGE.top, y2: HEIGHT - EDGE.bottom }));
  }
  drag(svg, span, shown, go, zoom);
  return svg;
}

// A line that breaks where time points are absent.
function path(points, across, up, step) {
  return points
    .map((point, i) => {
      const joined = i > 0 && point.x - points[i - 1].x <= step;
      return `${joined ? "L" : "M"}${across(point.x).toFixed(1)} ${up(point.y).toFixed(1)}`;
    })
    .join("");
}

function drag(svg, span, shown, go, zoom) {
  let from = null;
  let mark = null;
  const place = (event) => {
    const box = svg.getBoundingClientRect();
    const x = ((event.clientX - box.left) / box.width) * WIDTH;
    const share = (x - EDGE.left) / (WIDTH - EDGE.left - EDGE.right);
    return { x, t: span[0] + Math.min(Math.max(share, 0), 1) * (span[1] - span[0]) };
  };
  svg.addEventListener("pointerdown", (event) => {
    from = place(event);
    mark = drawn("rect", { class: "select", x: from.x, y: EDGE.top, width: 0, height: HEIGHT - EDGE.top - EDGE.bottom });
    svg.append(mark);
    svg.setPointerCapture(event.pointerId);
  });
  svg.addEventListener("pointermove", (event) => {
    if (!from) return;
    const to = place(event);
    mark.setAttribute("x", Math.min(from.x, to.x));
    mark.setAttribute("width", Math.abs(to.x - from.x));
  });
  svg.addEventListener("pointerup", (event) => {
    if (!from) return;
    const to = place(event);
    mark.remove();
    const ends = [from.t, to.t].sort((a, b) => a - b);
    const far = Math.abs(to.x - from.x) > 8;
    from = null;
    if (far && ends[1] - ends[0] >= 2) zoom(Math.round(ends[0]), Math.round(ends[1]));
    else if (!far && go && shown.length) go(nearest(shown, to.t));
  });
  svg.addEventListener("dblclick", () => zoom(null, null));
}

function nearest(points, t) {
  return points.reduce((best, point) => (Math.abs(point.x - t) < Math.abs(best.x - t) ? point : best)).x;
}

export function ticks(low, high, count) {
  const rough = (high - low) / count;
  if (!(rough > 0)) return [low];
  const power = 10 ** Math.floor(Math.log10(rough));
  const step = [1, 2, 5, 10].map((one) => one * power).find((one) => one >= rough);
  const found = [];
  for (let value = Math.ceil(low / step) * step; value <= high + 1e-9 * step; value += step) found.push(Number(value.toPrecision(10)));
  return found;
}
