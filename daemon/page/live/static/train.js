// Train: images with labels, weights to start from, how long; and the trainings so far.

import { ask, order, query, tell, told } from "/static/api.js";
import { element } from "/static/build.js";
import { choice, field, numberInput, values, weightsChoice } from "/static/job_fields.js";
import { folderField } from "/static/job_files.js";
import { jobList } from "/static/job_list.js";
import { serviceWeights } from "/static/service_weights.js";

export function train(main) {
  const view = { ended: false, list: null };
  const ready = told(ask("/api/jobs/choices")).then((choices) => {
    if (choices && !view.ended) build(main, view, choices);
  });
  return {
    go: () => ready.then(() => refresh(view)),
    changed: () => refresh(view),
    end: () => {
      view.ended = true;
      if (view.list) view.list.end();
    },
  };
}

function refresh(view) {
  if (!view.list) return;
  view.list.refresh();
  told(view.weights.refresh());
}

function build(main, view, choices) {
  const heldOut = numberInput("held_out", "none", { min: 0, step: 1 });
  let known = 0;
  const pairs = preview((count) => {
    known = count;
    if (heldOut.value === "") heldOut.value = count >= 10 ? Math.round(count / 10) : count > 3 ? 1 : 0;
    epochs();
  });
  const both = () => told(pairs.show(images.value(), labels.value()));
  const images = folderField("folder of images", "TIFF or PNG, planes", both);
  const labels = folderField("folder of labels", "a label image for each, of the same name: one number per nucleus, 0 outside", both);
  const source = choice("source", [["", "two folders"], ...choices.corrected.map((one) => [one.id, `${one.name}: ${one.time_points} corrected time point${one.time_points === 1 ? "" : "s"}`])], "");
  const folders = element("div", {}, images.root, labels.root, pairs.root);
  const stacked = element("small", {}, "slices of these time points, at most 8 of each; those held out lie in the same stacks as those learned from, so scores flatter");
  const from = field("take them from", source, "");
  from.append(stacked);
  const chooseSource = () => {
    folders.hidden = source.value !== "";
    stacked.hidden = source.value === "";
  };
  source.addEventListener("change", chooseSource);
  chooseSource();
  const name = element("input", { type: "text", name: "name", value: "mine", spellcheck: "false" });
  const start = weightsChoice("start_from", choices.models, "start from", "", [["nothing", "nothing: train from the beginning", "thousands of steps, and hundreds of images, are needed"]]);
  const beginning = { steps: 8000, learning_rate: 0.001, crop_px: 256, synthetic_share: 0.4 };
  const usual = () => {
    if (start.select.value === "nothing") return beginning;
    const corrected = { steps: 600, learning_rate: 0.001, crop_px: 128, synthetic_share: 0 };
    return source.value === "" ? { ...beginning, steps: 600, learning_rate: 0.0002 } : corrected;
  };
  const steps = numberInput("steps", "600", { min: 1, step: 1 });
  const rate = numberInput("learning_rate", "0.0002", { min: 0 });
  const width = numberInput("width", "24", { min: 2, step: 1 });
  const edge = numberInput("crop_px", "256", { min: 64, step: 16 });
  const share = numberInput("synthetic_share", "0.4", { min: 0, max: 1 });
  const showUsual = () => {
    for (const [name, input] of Object.entries({ steps, learning_rate: rate, crop_px: edge, synthetic_share: share })) input.placeholder = usual()[name];
    width.disabled = start.select.value !== "nothing";
  };
  for (const one of [start.select, source]) one.addEventListener("change", showUsual);
  width.disabled = true;
  const crops = numberInput("batch_size", "4", { min: 1, step: 1 });
  const stepsField = field("steps", steps, " ");
  const epochs = () => {
    const count = (Number(steps.value) || usual().steps) * (Number(crops.value) || 4);
    stepsField.querySelector("small").textContent = known ? `updates of the weights: each image is seen about ${Math.max(1, Math.round(count / known))} times (epochs)` : "updates of the weights; with images chosen, their epochs are told here";
  };
  for (const one of [steps, crops, start.select]) one.addEventListener("input", epochs);
  epochs();
  const compared = weightsChoice("compared_with", choices.models, "compared with", "the weights in use");
  const fields = [
    stepsField,
    field("learning rate", rate, "the highest one; it rises at first, then falls to 0"),
    field("validate every", numberInput("every", "100", { min: 1, step: 1 }), "curves, pictures and a checkpoint", "steps"),
    field("images that choose the best weights", numberInput("validation", "24", { min: 0, step: 1 }), "at most a fifth of all"),
    field("images held out", heldOut, "never learned from: new and present weights are scored on them"),
    compared.root,
  ];
  const more = [
    field("crops a step", crops, "batch size"),
    field("optimiser", choice("optimizer", [["adam", "Adam"], ["rmsprop", "RMSprop"]], "adam"), "RMSprop is that of the original"),
    field("edge of a crop", edge, "a multiple of 16", "px"),
    field("share of synthetic crops", share, "0 to 1; few images need more of them"),
    field("how much crops are changed", choice("augmentation", [["strong", "strong"], ["mild", "mild"]], "strong"), "mild suits the last part of a training"),
    field("size of nuclei", choice("sizes", [["labelled", "as labelled"], ["measured", "as the weights measure it"]], "labelled"), ""),
    field("channels of the first level", width, "only from nothing"),
    field("seed", numberInput("seed", "0", { min: 0, step: 1 }), "of everything random"),
  ];
  const press = element("button", { class: "main", onclick: () => told(begin()) }, "Start training");
  const form = element(
    "section",
    { class: "jobform" },
    element("h2", {}, "1  Images and labels"),
    choices.corrected.length ? from : null,
    folders,
    element("h2", {}, "2  Weights"),
    element("div", { class: "fields" }, field("name of the new weights", name, "letters, digits, dots, dashes"), start.root),
    element("h2", {}, "3  Training"),
    element("div", { class: "fields" }, ...fields),
    element("details", {}, element("summary", {}, "more"), element("div", { class: "fields" }, ...more)),
    element("div", { class: "row act" }, press, element("span", { class: "quiet" }, "at the lowest priority; it waits while the service has work")),
  );

  async function begin() {
    const inputs = [...form.querySelectorAll("[name]")].filter((one) => !one.disabled);
    const chosen = values(inputs);
    delete chosen.source;
    if (source.value !== "") chosen.acquisition = Number(source.value);
    else Object.assign(chosen, { images: images.value(), labels: labels.value() });
    if (source.value === "" && (!chosen.images || !chosen.labels)) {
      tell("Name the folder of the images, and that of their labels.");
      return;
    }
    press.disabled = true;
    try {
      const answer = await order("/api/orders/train", chosen);
      location.hash = `#/job/${answer.job}`;
    } finally {
      press.disabled = false;
    }
  }

  view.list = jobList("train", "Nothing was trained yet.");
  view.weights = serviceWeights();
  main.replaceChildren(element("div", { class: "jobs" }, form, element("section", {}, element("h2", {}, "Trainings"), view.list.root, view.weights.root)));
}

