// How the service is, what needs a person, all acquisitions, folders, and who changed what.

import { ask, told } from "/static/api.js";
import { element, grouped, number, spoken, when } from "/static/build.js";
import { compareSizes } from "/static/distribution.js";
import { aside, submit, takeFile } from "/static/orders.js";
import { rules } from "/static/rules.js";

export function overview(main) {
  let ended = false;
  let under = false;
  let again = false;
  const cards = new Map();
  const lines = element("pre");
  const status = element("details", { class: "status" }, element("summary", {}, "Status, as `nusetd status` tells it"), lines);

  async function refresh() {
    if (under) {
      again = true;
      return;
    }
    under = true;
    const found = await told(ask("/api/overview"));
    under = false;
    if (ended) return;
    if (found) {
      lines.textContent = found.lines.join("\n");
      main.replaceChildren(...shown(found, cards), status);
    } else if (!main.querySelector(".verdict")) main.replaceChildren(element("p", { class: "error" }, "The overview cannot be read now; it comes by itself when it can."));
    if (again) {
      again = false;
      refresh();
    }
  }

  return { go: refresh, changed: refresh, end: () => (ended = true) };
}

function shown(found, cards) {
  const report = found.service.report || {};
  const list = found.acquisitions;
  return [
    verdict(found, report),
    alarms(found, report),
    attention(found),
    element("h2", {}, list.length === 1 ? "1 acquisition" : `${list.length} acquisitions`, found.read_only || !found.service.runs ? null : takeFile(), list.some((one) => one.nuclei_count) ? compareSizes(list) : null),
    list.length ? element("div", { class: "cards" }, ...list.map((one) => kept(cards, one))) : nothing(found, report),
    found.older ? element("p", { class: "quiet" }, `${counted(found.older, "older acquisition")} not shown: \`nusetd acquisitions\` tells of all.`) : null,
    others(found),
    folders(found, report),
    rules(found),
    record(found),
  ].filter(Boolean);
}

function nothing(found, report) {
  const roots = report.roots || [];
  const sentence = !found.service.runs
    ? "Nothing has arrived, and no service runs: `nusetd run --config FILE` watches folders, `nusetd process FOLDER` takes what is there."
    : `Nothing has arrived yet. What lands in ${roots.map((root) => root.path).join(", ") || "a watched folder"} appears here by itself.`;
  return element("p", { class: "empty" }, sentence);
}

function verdict(found, report) {
  const { queue, service } = found;
  const state = service.runs ? "good" : service.report && service.state !== "stopped" ? "bad" : "";
  const pace = service.runs ? queue.keeps_up : null;
  const roots = (report.roots || []).filter((root) => root.free_bytes !== null && root.free_bytes !== undefined);
  const tiles = [
    tile(service.runs ? (service.state === "running" ? "runs" : service.state) : !service.report ? "none" : service.state === "stopped" ? "stopped" : "ended", "service", state, service.runs ? `nusetd ${report.version}` : !service.report ? "no service ever worked on this database" : service.state === "stopped" ? "as somebody asked; `nusetd run` starts it again" : service.state),
    tile(pace === null ? "-" : pace ? "yes" : "NO", "keeps up", pace === null ? "" : pace ? "good" : "bad", queue.verdict.replace(/^(yes|no): /, "")),
    tile(grouped(queue.waiting + queue.running), "time points waiting", "", queue.oldest_waiting_s === null ? "" : `the oldest for ${spoken(queue.oldest_waiting_s)}`),
    tile(queue.lag_p50_s === null ? "-" : spoken(queue.lag_p50_s), "until a result is there", "", queue.lag_p95_s === null ? "" : `95 of 100 within ${spoken(queue.lag_p95_s)}`),
    tile(grouped(queue.done), "time points done", "", queue.done_last_hour ? `${queue.done_last_hour} in the last hour` : ""),
    tile(grouped(queue.failed), "failed", queue.failed ? "bad" : ""),
  ];
  if (service.runs && (report.workers || []).length > 1) tiles.push(workers(report.workers));
  if (roots.length) tiles.push(disk(roots));
  return element("div", { class: "verdict" }, ...tiles);
}

