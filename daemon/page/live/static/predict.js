// Predict: images that are dropped or lie in a folder of the server, weights and settings; and the jobs so far.

import { ask, order, tell, told } from "/static/api.js";
import { element } from "/static/build.js";
import { field, numberInput, values, weightsChoice } from "/static/job_fields.js";
import { folderField } from "/static/job_files.js";
import { jobList } from "/static/job_list.js";
import { words } from "/static/setting_rows.js";
import { size, upload } from "/static/uploading.js";

// The settings of the first row; the others follow below.
const FIRST = [
  "segmentation.min_score", "segmentation.seed_score", "segmentation.nms_iou", "segmentation.nucleus_diameter_px",
  "segmentation.min_area_fraction", "segmentation.watershed", "volume.min_diameter_um", "volume.max_diameter_um",
];

const SHORT = { "segmentation.nucleus_diameter_px": "measured", "volume.min_diameter_um": "any", "volume.max_diameter_um": "any" };

export function predict(main) {
  const view = { ended: false, files: [], list: null };
  main.replaceChildren(element("p", { class: "quiet" }, "loading"));
  const ready = told(ask("/api/jobs/choices")).then((choices) => {
    if (!choices || view.ended) return;
    build(main, view, choices);
  });
  return {
    go: () => ready.then(() => view.list && view.list.refresh()),
    changed: () => view.list && view.list.refresh(),
    end: () => {
      view.ended = true;
      if (view.list) view.list.end();
    },
  };
}

function build(main, view, choices) {
  const drop = dropZone(view, choices);
  const folder = folderField("or a folder of the server", "All images in it and in the folders inside; nothing is written there.");
  const weights = weightsChoice("weights", choices.models, "weights", "");
  const voxel = field("voxel size", element("input", { type: "text", name: "voxel_size_um", placeholder: "as the files say" }), "Z, Y, X as in 2.0,0.3,0.3; needed for stacks that do not say it", "µm");
  const channel = field("channel with the nuclei", element("input", { type: "text", name: "channel", placeholder: "found by name, or by looking" }), "its number from 0, or its name");
  const settings = choices.settings.map((one) => setting(one));
  const first = FIRST.map((name) => settings.find((one) => one.name === name)).filter(Boolean);
  const others = settings.filter((one) => !FIRST.includes(one.name));
  const start = element("button", { class: "main", onclick: () => told(begin()) }, "Find nuclei");
  const progress = element("p", { class: "quiet", role: "status" });

  async function begin() {
    const chosen = { weights: weights.select.value, ...values([...voxel.querySelectorAll("input"), ...channel.querySelectorAll("input")]) };
    chosen.settings = Object.assign({}, ...settings.map((one) => one.given()));
    if (!view.files.length && !folder.value()) {
      tell("Drop images, or name a folder of the server.");
      return;
    }
    start.disabled = true;
    try {
      if (view.files.length) chosen.job = await uploaded();
      else chosen.folder = folder.value();
      const answer = await order("/api/orders/predict", chosen);
      location.hash = `#/job/${answer.job}`;
    } finally {
      start.disabled = false;
      progress.textContent = "";
    }
  }

  async function uploaded() {
    const { job } = await order("/api/orders/draft", {});
    const files = [...view.files];
    for (const [at, file] of files.entries()) {
      await upload(job, file, (share) => {
        progress.textContent = `${file.name}: ${Math.round(100 * share)} %, image ${at + 1} of ${files.length}`;
      });
    }
    return job;
  }

  view.list = jobList("predict", "No image was predicted yet.");
  const form = element(
    "section",
    { class: "jobform" },
    element("h2", {}, "1  Images"),
    drop,
    folder.root,
    element("h2", {}, "2  Weights"),
    weights.root,
    element("h2", {}, "3  Settings, where the results need others"),
    element("div", { class: "fields" }, voxel, channel, ...first.map((one) => one.root)),
    element("details", {}, element("summary", {}, "all other settings"), element("div", { class: "fields" }, ...others.map((one) => one.root))),
    element("div", { class: "row act" }, start, progress),
  );
  main.replaceChildren(element("div", { class: "jobs" }, form, element("section", {}, element("h2", {}, "Predictions"), view.list.root)));
}

function dropZone(view, { upload_mb: most, upload_files: count, kept_mb: kept }) {
  const list = element("ul", { class: "given" });
  const picker = element("input", { type: "file", multiple: true, "aria-label": "images to upload", onchange: () => add([...picker.files]) });
  const zone = element(
    "div",
    { class: "drop" },
    element("b", {}, "Drop images here"),
    element("label", {}, "or choose them: ", picker),
    element("small", {}, `TIFF, OME-TIFF, CZI, LSM, ND2, LIF, OIB, OIR, STK, Imaris, PNG, JPEG; at most ${count} files, ${most} MB with those of former jobs (${Math.round(kept)} MB are there)`),
    list,
  );
  for (const name of ["dragenter", "dragover"]) {
    zone.addEventListener(name, (event) => {
      event.preventDefault();
      zone.classList.add("over");
    });
  }
  zone.addEventListener("dragleave", () => zone.classList.remove("over"));
  zone.addEventListener("drop", (event) => {
    event.preventDefault();
    zone.classList.remove("over");
    add([...event.dataTransfer.files]);
  });

  function add(files) {
    const all = [...view.files, ...files];
    const bytes = all.reduce((sum, file) => sum + file.size, 0);
    if (all.length > count) tell(`At most ${count} images are taken at once: order the rest afterwards, or name a folder of the server.`);
    else if (bytes / 1e6 + kept > most) tell(`These are ${size(bytes)}, and ${most} MB are kept of uploads in all (${Math.round(kept)} MB are there): remove old jobs, or name a folder of the server.`);
    else view.files = all;
    show();
    picker.value = "";
  }

  function show() {
    list.replaceChildren(
      ...view.files.map((file, i) =>
        element("li", {}, `${file.name}, ${size(file.size)} `, element("button", { type: "button", title: "leave it out", "aria-label": `leave out ${file.name}`, onclick: () => remove(i) }, "×")),
      ),
    );
  }

  function remove(i) {
    view.files.splice(i, 1);
    show();
  }

  return zone;
}

function setting(one) {
  const hint = `${one.meaning} ${one.change}`;
  if (typeof one.default === "boolean") {
    const input = element("input", { type: "checkbox", name: one.name, checked: one.default });
    const root = field(words(one.name), input, one.name);
    root.title = hint;
    return { name: one.name, root, given: () => (input.checked === one.default ? {} : { [one.name]: input.checked }) };
  }
  const input = numberInput(one.name, SHORT[one.name] || one.unset);
  const root = field(words(one.name), input, `${one.range}; ${one.name}`, one.unit);
  root.title = hint;
  return { name: one.name, root, given: () => (input.value.trim() === "" ? {} : { [one.name]: Number(input.value) }) };
}