// One image beside its labels, and the next ones: what is wrong with labels is seen before hours are spent on them.
function preview(counted) {
  const root = element("div", { class: "preview" });
  let at = 0;

  async function show(images, labels) {
    if (!images || !labels) return;
    root.replaceChildren(element("p", { class: "quiet" }, "looking"));
    const found = await ask(`/api/jobs/pairs?${query({ images, labels })}`).catch((error) => {
      root.replaceChildren(element("p", { class: "error" }, error.message));
      return null;
    });
    if (!found) return;
    at = 0;
    counted(found.names.length);
    draw(found.names, images, labels);
  }

  function draw(names, images, labels) {
    const name = names[at];
    const step = (by) => {
      at = (at + by + names.length) % names.length;
      draw(names, images, labels);
    };
    const picture = element("img", { src: `/api/jobs/pair.png?${query({ images, labels, name })}`, alt: `${name} beside its labels`, onerror: () => told(ask(`/api/jobs/pair.png?${query({ images, labels, name })}`)) });
    root.replaceChildren(
      element("div", { class: "row" }, element("button", { type: "button", "aria-label": "the one before", onclick: () => step(-1) }, "‹"), element("button", { type: "button", "aria-label": "the next one", onclick: () => step(1) }, "›"), element("span", {}, `${names.length} images with labels: ${name}`)),
      picture,
    );
  }

  return { root, show };
}
