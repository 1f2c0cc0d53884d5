// @ts-check
/** The methods of Microsoft.CIFramework, as the sandbox's workspace carries them out. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Data } from "../../../../worker/sandbox/browser/dynamics/static/workspace/data.js";
import {
  carryOut,
  Json,
} from "../../../../worker/sandbox/browser/dynamics/static/workspace/framework.js";
import { Notifications } from "../../../../worker/sandbox/browser/dynamics/static/workspace/notifications.js";
import { Sessions } from "../../../../worker/sandbox/browser/dynamics/static/workspace/sessions.js";

const ROW = "0a0b0c0d-0001-4002-8003-000000000001";
const TABLE = { EntitySetName: "contacts", PrimaryIdAttribute: "contactid" };
const METADATA = JSON.stringify({ ...TABLE, PrimaryNameAttribute: "fullname" });

/** @param {any[]} [rows] */
function workspace(rows = []) {
  /** @type {[string, any][]} */
  const events = [];
  /** @type {string[]} */
  const asked = [];
  const templates = {
    sessions: /** @type {any} */ ({}),
    tabs: /** @type {any} */ ({}),
    notifications: /** @type {any} */ ({}),
  };
  const emit = (/** @type {string} */ name, /** @type {any} */ data) => void events.push([name, data]);
  const changed = () => {};
  /** @param {any} url */
  const ask = (url) => {
    asked.push(decodeURIComponent(String(url)));
    const found = String(url).includes("EntityDefinitions");
    return Promise.resolve(new Response(found ? METADATA : JSON.stringify({ value: rows })));
  };
  const limits = { shown: () => 3, countdownS: () => null, now: () => 0, after: () => {} };
  const made = {
    sessions: new Sessions(() => ({ ...templates, appId: "app" }), emit, changed),
    notifications: new Notifications(() => templates.notifications, limits, changed),
    data: new Data(/** @type {any} */ (ask)),
    panel: { mode: 1, width: 340, clickToAct: false, presence: "Available" },
    setup: () => Promise.resolve(),
    environment: () => ({ appid: "app" }),
    switches: () => ({ presences: ["Available", "Busy"], focusRequest: "focus" }),
    raise: () => {},
    ...{ emit, changed },
  };
  return { workspace: made, events, asked, templates };
}

const SESSION = { title: "Voice", generic: true, anchor: "", tabs: [], titleSync: false };

test("a method that the framework does not have is refused", async () => {
  const { workspace: made } = workspace();
  for (const name of ["notify", "constructor", "toString"]) {
    await assert.rejects(carryOut(made, name, []), /no method of Microsoft.CIFramework/);
  }
});

test("a template that was installed after the page came up is read when it is needed", async () => {
  const { workspace: made, templates } = workspace();
  made.setup = () => {
    templates.sessions.cdyn_voice = SESSION;
    return Promise.resolve();
  };
  const id = await carryOut(made, "createSession", [{ templateName: "cdyn_voice" }]);
  assert.equal(await carryOut(made, "getFocusedSession", []), id);
});

test("Home's focus is nobody's session", async () => {
  const { workspace: made } = workspace();
  assert.equal(await carryOut(made, "getFocusedSession", []), null);
  assert.deepEqual(await carryOut(made, "getAllSessions", []), []);
  assert.equal(await carryOut(made, "canCreateSession", []), true);
});

test("a request for the focus sets it or marks the session, as the switch says", async () => {
  const { workspace: made, templates } = workspace();
  templates.sessions.cdyn_voice = SESSION;
  const first = await carryOut(made, "createSession", [{ templateName: "cdyn_voice" }]);
  const second = await carryOut(made, "createSession", [{ templateName: "cdyn_voice" }]);
  made.switches = () => ({ presences: [], focusRequest: "indicator" });
  await carryOut(made, "requestFocusSession", [first]);
  assert.equal(await carryOut(made, "getFocusedSession", []), second);
  made.switches = () => ({ presences: [], focusRequest: "focus" });
  await carryOut(made, "requestFocusSession", [first]);
  assert.equal(await carryOut(made, "getFocusedSession", []), first);
});

