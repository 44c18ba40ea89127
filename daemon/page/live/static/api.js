// Asking the server: answers as values, errors as sentences that a person is shown.

export class Refused extends Error {}

class Unreachable extends Error {}

// Nobody answers: told apart from what is wrong with the page itself.
async function reached(path, options) {
  try {
    return await fetch(path, options);
  } catch (error) {
    if (error.name === "AbortError") throw error;
    throw new Unreachable("The page's server does not answer: is it still running, and can this computer reach it?");
  }
}

async function answered(response) {
  if (response.ok) return response;
  let sentence = `The page's server answered ${response.status}.`;
  const type = response.headers.get("content-type") || "";
  const text = await response.text();
  if (type.includes("json")) sentence = JSON.parse(text).error || sentence;
  else if (text) sentence = text;
  throw new Refused(sentence);
}

export async function ask(path, signal) {
  const response = await answered(await reached(path, { signal }));
  return response.json();
}

export async function picture(path, signal) {
  const response = await answered(await reached(path, { signal }));
  return createImageBitmap(await response.blob(), { premultiplyAlpha: "none", colorSpaceConversion: "none" });
}

export async function order(path, values) {
  const response = await answered(
    await reached(path, {
      method: "POST",
      headers: { "Content-Type": "application/json", "X-Nusetd-Order": "1" },
      body: JSON.stringify(values),
    }),
  );
  return response.json();
}

export function query(values) {
  const given = Object.entries(values).filter(([, value]) => value !== null && value !== undefined && value !== "");
  return new URLSearchParams(given).toString();
}

let timer = null;

export function tell(sentence, kind = "bad") {
  const notice = document.getElementById("notice");
  notice.dataset.kind = kind;
  notice.hidePopover();
  notice.showPopover(); // above a dialog too
  notice.textContent = sentence;
  notice.onclick = untell;
  clearTimeout(timer);
  timer = setTimeout(untell, 10000);
}

// What was told is over, or was read.
export function untell() {
  clearTimeout(timer);
  document.getElementById("notice").hidePopover();
}

// Something is wrong with the page itself.
export function fault(error) {
  if (error && error.name === "AbortError") return;
  console.error(error);
  tell(`A fault of this page (${error && error.message ? error.message : error}): load it again; where it comes back, report it with what you did.`);
}

export function told(promise) {
  return promise.catch((error) => {
    if (error.name === "AbortError") return undefined;
    if (error instanceof Refused || error instanceof Unreachable) tell(error.message);
    else fault(error);
    return undefined;
  });
}