function workers(all) {
  const busy = all.filter((one) => one.state === "works");
  const others = [["starts", "loading the network"], ["waits", "not started"], ["idle", "at rest"]].map(([state, words]) => [all.filter((one) => one.state === state).length, words]);
  const more = [...busy.map((one) => `${one.working_on}, for ${spoken(one.seconds)}`), ...others.filter(([count]) => count).map(([count, words]) => `${count} ${words}`)];
  return tile(`${busy.length} of ${all.length}`, "workers at work", "", more.slice(0, 6).join("; "));
}

function disk(roots) {
  const least = roots.reduce((best, root) => ((root.free_hours ?? Infinity) < (best.free_hours ?? Infinity) || (root.free_hours === best.free_hours && root.free_bytes < best.free_bytes) ? root : best));
  const free = `${Number((least.free_bytes / 1e9).toPrecision(3))} GB`;
  if (least.free_hours === null || least.free_hours === undefined) return tile(free, "free for results", "", "no forecast: it does not shrink now");
  return tile(`until ${when(new Date(Date.now() + 3600e3 * least.free_hours).toISOString())}`, "the disk lasts", least.free_hours < 12 ? "bad" : "good", `${free} free, enough for ${spoken(3600 * least.free_hours)} at the present rate`);
}

function tile(value, name, kind = "", more = "") {
  return element("div", { class: kind }, element("b", {}, value), element("span", {}, name), more ? element("small", {}, more) : null);
}

// What is wrong now, then what was alerted lately.
function alarms(found, report) {
  const now = [...(found.service.troubles || []).map((text) => `Results are not stored or not shown now. ${text}`)];
  for (const root of report.roots || []) if (!root.online && found.service.runs) now.push(`${root.path} cannot be reached since ${when(root.since)}: nothing new is found in it.`);
  if (report.config_error) now.push(`The changed configuration is not in use: ${report.config_error}`);
  if (report.error) now.push(`The service ended: ${report.error}`);
  const latest = (report.latest_alerts || []).slice(0, 5);
  if (!now.length && !latest.length) return null;
  const parts = [];
  if (now.length) parts.push(element("div", { class: "alarm", role: "alert" }, ...now.map((text) => element("p", {}, text))));
  if (latest.length) {
    const rows = latest.map((one) => element("tr", {}, moment(one.at), element("td", { class: "moment" }, one.kind.replaceAll("_", " ")), element("td", { class: "words" }, one.message)));
    parts.push(element("h2", {}, "Alerts, the latest first"), element("div", { class: "pane" }, element("table", { class: "wide" }, ...rows)));
  }
  return element("section", {}, ...parts);
}

function attention(found) {
  const { rows, more } = found.set_aside;
  if (!rows.length) return null;
  return element(
    "section",
    {},
    element("h2", {}, `Set aside: ${rows.length}${more ? " and more" : ""} need${rows.length === 1 && !more ? "s" : ""} a person`),
    element("div", { class: "aside" }, ...rows.map((one) => aside(one, found.read_only))),
  );
}

// Cards that did not change stay as they are, with their pictures.
function kept(cards, one) {
  const said = JSON.stringify(one);
  const before = cards.get(one.id);
  if (before && before.said === said) return before.made;
  const made = card(one);
  cards.set(one.id, { said, made });
  return made;
}

