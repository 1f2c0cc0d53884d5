// @ts-check
/**
 * A page of main.aspx: keeps records that are shown up to date, and tells the workspace that frames
 * it of numbers that are clicked.
 */

const EVERY_MS = 2000;

/** What the workspace is told. @typedef {{dynamics: string} & Record<string, string>} Message */

/** Whether the workspace of this organization frames the page. */
function framed() {
  if (window.parent === window) return false;
  try {
    return window.parent.location.origin === window.location.origin;
  } catch (refused) {
    // Another origin's window does not say where it is.
    if (refused instanceof DOMException) return false;
    throw refused;
  }
}

/** @param {Message} message */
function tell(message) {
  window.parent.postMessage(message, window.location.origin);
}

/** @param {MouseEvent} event */
function clicked(event) {
  const link = event.target instanceof Element ? event.target.closest("a") : null;
  if (!link || !framed()) return;
  if (link.dataset.phone !== undefined) {
    event.preventDefault();
    const { phone = "", name = "", table = "", id = "" } = link.dataset;
    tell({ dynamics: "phone", value: phone, name, table, id });
  } else if (event.shiftKey && link.dataset.row) {
    event.preventDefault();
    tell({ dynamics: "session", href: link.href, name: link.textContent ?? "" });
  }
}

/** What on the page may change by itself: nothing of a form that somebody fills in. */
function changing() {
  const main = document.querySelector("main");
  const { page, found } = main?.dataset ?? {};
  if ((page === "record" && found === "true") || page === "list") return "main";
  return page === "dashboard" ? "main .results" : "";
}

/** @param {string} selector */
async function refresh(selector) {
  const answer = await fetch(window.location.href, { cache: "no-store" });
  const text = await answer.text();
  const fresh = new DOMParser().parseFromString(text, "text/html").querySelector(selector);
  const shown = document.querySelector(selector);
  if (!shown || !fresh || !answer.ok || fresh.outerHTML === shown.outerHTML) return;
  shown.replaceWith(document.adoptNode(fresh));
}

async function keepFresh() {
  for (let part = changing(); part; part = changing()) {
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    try {
      await refresh(part);
      document.body.removeAttribute("data-stale");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // what fetch throws without a connection
      document.body.setAttribute("data-stale", "true");
    }
  }
}

document.addEventListener("click", clicked);
void keepFresh();
