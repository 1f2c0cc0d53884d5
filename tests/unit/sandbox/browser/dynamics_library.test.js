// @ts-check
/** The sandbox's msdyn_ciLibrary.js: how it is loaded, and the messages it sends and takes. */

import assert from "node:assert/strict";
import { readFileSync } from "node:fs";
import { test } from "node:test";
import vm from "node:vm";

const FILE = "../../../../worker/sandbox/browser/dynamics/static/library.js";
const SOURCE = readFileSync(new URL(FILE, import.meta.url), "utf8");
const ORGANIZATION = "https://org.test";
const GOOD = { cifid: "CIFMainLibrary", crmurl: ORGANIZATION };

/** @param {Record<string, string>} dataset */
function load(dataset) {
  class HTMLScriptElement {
    dataset = dataset;
    src = `${ORGANIZATION}/WebResources/Widget/msdyn_ciLibrary.js`;
  }
  const script = dataset.cifid === "CIFMainLibrary" ? new HTMLScriptElement() : null;
  const window = /** @type {any} */ (new EventTarget());
  /** @type {{message: any, target: string}[]} */
  const sent = [];
  window.parent = {
    postMessage: (/** @type {any} */ message, /** @type {string} */ target) =>
      sent.push({ message, target }),
  };
  /** @type {{ms: number, run: () => void}[]} */
  const timers = [];
  const setTimeout = (/** @type {() => void} */ run, /** @type {number} */ ms) =>
    void timers.push({ ms, run });
  let ready = 0;
  window.addEventListener("CIFInitDone", () => (ready += 1));
  const document = { querySelector: () => script };
  vm.runInNewContext(SOURCE, { window, document, HTMLScriptElement, URL, Event, setTimeout });
  /** @param {any} message @param {{origin?: string, source?: any}} [from] */
  const receive = (message, { origin = ORGANIZATION, source = window.parent } = {}) => {
    const event = new Event("message");
    window.dispatchEvent(Object.assign(event, { data: message, origin, source }));
  };
  return { framework: window.Microsoft?.CIFramework, sent, timers, receive, ready: () => ready };
}

test("the library is ready once, while its script runs", () => {
  assert.equal(load(GOOD).ready(), 1);
});

test("the library needs both data attributes, and its own organization", () => {
  assert.throws(() => load({ crmurl: ORGANIZATION }), /data-cifid/);
  for (const crmurl of ["", "https://other.test", `${ORGANIZATION}/`]) {
    assert.throws(() => load({ ...GOOD, crmurl }), /data-crmurl/);
  }
});

test("a method is a message to the organization's own window", async () => {
  const { framework, sent, receive } = load(GOOD);
  const answer = framework.getMode();
  assert.equal(sent[0]?.target, ORGANIZATION);
  const { cif, method, args, id } = sent[0]?.message;
  assert.deepEqual([cif, method, args], ["call", "getMode", "[]"]);
  receive({ cif: "result", id, value: 1 });
  assert.equal(await answer, 1);
});

test("answers of other windows and origins are not believed", async () => {
  const { framework, sent, receive } = load(GOOD);
  const answer = framework.getMode();
  const { id } = sent[0]?.message;
  receive({ cif: "result", id, value: "forged" }, { origin: "https://other.test" });
  receive({ cif: "result", id, value: "forged" }, { source: {} });
  receive({ cif: "result", id, value: 1 });
  assert.equal(await answer, 1);
});

test("a refusal rejects with what is the matter", async () => {
  const { framework, sent, receive } = load(GOOD);
  const answer = framework.notifyEvent({ templateName: "cdyn_no" });
  const error = { message: "NotificationTemplateNotFoundError", msdyn_name: "NotifyEvent" };
  receive({ cif: "error", id: sent[0]?.message.id, error });
  await assert.rejects(answer, error);
});

test("a method without an answer fails after ten seconds, a notification never", async () => {
  const { framework, timers } = load(GOOD);
  const answer = framework.getMode();
  void framework.notifyEvent({});
  assert.deepEqual(
    timers.map(({ ms }) => ms),
    [10_000],
  );
  timers[0]?.run();
  await assert.rejects(answer, { msdyn_name: "getMode" });
});

test("events reach the handlers of their name until they are removed", () => {
  const { framework, receive } = load(GOOD);
  /** @type {string[]} */
  const heard = [];
  const handler = (/** @type {string} */ data) => Promise.resolve(heard.push(data));
  framework.addHandler("onclicktoact", handler);
  receive({ cif: "event", name: "onclicktoact", data: '{"value":"1"}' });
  receive({ cif: "event", name: "onClickToAct", data: "other" });
  framework.removeHandler("onclicktoact", handler);
  receive({ cif: "event", name: "onclicktoact", data: "late" });
  assert.deepEqual(heard, ['{"value":"1"}']);
  assert.throws(() => framework.addHandler("onclicktoact"), /needs an event's name/);
});
