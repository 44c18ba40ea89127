// A training: its curves, what the best weights find, how good they are beside those in use, and using them.

import { order, tell, told } from "/static/api.js";
import { element, number } from "/static/build.js";
import { curves } from "/static/curves.js";
import { useWeights } from "/static/service_weights.js";

export function training(found, refresh) {
  const { losses, validations, scores, examples, begun, best } = found.progress;
  const steps = begun.steps || found.order.steps;
  const last = losses.length ? losses[losses.length - 1] : null;
  const bar = element("i");
  bar.style.width = `${last ? Math.min(100, (100 * last[0]) / steps) : 0}%`;
  const parts = [element("div", { class: "bar wide", role: "progressbar", "aria-label": "progress" }, bar)];
  if (!last && found.alive) parts.push(element("p", { class: "quiet" }, "Images and network are being loaded; the first step takes the longest."));
  if (last) parts.push(element("p", { class: "quiet" }, pace(last, begun, steps, best, found.state)));
  const left = element(
    "section",
    {},
    curves("loss", [
      { name: "on what it learns from", class: "one", points: losses.map(([x, y]) => [x, y]) },
      { name: "on images that it does not", class: "two", points: validations },
    ], steps),
    curves("nuclei found at IoU 0.5 (average precision)", [{ name: "on images that it does not learn from", class: "two", points: scores }], steps, [0, 1]),
  );
  const right = element("section", {}, ...pictures(found, examples), ...scored(found), ...use(found, best, refresh));
  parts.push(element("div", { class: "jobs" }, left, right), chosen(found));
  return parts;
}

function pace(last, begun, steps, best, state) {
  const here = last[0] - (begun.step || 0);
  const left = state === "running" && here > 3 ? ((steps - last[0]) * last[2]) / last[0] : null;
  const words = [`step ${last[0]} of ${steps}`, `${spoken(last[2])} so far`];
  if (left !== null && left > 1) words.push(`about ${spoken(left)} left`);
  if (best !== null) words.push(`best loss on other images ${number(best)}`);
  return words.join(", ");
}

function spoken(seconds) {
  if (seconds > 5400) return `${(seconds / 3600).toFixed(1)} h`;
  return seconds > 90 ? `${Math.round(seconds / 60)} min` : `${Math.round(seconds)} s`;
}

function pictures(found, examples) {
  if (!examples.length) return [element("p", { class: "quiet" }, "After each validation pictures appear here: what people drew, and what the weights find.")];
  const step = found.progress.scores.length ? found.progress.scores[found.progress.scores.length - 1][0] : 0;
  return [
    element("h2", {}, "Images that it does not learn from"),
    element("p", { class: "key" }, element("i", { class: "truth" }), "as people drew it", element("i", { class: "found" }), found.progress.runtime ? `as the weights find it, computed by ${found.progress.runtime}` : "as the weights find it"),
    element(
      "div",
      { class: "examples" },
      ...examples.map((one) =>
        element("figure", {}, element("img", { src: `/api/jobs/${found.id}/file/report/${one.picture}?step=${step}`, alt: `${one.name}: both outlines` }), element("figcaption", {}, `${one.name}: ${number(one.score)}`)),
      ),
    ),
  ];
}

function scored(found) {
  if (!found.scores) {
    const held = found.order.held_out;
    return held ? [] : [element("p", { class: "quiet" }, "No image was held out, so the new weights are not compared with those in use.")];
  }
  const rows = found.scores.rows.map((row) => {
    const known = row.new !== null && row.present !== null && row.new !== row.present;
    const better = known && row.new > row.present === (row.better === "higher");
    return element(
      "tr",
      {},
      element("td", { class: "words" }, row.measure, row.better === "lower" ? element("small", {}, " (less is better)") : null),
      element("td", { class: known ? (better ? "better" : "worse") : null }, number(row.new)),
      element("td", {}, number(row.present)),
    );
  });
  const head = element("tr", {}, element("th", {}, ""), element("th", {}, found.order.name), element("th", {}, found.order.compared_with));
  const count = found.scores.images ?? found.order.held_out;
  return [element("h2", {}, `Score on the ${count === 1 ? "image" : `${count} images`} held out`), element("table", { class: "scores" }, head, ...rows)];
}

function use(found, best, refresh) {
  if (found.alive || best === null) return [];
  const name = element("input", { type: "text", value: found.order.name, "aria-label": "name of the weights", spellcheck: "false" });
  const answer = element("p", { class: "quiet" });
  const own = () => name.value.trim();
  const say = (said) => (answer.textContent = said);
  const using = element("button", { class: "main", "data-act": "use-weights", onclick: () => useWeights(`Use ${own()} from now on?`, { job: found.id, name: own() }, say) }, "use these weights …");
  const keep = element("button", { "data-act": "keep-weights", title: "under this name, for predictions and later", onclick: () => told(kept()) }, "only keep them");
  async function kept() {
    const { said } = await order("/api/orders/keep-weights", { job: found.id, name: own() });
    name.blur();
    tell(said, "good");
    say(said);
  }
  return [element("h2", {}, "Use them"), element("div", { class: "row" }, name, using, keep), answer];
}

// What was given otherwise than usual stands there, the rest is folded.
function chosen(found) {
  const { changed = [], ...order } = found.order;
  const rows = Object.entries(order).filter(([name]) => name !== "name");
  const told = (pairs) => element("dl", { class: "facts" }, ...pairs.flatMap(([name, value]) => [element("dt", {}, name.replaceAll("_", " ")), element("dd", {}, String(value))]));
  const other = rows.filter(([name]) => changed.includes(name));
  const usual = rows.filter(([name]) => !changed.includes(name));
  const rest = element("details", {}, element("summary", {}, other.length ? "all else, as usual" : "what was ordered"), told(usual));
  return element("section", {}, other.length ? element("h2", {}, "What was ordered") : null, other.length ? told(other) : null, rest);
}
