// @ts-check
/**
 * A page of main.aspx: keeps a record that is shown up to date, and tells the workspace that frames
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

/** Whether what is shown may change: a record or a list, not a form that somebody fills in. */
function changes() {
  const main = document.querySelector("main");
  const page = main?.dataset.page;
  return (page === "record" && main?.dataset.found === "true") || page === "list";
}

async function refresh() {
  const main = document.querySelector("main");
  const answer = await fetch(window.location.href, { cache: "no-store" });
  const text = await answer.text();
  const fresh = new DOMParser().parseFromString(text, "text/html").querySelector("main");
  if (!main || !fresh || !answer.ok || fresh.outerHTML === main.outerHTML) return;
  main.replaceWith(document.adoptNode(fresh));
  document.dispatchEvent(new CustomEvent("refreshed"));
}

async function keepFresh() {
  while (changes()) {
    await new Promise((resolve) => setTimeout(resolve, EVERY_MS));
    try {
      await refresh();
      document.body.removeAttribute("data-stale");
    } catch (error) {
      if (!(error instanceof TypeError)) throw error; // what fetch throws without a connection
      document.body.setAttribute("data-stale", "true");
    }
  }
}

document.addEventListener("click", clicked);
void keepFresh();
