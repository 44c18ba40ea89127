// What trials found, one below the other: counts, sizes, what changed, and how large nuclei are.

import { drawn, element, number } from "/static/build.js";
import { spoken, words } from "/static/setting_rows.js";

const OPEN = ["queued", "waiting", "running"];

export function isOpen(trial) {
  return OPEN.includes(trial.state);
}

export function named(trial, settings) {
  const parts = Object.entries(trial.settings).map(([name, value]) => `${words(name)} ${spoken(value, settings.find((one) => one.name === name))}`);
  return parts.join(", ") || "the same settings";
}

// The result that is stored, as the first card.
export function storedCard(figures, chosen, actions) {
  const what = figures ? summary(figures) : element("p", { class: "quiet" }, "as it is stored");
  return element("div", { class: "trial", "data-trial": "stored" }, element("div", { class: "head" }, pick("before", "stored", chosen, actions), element("b", {}, "this result")), what);
}

export function trialCard(trial, chosen, settings, actions) {
  const title = element("b", {}, named(trial, settings));
  const head = element("div", { class: "head" });
  const card = element("div", { class: "trial", "data-trial": trial.id, "data-state": trial.state }, head);
  if (trial.state === "done") {
    head.append(pick("before", trial.id, chosen, actions), pick("after", trial.id, chosen, actions), title);
    const against = trial.changes[String(chosen.before)] ? chosen.before : "stored";
    head.append(element("button", { class: "pick take", title: "move the sliders to these settings", "data-take": trial.id, onclick: () => actions.take(trial) }, "sliders here"));
    card.append(summary(trial.result), changes(trial.changes[String(against)]), sizes(trial.stored, trial.result));
    if (trial.doubt) card.append(element("p", { class: "doubt" }, trial.doubt));
    return card;
  }
  head.append(title);
  if (isOpen(trial)) {
    const said = { queued: "waits for the trial before", waiting: trial.text, running: trial.of ? `slice ${trial.done} of ${trial.of}` : trial.text }[trial.state];
    const progress = element("i");
    progress.style.width = `${trial.of ? (100 * trial.done) / trial.of : 3}%`;
    card.append(element("div", { class: "bar" }, progress), element("div", { class: "line" }, element("span", { class: "quiet" }, said), element("button", { onclick: () => actions.stop(trial) }, "stop")));
  } else card.append(element("p", { class: trial.state === "failed" ? "error" : "quiet" }, trial.text));
  return card;
}

function pick(which, id, chosen, actions) {
  const pressed = String(chosen[which] === id);
  const title = which === "before" ? "show its outlines in cyan" : "show its outlines in orange";
  return element("button", { class: `pick ${which}`, "aria-pressed": pressed, title, "data-pick": which, onclick: () => actions.pick(which, id) }, which);
}

export function summary(figures) {
  const middle = figures.diameter_p10_p50_p90;
  const size = middle[1] === null ? "" : `, diameter ${number(middle[1])} ${figures.unit} (${number(middle[0])} to ${number(middle[2])})`;
  const score = figures.score === null ? "" : `, score ${number(figures.score)}`;
  return element("div", { class: "figures" }, element("b", {}, `${figures.nuclei} nuclei`), `${size}${score}`);
}

export function changes(found) {
  if (!found) return null;
  const parts = [
    ["kept", "the same nucleus in both", found.kept],
    ["new", "nuclei where there was none", found.new],
    ["lost", "nuclei that are gone", found.lost],
    ["cut", "nuclei that have become several", found.cut],
    ["merged", "nuclei that several have become", found.merged],
  ];
  const chips = parts.filter(([name, , count]) => count || name === "kept").map(([name, title, count]) => element("span", { class: `chip ${name}`, title }, `${count} ${name}`));
  return element("div", { class: "chips" }, ...chips);
}

const WIDTH = 400;
const HEIGHT = 74;
const BINS = 32;

// How many nuclei have which diameter: before in cyan, after in orange.
export function sizes(before, after) {
  const all = [...before.diameters, ...after.diameters];
  if (all.length < 8) return null;
  const low = Math.min(...all);
  const high = Math.max(...all);
  if (!(high > low)) return null;
  const counted = [before, after].map((one) => {
    const bins = new Array(BINS).fill(0);
    const times = one.nuclei / Math.max(one.diameters.length, 1);
    for (const value of one.diameters) bins[Math.min(BINS - 1, Math.floor(((value - low) / (high - low)) * BINS))] += times;
    return bins;
  });
  const most = Math.max(...counted[0], ...counted[1]);
  const svg = drawn("svg", { viewBox: `0 0 ${WIDTH} ${HEIGHT}`, class: "sizes", role: "img", "aria-label": "distribution of diameters" });
  const floor = HEIGHT - 16;
  counted.forEach((bins, which) => {
    const points = bins.flatMap((count, i) => [[i, count], [i + 1, count]]).map(([x, count]) => `${((x * WIDTH) / BINS).toFixed(1)},${(floor - (count / most) * (floor - 4)).toFixed(1)}`);
    svg.append(drawn("polyline", { class: which ? "after" : "before", points: `0,${floor} ${points.join(" ")} ${WIDTH},${floor}` }));
  });
  svg.append(drawn("line", { class: "axis", x1: 0, x2: WIDTH, y1: floor, y2: floor }));
  for (const [share, anchor] of [[0, "start"], [0.5, "middle"], [1, "end"]]) {
    svg.append(drawn("text", { x: share * WIDTH, y: HEIGHT - 3, "text-anchor": anchor }, `${number(low + share * (high - low))}${share === 0.5 ? ` ${after.unit} diameter` : ""}`));
  }
  return svg;
}
