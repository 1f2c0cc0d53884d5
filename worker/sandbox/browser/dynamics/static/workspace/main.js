// @ts-check
/** The workspace: joins state, view, the provider's frame and the Web API. */

import { Data } from "./data.js";
import { carryOut, Json } from "./framework.js";
import { Notifications } from "./notifications.js";
import { Refusal } from "./refusal.js";
import { Sessions } from "./sessions.js";
import { View } from "./view.js";

const SETUP = "/dynamics/workspace.json";
const WIDTH = 340; // px, of the panel as it comes up

/** @returns {Promise<any>} */
async function readSetup() {
  const answer = await fetch(SETUP, { cache: "no-store" });
  if (!answer.ok) throw new Error(`${SETUP}: HTTP ${answer.status}`);
  return answer.json();
}

let setup = await readSetup();
const given = new URLSearchParams(window.location.search).get("panel");
const provider = given
  ? { label: "Softphone", customParams: "", outbound: false, ...setup.provider, url: given }
  : setup.provider;
const panel = { mode: 1, width: WIDTH, clickToAct: provider?.outbound ?? false, presence: "" };
panel.presence = setup.switches.presences[0] ?? "";

const sessions = new Sessions(
  () => ({ sessions: setup.sessions, tabs: setup.tabs, appId: setup.environment.appid }),
  emit,
  changed,
);
const notifications = new Notifications(
  () => setup.notifications,
  {
    shown: () => setup.switches.toasts,
    countdownS: () => setup.switches.countdownS,
    now: () => Date.now(),
    after: (ms, run) => void setTimeout(run, ms),
  },
  changed,
);
/** @type {View|null} */
let view = null;

/** @type {import("./framework.js").Workspace} */
const workspace = {
  sessions,
  notifications,
  panel,
  data: new Data(window.fetch.bind(window)),
  setup: async () => {
    setup = await readSetup();
  },
  environment: () => ({
    ...setup.environment,
    ...place(view?.location() ?? ""),
    customParams: provider?.customParams ?? "",
  }),
  switches: () => setup.switches,
  raise: (name, data) => {
    window.dispatchEvent(new CustomEvent(name, { detail: data }));
    emit(name, data);
  },
  emit,
  changed,
};

/**
 * The record or page an address names.
 *
 * @param {string} href
 */
function place(href) {
  const query = new URL(href || "/", window.location.origin).searchParams;
  const { etn, id, pagetype } = Object.fromEntries(query);
  return { etn: etn ?? "", id: id ?? "", pagetype: pagetype ?? "dashboard" };
}

function changed() {
  view?.show();
}

/** @param {any} value */
function shaped(value) {
  if (!(value instanceof Json)) return value ?? null;
  return setup.switches.results === "strings" ? JSON.stringify(value.value) : value.value;
}

/**
 * @param {string} name
 * @param {any} data
 */
function emit(name, data) {
  const origin = view?.panelOrigin();
  const frame = view?.panelWindow();
  if (frame && origin) frame.postMessage({ cif: "event", name, data: JSON.stringify(data) }, origin);
}

/** @param {MessageEvent} event */
async function called(event) {
  const { id, method, args } = event.data;
  const reply = (/** @type {any} */ message) =>
    /** @type {Window} */ (event.source).postMessage({ id, ...message }, event.origin);
  try {
    const value = await carryOut(workspace, String(method), JSON.parse(args));
    reply({ cif: "result", value: shaped(value) });
  } catch (error) {
    if (!(error instanceof Refusal) && !(error instanceof SyntaxError)) throw error;
    const errorCode = error instanceof Refusal ? error.errorCode : 0;
    const named = String(method).replace(/^./, (first) => first.toUpperCase());
    reply({ cif: "error", error: { message: error.message, msdyn_name: named, errorCode } });
  }
}

/** @param {any} message  from a page of main.aspx in a tab */
function told(message) {
  if (message.dynamics === "session") sessions.openByAgent(message.href, message.name);
  if (message.dynamics !== "phone" || !panel.clickToAct) return;
  const { value, name, table, id } = message;
  const entity = setup.switches.clickEntityId ? { entityId: id } : {};
  emit("onclicktoact", { value, name, format: "phone", entityLogicalName: table, ...entity });
}

/** @param {MessageEvent} event */
function received(event) {
  if (event.source === view?.panelWindow() && event.origin === view?.panelOrigin()) {
    if (event.data?.cif === "call") void called(event);
  } else if (event.origin === window.location.origin && view?.isTab(event.source)) {
    told(event.data);
  }
}

window.addEventListener("message", received);
view = new View(workspace, provider, setup.switches.panelSandbox);
view.show();
