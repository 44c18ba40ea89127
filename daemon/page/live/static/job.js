// One job: how far it is, what it found, and what can be done with it.

import { ask, order, tell, told } from "/static/api.js";
import { element, number } from "/static/build.js";
import { badge } from "/static/job_list.js";
import { training } from "/static/training.js";

const LOOK_MS = 1000;

export function job(main, id) {
  let timer = null;
  let ended = false;
  let before = "";

  async function refresh() {
    clearTimeout(timer);
    const found = await told(ask(`/api/jobs/${id}`));
    if (ended || !found) return;
    const now = JSON.stringify(found);
    if (now !== before && !main.contains(typing())) main.replaceChildren(...shown(found, refresh));
    before = main.contains(typing()) ? "" : now;
    clearTimeout(timer);
    if (found.alive || !before) timer = setTimeout(refresh, LOOK_MS);
  }

  // What a person is writing is not taken from under their hands.
  function typing() {
    const at = document.activeElement;
    return at && at.tagName === "INPUT" && main.contains(at) ? at : null;
  }

  return {
    go: refresh,
    changed: refresh,
    end: () => {
      ended = true;
      clearTimeout(timer);
    },
  };
}

function shown(found, refresh) {
  const back = found.kind === "train" ? ["#/train", "all trainings"] : ["#/predict", "all predictions"];
  const head = [
    element("a", { href: back[0] }, `‹ ${back[1]}`),
    element("div", { class: "jobhead" }, element("h1", {}, found.title), badge(found), element("span", { class: "quiet" }, found.summary)),
    element("p", { class: found.state === "failed" || found.state === "died" ? "error" : "quiet" }, found.why || found.meaning),
    element("div", { class: "row" }, ...buttons(found, refresh)),
  ];
  return [...head, ...(found.kind === "train" ? training(found, refresh) : prediction(found)), log(found)];
}

function buttons(found, refresh) {
  const act = (what, words, values = {}) => element("button", { "data-act": what, onclick: () => told(done(what, { ...values, job: found.id }, refresh)) }, words);
  const made = [];
  if (found.alive && found.state !== "stopping") made.push(act("stop-job", "stop"));
  if (["stopped", "died", "failed"].includes(found.state)) made.push(act("resume-job", "go on"));
  const train = found.steps.indexOf("train");
  if (["stopped", "died"].includes(found.state) && found.kind === "train" && found.step === train && train + 1 < found.steps.length && found.progress.best !== null) {
    made.push(act("resume-job", "leave it there, and score it", { step: train + 1 }));
  }
  if (found.files.length) made.push(element("a", { class: "button", href: `/api/jobs/${found.id}/results.zip`, download: "" }, "download everything (ZIP)"));
  if (!found.alive) made.push(remove(found));
  return made;
}

async function done(what, values, refresh) {
  const answer = await order(`/api/orders/${what}`, values);
  tell(answer.said);
  if (what === "remove-job") history.back();
  else refresh();
}

// The first press asks, the second one within five seconds does it.
function remove(found) {
  const button = element("button", {
    "data-act": "remove-job",
    onclick: () => {
      if (button.dataset.asks) {
        told(done("remove-job", { job: found.id }, () => {}));
        return;
      }
      button.dataset.asks = "1";
      button.textContent = "really? uploads and results go too";
      setTimeout(() => {
        delete button.dataset.asks;
        button.textContent = "remove";
      }, 5000);
    },
  }, "remove");
  button.title = `kept in ${found.folder}`;
  return button;
}

function prediction(found) {
  const images = found.progress.images;
  const total = found.order.count || images.length;
  const finished = images.filter((one) => one.state !== "at work").length;
  const part = found.progress.slices.of ? found.progress.slices.done / found.progress.slices.of : 0;
  const bar = element("i");
  bar.style.width = `${total ? Math.min(100, (100 * (finished + part)) / total) : 0}%`;
  const parts = [element("div", { class: "bar wide", role: "progressbar", "aria-label": "progress" }, bar)];
  if (!images.length && found.alive) parts.push(element("p", { class: "quiet" }, "The network is being loaded."));
  parts.push(element("div", { class: "cards" }, ...images.map((one) => card(found, one))));
  parts.push(chosen(found));
  return parts;
}

function card(found, one) {
  const text = element("div", { class: "text" }, element("div", { class: "name" }, one.name));
  const made = element("div", { class: "card", "data-image": one.name });
  if (one.state === "done") {
    const picture = `/api/jobs/${found.id}/file/report/${encodeURIComponent(one.picture)}`;
    made.append(element("a", { class: "thumb", href: picture, target: "_blank", rel: "noopener" }, element("img", { src: picture, alt: `${one.name} with outlines`, loading: "lazy" })));
    const size = one.diameter === null ? "" : `, median diameter ${number(one.diameter)} ${one.unit}`;
    const points = one.time_points > 1 ? ` in ${one.time_points} time points` : "";
    text.append(
      element("div", { class: "numbers" }, `${one.nuclei} ${one.nuclei === 1 ? "nucleus" : "nuclei"}${points}${size}`),
      element("div", { class: "row" }, link(found, "labels", one.labels, "labels"), link(found, "report", one.table, "table")),
    );
  } else {
    const slices = found.progress.slices;
    const words = one.state === "failed" ? one.why : slices.of ? `slice ${slices.done} of ${slices.of}` : "at work";
    made.append(element("div", { class: "thumb" }, one.state === "failed" ? "not segmented" : "…"));
    text.append(element("div", { class: one.state === "failed" ? "error" : "numbers" }, words));
  }
  made.append(text);
  return made;
}

function link(found, place, name, words) {
  return element("a", { class: "button", href: `/api/jobs/${found.id}/file/${place}/${encodeURIComponent(name)}`, download: "" }, words);
}

function chosen(found) {
  const { weights, settings = {}, voxel_size_um: voxel, channel } = found.order;
  const rows = [["weights", weights], ["voxel size", voxel], ["channel", channel], ...Object.entries(settings)].filter(([, value]) => value !== "" && value !== undefined);
  return element("dl", { class: "facts" }, ...rows.flatMap(([name, value]) => [element("dt", {}, name), element("dd", {}, String(value))]));
}

function log(found) {
  const text = element("div", { class: "status" });
  const made = element("details", { ontoggle: () => made.open && told(ask(`/api/jobs/${found.id}/log`).then((answer) => (text.textContent = answer.text || "nothing yet"))) }, element("summary", {}, "what the commands wrote"), text);
  return made;
}