function card(one) {
  const done = one.timepoints_done || 0;
  const total = Math.max(one.size_t || 0, done);
  const thumb = element("div", { class: "thumb" });
  if (one.last_t !== null && one.last_t !== undefined) {
    thumb.append(element("img", { alt: `${one.name}, labels over image`, loading: "lazy", src: `/api/acquisitions/${one.id}/thumbnail.png?t=${one.last_t}` }));
  } else thumb.append(one.state === "set_aside" ? "set aside" : "no image yet");
  const progress = element("i");
  progress.style.width = `${total ? (100 * done) / total : 0}%`;
  const text = element(
    "div",
    { class: "text" },
    element("div", { class: "name" }, one.name),
    element("div", { class: "numbers", title: one.meaning }, element("span", { class: `state ${one.state}` }, one.state.replaceAll("_", " ")), ` ${done} of ${total} time points`),
    element("div", { class: "bar" }, progress),
    element("div", { class: "numbers" }, `${counted(one.nuclei_count, "detection")}, ${counted(one.tracks_count, "track")}, ${counted(one.divisions, "division")}`),
  );
  if (one.error && one.state !== "set_aside") text.append(element("div", { class: "error" }, one.error));
  return element("div", { class: "card", "data-acquisition": one.id }, element("a", { href: `#/a/${one.id}` }, thumb, text));
}

function counted(count, word) {
  return `${grouped(count)} ${word}${count === 1 ? "" : "s"}`;
}

// Problems of what goes on by itself, and doubts: what is set aside stands above.
function others(found) {
  const known = new Set(found.set_aside.rows.map((one) => one.name));
  const problems = found.problems.filter((one) => !known.has(one.acquisition));
  const rows = problems.map((one) => element("tr", {}, moment(one.at), element("td", { class: "words" }, one.t === null ? one.acquisition : `${one.acquisition}, t = ${one.t}`), element("td", { class: "words" }, one.reason)));
  rows.push(...found.doubts.map((one) => element("tr", {}, element("td", { class: "moment quiet" }, "doubt"), element("td", { class: "words" }, one.acquisition), element("td", { class: "words" }, one.reason, " ", corrected(found, one.acquisition)))));
  if (!rows.length) return null;
  return element("section", {}, element("h2", {}, "Problems and doubts"), element("div", { class: "pane" }, element("table", { class: "wide" }, ...rows)));
}

function corrected(found, name) {
  const one = found.acquisitions.find((other) => other.name === name);
  return one && !found.read_only ? submit(one) : "";
}

function folders(found, report) {
  const roots = report.roots || [];
  if (!roots.length) return null;
  const rows = roots.map((root) =>
    element(
      "tr",
      {},
      element("td", { class: "words" }, root.path),
      element("td", { class: `moment ${root.online ? "good" : "bad"}` }, `${found.service.runs ? "" : "was "}${root.online ? "online" : "OFFLINE"} since ${when(root.since)}`),
      element("td", { class: "words" }, root.settling ? `${counted(root.settling, "file")} not whole yet` : ""),
      element("td", { class: "words" }, `results in ${root.output}`),
    ),
  );
  return element("section", {}, element("h2", {}, "Watched folders"), element("div", { class: "pane" }, element("table", { class: "wide" }, ...rows)));
}

function record(found) {
  const rows = found.changes.map((one) =>
    element(
      "tr",
      {},
      moment(one.at),
      element("td", { class: "moment" }, one.who),
      element("td", { class: "words" }, `${one.what} ${one.subject}${said(one.facts)}`),
      element("td", { class: `words ${one.accepted === false ? "bad" : ""}` }, one.outcome || (one.accepted === null ? "not answered yet" : "done")),
    ),
  );
  if (!rows.length) return null;
  return element("section", {}, element("h2", {}, "Who changed what, the latest first"), element("div", { class: "pane" }, element("table", { class: "wide", "data-record": true }, ...rows)));
}

function said(facts) {
  const given = parts(facts);
  return given.length ? ` (${given.join(", ")})` : "";
}

// What was given; what was left empty is not told.
function parts(facts) {
  return Object.entries(facts).flatMap(([name, value]) => {
    if (value === null || value === "") return [];
    if (typeof value === "object" && !Array.isArray(value)) return parts(value);
    return [`${name.replaceAll("_", " ")} ${value}`];
  });
}

function moment(at) {
  return element("td", { class: "moment quiet", title: at }, when(at));
}
