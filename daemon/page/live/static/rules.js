// Rules for the microscope, and what they sent, the latest first.

import { element, number, when } from "/static/build.js";

const STATES = { due: "on its way", sent: "arrived", void: "void: too late", failed: "did not arrive" };

export function rules(found) {
  if (!found.rules.length && !found.sent.length) return null;
  const told = found.rules.map((one) => element("tr", {}, cell(one.name), words(`${one.over} where ${one.where}`), words(one.actions.map((name) => `${name} ${one[name]}`).join(", "))));
  const sent = found.sent.map((one) =>
    element(
      "tr",
      { title: one.outcome || "" },
      element("td", { class: "moment quiet", title: one.committed_at }, when(one.committed_at)),
      cell(one.rule),
      words(`${one.acquisition || "forgotten"}, t = ${one.source_t}${one.label === null ? "" : `, nucleus ${one.label}`}${one.track_id === null ? "" : ` of track ${one.track_id}`}`),
      words(offset(one)),
      element("td", { class: `words ${one.state === "void" || one.state === "failed" ? "bad" : ""}` }, `${one.action} ${STATES[one.state]}${one.state === "due" && one.outcome ? `: ${one.outcome}` : ""}`),
    ),
  );
  return element(
    "section",
    { "data-rules": true },
    element("h2", {}, "Rules for the microscope"),
    told.length ? element("div", { class: "pane" }, element("table", { class: "wide" }, ...told)) : null,
    sent.length ? element("div", { class: "pane" }, element("table", { class: "wide" }, ...sent)) : element("p", { class: "quiet" }, "They have sent nothing yet."),
  );
}

function offset(one) {
  const parts = ["z", "y", "x"].map((axis) => one[`offset_${axis}_um`]);
  return parts.includes(null) ? "" : `z ${number(parts[0])}, y ${number(parts[1])}, x ${number(parts[2])} \u00b5m`;
}

function cell(text) {
  return element("td", { class: "moment" }, text);
}

function words(text) {
  return element("td", { class: "words" }, text);
}
