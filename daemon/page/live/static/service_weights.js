// The weights of the running service: which are in use, where they come from, going on with others, and the way back.

import { ask, order, tell, told } from "/static/api.js";
import { dialog, element, when } from "/static/build.js";
import { choice } from "/static/job_fields.js";
import { keepName, nameField } from "/static/person.js";

const LOOK_MS = 700;
const LOOKS = 5000; // the time point under way ends first, which may take long
const SHOWN = 6;

// Ask, order, and tell what the service made of it; `values` say which weights, `title` is the question.
export async function useWeights(title, values, done) {
  const known = await told(ask("/api/weights"));
  if (!known) return;
  const { under_way: names } = known;
  const more = names.length > SHOWN ? ` and ${names.length - SHOWN} more` : "";
  const anew = `Under way, and begun anew with them as a second result: ${names.slice(0, SHOWN).join(", ")}${more}. What was made so far stays.`;
  const who = nameField();
  const yes = element("button", { class: "main", "data-confirm": true, onclick: () => box.close("yes") }, "use them");
  const box = dialog(
    title,
    element("p", {}, known.runs ? "The running service finds nuclei with them in all watched folders, as soon as the time point under way is done." : "The service does not run: it finds nuclei with them when it is started."),
    names.length ? element("p", { class: "anew" }, anew) : null,
    element("p", { class: "quiet" }, "Finished results stay as they are. The configuration file is not touched; the way back is on the page “train”."),
    element("div", { class: "row end" }, who, element("button", { onclick: () => box.close() }, "leave it"), yes),
  );
  box.addEventListener("close", () => {
    if (box.returnValue === "yes") told(send(values, who.value, done));
  });
}

async function send(values, by, done) {
  keepName(by);
  const { request, said } = await order("/api/orders/use-weights", { ...values, by });
  tell(said, "good");
  done(said);
  for (let i = 0; i < LOOKS; i++) {
    await new Promise((then) => setTimeout(then, LOOK_MS));
    const answer = await ask(`/api/requests/${request}`);
    if (answer.accepted === null) continue;
    tell(answer.answer, answer.accepted ? "good" : "bad");
    done(answer.answer);
    return;
  }
}

export function serviceWeights() {
  const root = element("section", { "data-weights": true });
  async function refresh(whatever = false) {
    const known = await told(ask("/api/weights"));
    if (!known || (!whatever && root.contains(document.activeElement))) return; // somebody is choosing
    root.replaceChildren(element("h2", {}, "Weights of the service"), ...shown(known, () => told(refresh(true))));
  }
  return { root, refresh };
}

function shown(known, refresh) {
  if (known.weights === null) return [element("p", { class: "quiet" }, "No service worked on this database yet.")];
  const { in_use: used } = known;
  const chosen = used && used.origin === "override";
  const from = chosen ? `chosen by ${used.by || "hand"}${used.at ? `, ${when(used.at)}` : ""}; configuration: ${used.configured}` : `by the ${used ? used.origin : "default"}`;
  const back = chosen ? element("button", { "data-back": true, onclick: () => useWeights(`Back to ${used.configured}, as the configuration says?`, { back: true }, refresh) }, "back to the configuration …") : null;
  const others = known.models.filter((one) => one.name !== known.weights).map((one) => [one.name, one.own ? `${one.name} (own)` : one.name]);
  const select = choice("other", others, "");
  select.setAttribute("aria-label", "other weights");
  const use = element("button", { "data-use-weights": true, onclick: () => useWeights(`Use ${select.value} from now on?`, { name: select.value }, refresh) }, "use …");
  const history = [...known.changes].reverse().map((one) => element("li", {}, `${when(one.at)}, ${one.by}: ${one.value ?? "as the configuration says"} (before: ${one.before})`));
  return [
    element("p", {}, element("b", { class: "weights-in-use" }, known.weights), element("span", { class: "quiet" }, ` ${from}${known.loaded ? `; loaded: ${known.loaded}` : ""}`)),
    ...known.faults.map((fault) => element("p", { class: "error" }, fault)),
    element("div", { class: "row" }, others.length ? select : null, others.length ? use : null, back),
    history.length ? element("details", { class: "history" }, element("summary", {}, "who changed what"), element("ul", {}, ...history)) : null,
  ].filter(Boolean);
}
