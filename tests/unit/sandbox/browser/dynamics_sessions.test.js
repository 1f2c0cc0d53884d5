// @ts-check
/** Sessions and tabs of the sandbox's workspace. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Sessions } from "../../../../worker/sandbox/browser/dynamics/static/workspace/sessions.js";

const CUSTOMER = "0a0b0c0d-0001-4002-8003-000000000001";
const RECORD = 509180001;
const SEARCH = 509180005;

/** @param {Partial<import("../../../../worker/sandbox/browser/dynamics/static/workspace/templates.js").SessionTemplate>} [changes] */
function template(changes = {}) {
  const title = "Voice-{customerName}";
  return { title, generic: true, anchor: "cdyn_customer", tabs: [], titleSync: false, ...changes };
}

/** @param {Record<string, any>} [sessions] */
function workspace(sessions = { cdyn_voice: template(), cdyn_entity: template({ generic: false }) }) {
  /** @type {[string, any][]} */
  const events = [];
  const entity = { entityName: "{customerEntityName}", entityId: "{customerRecordId}" };
  const tabs = {
    cdyn_customer: {
      title: "{customerName}",
      pageType: RECORD,
      parameters: { ...entity, validateRecord: "true" },
    },
    cdyn_loose: { title: "Loose", pageType: RECORD, parameters: entity },
    cdyn_search: { title: "Search", pageType: SEARCH, parameters: { searchText: "{text}" } },
  };
  const made = new Sessions(
    () => ({ sessions, tabs, appId: "app" }),
    (name, data) => events.push([name, data]),
    () => {},
  );
  return { sessions: made, events };
}

const PARAMETERS = {
  customerName: "Ana Silva",
  customerEntityName: "contact",
  customerRecordId: CUSTOMER,
};
const INPUT = { templateName: "cdyn_voice", templateParameters: PARAMETERS };

/** @param {string|undefined} href */
function query(href) {
  return Object.fromEntries(new URL(href ?? "", "https://org.test").searchParams);
}

test("a session has the title and the anchor tab of its template, with slugs replaced", () => {
  const { sessions } = workspace();
  const id = sessions.create(INPUT);
  const session = sessions.providers(id);
  assert.equal(session.title, "Voice-Ana Silva");
  assert.deepEqual(
    session.tabs.map((tab) => [tab.template, tab.title, tab.anchor]),
    [["cdyn_customer", "Ana Silva", true]],
  );
  const { etn, id: row, validate } = query(session.tabs[0]?.href);
  assert.deepEqual([etn, row, validate], ["contact", CUSTOMER, undefined]);
});

test("a slug without a value keeps its braces", () => {
  const { sessions } = workspace();
  const session = sessions.providers(sessions.create({ templateName: "cdyn_voice" }));
  assert.equal(session.title, "Voice-{customerName}");
  assert.equal(query(session.tabs[0]?.href).id, "{customerRecordId}");
});

test("a record's tab without validateRecord asks for a form if there is no such record", () => {
  const { sessions } = workspace({ cdyn_voice: template({ tabs: ["cdyn_loose"] }) });
  const session = sessions.providers(sessions.create(INPUT));
  assert.equal(query(session.tabs[1]?.href).validate, "no");
});

test("parameters of a call win over those of the template, for all tabs or for one", () => {
  const { sessions } = workspace({ cdyn_voice: template({ tabs: ["cdyn_search"] }) });
  const own = { cdyn_customer: { entityName: "account" }, text: "210" };
  const input = { ...INPUT, templateParameters: { ...PARAMETERS, ...own } };
  const session = sessions.providers(sessions.create(input));
  assert.equal(query(session.tabs[0]?.href).etn, "account");
  assert.equal(query(session.tabs[1]?.href).searchText, "210");
});

test("a template that is not known or of type Entity makes no session", () => {
  const { sessions } = workspace();
  assert.throws(() => sessions.create({ templateName: "cdyn_no" }), /SessionTemplateNotFound/);
  assert.throws(() => sessions.create({ templateName: "cdyn_entity" }), /Generic only/);
  assert.deepEqual(sessions.ours, []);
});

test("there is no eleventh session until one is closed", () => {
  const { sessions } = workspace();
  const ids = Array.from({ length: 10 }, () => sessions.create(INPUT));
  assert.equal(sessions.free, false);
  assert.throws(() => sessions.create(INPUT), /10 sessions/);
  sessions.close(ids[0] ?? "");
  assert.equal(sessions.free, true);
  sessions.create(INPUT);
});