test("a search that finds one record opens it, unless results alone are wanted", async () => {
  const { workspace: made } = workspace([{ contactid: ROW, fullname: "Ana" }]);
  const query = "?$select=fullname&$filter=telephone1 eq '+351 210'";
  const only = await carryOut(made, "searchAndOpenRecords", ["contact", query, true]);
  assert.deepEqual(only, new Json([{ contactid: ROW, fullname: "Ana" }]));
  assert.equal(made.sessions.focused.tabs.length, 1);
  await carryOut(made, "searchAndOpenRecords", ["contact", query, false]);
  const tab = made.sessions.focused.tabs.at(-1);
  assert.match(tab?.href ?? "", new RegExp(`pagetype=entityrecord&etn=contact&id=${ROW}`));
});

test("a search that finds several, or has $search, opens the search page", async () => {
  const { workspace: made, asked } = workspace([{ contactid: ROW }, { contactid: ROW }]);
  await carryOut(made, "searchAndOpenRecords", ["contact", "?$filter=statecode eq 0", false]);
  assert.match(made.sessions.focused.tabs.at(-1)?.href ?? "", /pagetype=search&searchText=&/);
  const { workspace: other } = workspace([{ contactid: ROW }]);
  await carryOut(other, "searchAndOpenRecords", ["contact", "?$top=5&$search=Ana", false]);
  assert.match(other.sessions.focused.tabs.at(-1)?.href ?? "", /pagetype=search&searchText=Ana&/);
  assert.equal(asked.at(-1), "/dynamics/data/contacts?$filter=statecode eq 0");
});

test("the panel takes documented modes and whole widths, and tells of them", async () => {
  const { workspace: made, events } = workspace();
  await carryOut(made, "setMode", [0]);
  await carryOut(made, "setWidth", [400]);
  for (const mode of [3, "1", null]) await assert.rejects(carryOut(made, "setMode", [mode]), /0, 1/);
  await assert.rejects(carryOut(made, "setWidth", [-1]), /pixels/);
  assert.deepEqual([made.panel.mode, made.panel.width], [0, 400]);
  assert.deepEqual(events, [
    ["onmodechanged", { value: 0 }],
    ["onsizechanged", { value: 400 }],
  ]);
});

test("a presence must be one that is set up", async () => {
  const { workspace: made, events } = workspace();
  assert.equal(await carryOut(made, "setPresence", ["Lunch"]), false);
  assert.equal(await carryOut(made, "setPresence", ["Busy"]), true);
  assert.equal(await carryOut(made, "getPresence", []), "Busy");
  assert.equal(events.length, 1);
});

test("click to act is switched by a flag alone", async () => {
  const { workspace: made } = workspace();
  await assert.rejects(carryOut(made, "setClickToAct", ["true"]), /true or false/);
  assert.equal(await carryOut(made, "getClickToAct", []), false);
  await carryOut(made, "setClickToAct", [true]);
  assert.equal(await carryOut(made, "getClickToAct", []), true);
});

test("a notification's answer stands under value", async () => {
  const { workspace: made, templates } = workspace();
  templates.notifications.cdyn_voice = { title: "Call", fields: [], countdownS: 9 };
  const answer = carryOut(made, "notifyEvent", [{ templateName: "cdyn_voice" }]);
  await new Promise((resolve) => setImmediate(resolve));
  made.notifications.accept(made.notifications.shown[0]?.id ?? "");
  const value = { actionName: "Accept", responseReason: "Accept" };
  assert.deepEqual(await answer, new Json({ value }));
  await assert.rejects(carryOut(made, "notifyEvent", [{}]), /RejectAfterClientError/);
});

test("a refusal of the Web API is the method's", async () => {
  const { workspace: made } = workspace();
  const body = JSON.stringify({ error: { message: "contact With Id = 1 Does Not Exist" } });
  made.data = new Data(
    /** @type {any} */ (() => Promise.resolve(new Response(body, { status: 404 }))),
  );
  await assert.rejects(carryOut(made, "retrieveRecord", ["contact", ROW]), /Does Not Exist/);
});
