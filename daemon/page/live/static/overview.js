// All acquisitions, how the service is, and what was set aside.

import { ask, order, tell, told } from "/static/api.js";
import { element, number } from "/static/build.js";

export function overview(main) {
  let ended = false;
  let under = false;
  let again = false;

  async function refresh() {
    if (under) {
      again = true;
      return;
    }
    under = true;
    const found = await told(ask("/api/overview"));
    under = false;
    if (ended) return;
    if (found) main.replaceChildren(...shown(found));
    if (again) {
      again = false;
      refresh();
    }
  }

  return { go: refresh, changed: refresh, end: () => (ended = true) };
}

function shown(found) {
  const parts = [verdict(found)];
  const list = found.acquisitions;
  parts.push(element("h2", {}, list.length === 1 ? "1 acquisition" : `${list.length} acquisitions`));
  parts.push(
    list.length
      ? element("div", { class: "cards" }, ...list.map((one) => card(one, found.read_only)))
      : element("p", { class: "quiet" }, "Nothing has arrived yet. What lands in a watched folder appears here by itself."),
  );
  if (found.problems.length) parts.push(element("h2", {}, "Problems, the latest first"), problems(found.problems));
  parts.push(element("h2", {}, "Status"), element("div", { class: "status" }, found.lines.join("\n")));
  return parts;
}

function verdict(found) {
  const queue = found.queue;
  const runs = found.service.runs;
  const free = ((found.service.report || {}).roots || []).map((root) => root.free_bytes).filter((bytes) => bytes !== null);
  const tiles = [
    tile(runs ? "runs" : found.service.report ? found.service.state : "none", "service", runs ? "good" : found.service.report ? "bad" : ""),
    tile(queue.keeps_up === null ? "-" : queue.keeps_up ? "yes" : "NO", "keeps up", queue.keeps_up === false ? "bad" : "good"),
    tile(number(queue.waiting + queue.running), "time points waiting"),
    tile(queue.lag_p50_s === null ? "-" : `${number(Math.round(queue.lag_p50_s))} s`, "lag (median)"),
    tile(number(queue.failed), "failed", queue.failed ? "bad" : ""),
  ];
  if (free.length) tiles.push(tile(`${number(Math.min(...free) / 1e9)} GB`, "free on the results' disk"));
  return element("div", { class: "verdict" }, ...tiles);
}

function tile(value, name, kind = "") {
  return element("div", { class: kind }, element("b", {}, value), element("span", {}, name));
}

function card(one, readOnly) {
  const done = one.timepoints_done || 0;
  const total = Math.max(one.size_t || 0, done);
  const link = `#/a/${one.id}`;
  const thumb = element("div", { class: "thumb" });
  if (one.last_t !== null && one.last_t !== undefined) {
    thumb.append(element("img", { alt: `${one.name}, labels over image`, loading: "lazy", src: `/api/acquisitions/${one.id}/thumbnail.png?t=${one.last_t}` }));
  } else thumb.append("no image yet");
  const progress = element("i");
  progress.style.width = `${total ? (100 * done) / total : 0}%`;
  const text = element(
    "div",
    { class: "text" },
    element("div", { class: "name" }, one.name),
    element("div", { class: "numbers", title: one.meaning }, `${one.state.replaceAll("_", " ")}, ${done} of ${total} time points`),
    element("div", { class: "bar" }, progress),
    element("div", { class: "numbers" }, `${number(one.nuclei_count)} detections, ${number(one.tracks_count)} tracks, ${number(one.divisions)} divisions`),
  );
  if (one.error) text.append(element("div", { class: "error" }, one.error));
  const made = element("div", { class: "card", "data-acquisition": one.id }, element("a", { href: link }, thumb, text));
  if (one.error && !readOnly) made.append(retry(one));
  return made;
}

function retry(one) {
  const press = element("button", { onclick: () => confirmed(press, () => told(again(one))) }, "retry");
  return element("div", { class: "text" }, press);
}

async function again(one) {
  const answer = await order("/api/orders/retry", { acquisition: one.id });
  tell(answer.queued_again.length ? `${one.name} is queued again.` : `Of ${one.name} nothing was set aside.`);
}

// The first press asks, the second one within five seconds does it.
function confirmed(button, action) {
  if (button.dataset.asks) {
    delete button.dataset.asks;
    button.textContent = "retry";
    action();
    return;
  }
  button.dataset.asks = "1";
  button.textContent = "really? press again";
  setTimeout(() => {
    if (button.dataset.asks) {
      delete button.dataset.asks;
      button.textContent = "retry";
    }
  }, 5000);
}

function problems(list) {
  const rows = list.map((one) =>
    element(
      "tr",
      {},
      element("td", {}, one.at.slice(0, 19).replace("T", " ")),
      element("td", { class: "words" }, one.t === null ? one.acquisition : `${one.acquisition}, t = ${one.t}`),
      element("td", { class: "words" }, one.reason),
    ),
  );
  return element("div", { class: "pane" }, element("table", {}, ...rows));
}