test("a new session gets the focus, and both sessions are told of a switch", () => {
  const { sessions, events } = workspace();
  const first = sessions.create({ ...INPUT, context: { contact: 1 } });
  const second = sessions.create(INPUT);
  sessions.focus(first);
  const told = events.map(([name, { sessionId, focussed }]) => [name, sessionId, focussed]);
  const switched = "onSessionSwitched";
  assert.deepEqual(told, [
    [switched, first, true],
    [switched, first, false],
    [switched, second, true],
    [switched, second, false],
    [switched, first, true],
  ]);
  assert.deepEqual(events[0]?.[1].context, { contact: 1 });
});

test("a closed session is told of with its context, and Home gets the focus", () => {
  const { sessions, events } = workspace();
  const id = sessions.create({ ...INPUT, context: { contact: 1 } });
  sessions.close(id);
  assert.deepEqual(events.at(-1), ["onSessionClosed", { sessionId: id, context: { contact: 1 } }]);
  assert.equal(sessions.focused, sessions.home);
});

test("a tab is made in a session of the provider or at home, not in the agent's own", () => {
  const { sessions } = workspace();
  const tab = { templateName: "cdyn_search", templateParameters: { text: "210" } };
  sessions.createTab(tab);
  sessions.openByAgent("/main.aspx", "Mine");
  assert.throws(() => sessions.createTab(tab), /does not belong to the provider/);
  sessions.create(INPUT);
  const id = sessions.createTab({ ...tab, isFocused: true });
  assert.equal(sessions.focused.tab, id);
  assert.throws(() => sessions.createTab({ templateName: "cdyn_no" }), /TabTemplateNotFound/);
});

test("the agent's own session is none of the provider's", () => {
  const { sessions, events } = workspace();
  sessions.openByAgent("/main.aspx", "Mine");
  const { id } = sessions.focused;
  assert.deepEqual(sessions.getTabs(), []);
  assert.throws(() => sessions.providers(id), /no such session/);
  sessions.close(id);
  assert.deepEqual(events, []);
});

test("late slugs reach what is opened later and leave what is shown", () => {
  const { sessions } = workspace();
  const session = sessions.providers(sessions.create({ templateName: "cdyn_voice" }));
  sessions.updateContext(PARAMETERS, session.id, false);
  assert.equal(session.title, "Voice-{customerName}");
  const id = sessions.createTab({ templateName: "cdyn_customer" });
  const tab = session.tabs.find((candidate) => candidate.id === id);
  assert.equal(query(tab?.href).id, CUSTOMER);
  sessions.updateContext({ customerName: "" }, session.id, true);
  sessions.createTab({ templateName: "cdyn_customer" });
  assert.equal(session.tabs.at(-1)?.title, "{customerName}");
});

test("a session's title is written anew from its template's slugs", () => {
  const { sessions } = workspace();
  const session = sessions.providers(sessions.create(INPUT));
  sessions.setTitle({ sessionId: session.id, customerName: "Bo" });
  assert.equal(session.title, "Voice-Bo");
  assert.throws(() => sessions.setTitle({ sessionId: "other" }), /no such session/);
});

test("the anchor tab stays, other tabs can be closed", () => {
  const { sessions } = workspace();
  const session = sessions.providers(sessions.create(INPUT));
  const id = sessions.createTab({ templateName: "cdyn_search", isFocused: true });
  const anchor = session.tabs[0]?.id ?? "";
  assert.throws(() => sessions.closeTab(anchor), /anchor tab/);
  sessions.closeTab(id);
  assert.deepEqual([session.tab, session.tabs.length], [anchor, 1]);
});

test("a tab of another session is out of reach", () => {
  const { sessions } = workspace();
  const first = sessions.providers(sessions.create(INPUT));
  sessions.create(INPUT);
  const id = first.tabs[0]?.id ?? "";
  for (const reach of [sessions.focusTab, sessions.refreshTab, sessions.closeTab]) {
    assert.throws(() => reach.call(sessions, id), /no such tab/);
  }
  assert.throws(() => sessions.setTabTitle(id, { title: "x" }), /no such tab/);
});

test("a marked session loses its mark when it gets the focus", () => {
  const { sessions } = workspace();
  const first = sessions.create(INPUT);
  sessions.mark(first);
  assert.equal(sessions.providers(first).marked, false);
  sessions.create(INPUT);
  sessions.mark(first);
  assert.equal(sessions.providers(first).marked, true);
  sessions.focus(first);
  assert.equal(sessions.providers(first).marked, false);
});
