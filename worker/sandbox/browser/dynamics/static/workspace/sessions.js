// @ts-check
/**
 * Sessions of the workspace and the tabs in them. No DOM: a view shows them after every change.
 *
 * @typedef {import("./templates.js").Parameters} Parameters
 * @typedef {import("./templates.js").TabTemplate} TabTemplate
 * @typedef {import("./templates.js").SessionTemplate} SessionTemplate
 * @typedef {{id: string, title: string, href: string, template: string, anchor: boolean,
 *   loads: number}} Tab
 * @typedef {{id: string, owner: 'home'|'provider'|'agent', template: string, title: string,
 *   slugs: Parameters, context: any, tabs: Tab[], tab: string, marked: boolean}} Session
 * @typedef {{sessions: Record<string, SessionTemplate>, tabs: Record<string, TabTemplate>,
 *   appId: string}} Templates
 */

import { Refusal } from "./refusal.js";
import { address, fill, parameters } from "./templates.js";

export const MOST = 10;
const DASHBOARD = /** @type {TabTemplate} */ ({ title: "Dashboard", pageType: 0, parameters: {} });

export class Sessions {
  /**
   * @param {() => Templates} templates
   * @param {(name: string, data: any) => void} emit  tells the provider of an event
   * @param {() => void} changed
   */
  constructor(templates, emit, changed) {
    this.templates = templates;
    this.emit = emit;
    this.changed = changed;
    this.count = 0;
    /** @type {Session} */
    this.home = this.make("home", "", "Home", {}, null);
    this.home.tabs.push(this.tab("", "Dashboard", address(DASHBOARD, {}, ""), true));
    this.home.tab = this.home.tabs[0]?.id ?? "";
    /** @type {Session[]} */
    this.all = [this.home];
    this.focused = this.home;
  }

  /** The provider's sessions. */
  get ours() {
    return this.all.filter((session) => session.owner === "provider");
  }

  /** Whether another session fits. */
  get free() {
    return this.all.length - 1 < MOST;
  }

  /**
   * A provider's new session; it gets the focus.
   *
   * @param {any} input  {templateName, templateParameters, context}
   */
  create(input) {
    const name = input?.templateName;
    const template = this.templates().sessions[name];
    if (!template) throw new Refusal("SessionTemplateNotFoundError");
    if (!template.generic) throw new Refusal("createSession takes templates of type Generic only");
    if (!this.free) throw new Refusal(`There are ${MOST} sessions already`);
    const given = input.templateParameters ?? {};
    const session = this.make("provider", name, template.title, given, input.context ?? null);
    for (const tab of [template.anchor, ...template.tabs]) this.open(session, tab, given);
    const anchor = session.tabs[0];
    if (anchor) {
      anchor.anchor = true;
      if (template.titleSync) anchor.title = session.title;
      session.tab = anchor.id;
    }
    this.all.push(session);
    this.focus(session.id);
    return session.id;
  }

  /**
   * A session that the agent opens, which belongs to no provider.
   *
   * @param {string} href
   * @param {string} title
   */
  openByAgent(href, title) {
    if (!this.free) return;
    const session = this.make("agent", "", title, {}, null);
    session.tabs.push(this.tab("", title, href, true));
    session.tab = session.tabs[0]?.id ?? "";
    this.all.push(session);
    this.focus(session.id);
  }

  /** @param {string} id  of any session */
  focus(id) {
    const session = this.all.find((candidate) => candidate.id === id);
    if (!session) throw new Refusal("There is no such session");
    const before = this.focused;
    this.focused = session;
    session.marked = false;
    this.changed();
    if (before === session) return;
    this.tellFocus(before, false);
    this.tellFocus(session, true);
  }

  /**
   * Draw the agent's attention to a session of the provider.
   *
   * @param {string} id
   */
  mark(id) {
    const session = this.providers(id);
    session.marked = this.focused !== session;
    this.changed();
  }

  /** @param {string} id */
  close(id) {
    const session = this.own(id);
    this.all = this.all.filter((candidate) => candidate !== session);
    if (this.focused === session) this.focused = this.home;
    this.changed();
    if (session.owner === "provider") {
      this.emit("onSessionClosed", { sessionId: id, context: session.context });
    }
  }

  /** @param {any} input  {sessionId, title} or slugs of the template's title */
  setTitle(input) {
    const session = this.providers(input?.sessionId);
    this.checkFocus();
    const { sessionId, title, ...slugs } = input;
    const template = this.templates().sessions[session.template];
    session.title = title ?? fill(template?.title ?? "", { ...session.slugs, ...slugs });
    Object.assign(session.slugs, slugs);
    this.changed();
  }

  /**
   * Slugs for what comes later; what is shown already stays.
   *
   * @param {any} input
   * @param {string} id
   * @param {boolean} isDelete
   */
  updateContext(input, id, isDelete) {
    const session = this.providers(id);
    if (typeof input !== "object" || input === null) throw new Refusal("The context is no object");
    for (const [name, value] of Object.entries(input)) {
      if (isDelete) delete session.slugs[name];
      else session.slugs[name] = value;
    }
    this.changed();
    return id;
  }

  /** @param {any} input  {templateName, templateParameters, isFocused} */
  createTab(input) {
    this.checkFocus();
    const session = this.focused;
    if (!this.templates().tabs[input?.templateName]) {
      throw new Refusal("ApplicationTabTemplateNotFoundError");
    }
    const tab = this.open(session, input.templateName, input.templateParameters ?? {});
    if (input.isFocused) session.tab = tab.id;
    this.changed();
    return tab.id;
  }

  /** @param {string} [template] */
  getTabs(template) {
    if (this.focused.owner !== "provider") return [];
    const tabs = this.focused.tabs.filter((tab) => !template || tab.template === template);
    return tabs.map((tab) => tab.id);
  }

  /** @param {string} id  of a tab in the session in focus */
  focusTab(id) {
    this.checkFocus();
    this.focused.tab = this.find(id).id;
    this.changed();
  }

  /**
   * @param {string} id
   * @param {any} input  {title}
   */
  setTabTitle(id, input) {
    this.checkFocus();
    const tab = this.find(id);
    if (typeof input?.title !== "string") throw new Refusal("The title is no text");
    tab.title = fill(input.title, this.focused.slugs);
    this.changed();
    return tab.title;
  }

  /** @param {string} id */
  refreshTab(id) {
    this.checkFocus();
    this.find(id).loads += 1;
    this.changed();
  }

  /** @param {string} id  of a tab other than the anchor */
  closeTab(id) {
    const session = this.focused;
    const tab = this.find(id);
    if (tab.anchor) throw new Refusal("The anchor tab cannot be closed");
    session.tabs = session.tabs.filter((candidate) => candidate !== tab);
    if (session.tab === id) session.tab = session.tabs[0]?.id ?? "";
    this.changed();
  }

  /**
   * Open a page in the session in focus, as searchAndOpenRecords and openForm do.
   *
   * @param {string} href
   * @param {string} title
   */
  openPage(href, title) {
    const tab = this.tab("", title, href, false);
    this.focused.tabs.push(tab);
    this.focused.tab = tab.id;
    this.changed();
    return tab.id;
  }

  /** @param {string} id */
  providers(id) {
    const session = this.ours.find((candidate) => candidate.id === id);
    if (!session) throw new Refusal("The provider has no such session");
    return session;
  }

  /** @param {string} id */
  own(id) {
    const session = this.all.find((candidate) => candidate.id === id);
    if (!session || session.owner === "home") throw new Refusal("There is no such session");
    return session;
  }

  checkFocus() {
    if (this.focused.owner === "agent") {
      throw new Refusal("The session in focus does not belong to the provider");
    }
  }

  /** @param {string} id */
  find(id) {
    const tab = this.focused.tabs.find((candidate) => candidate.id === id);
    if (!tab) throw new Refusal("The session in focus has no such tab");
    return tab;
  }

  /**
   * @param {Session['owner']} owner
   * @param {string} template
   * @param {string} title
   * @param {Parameters} given
   * @param {any} context
   * @returns {Session}
   */
  make(owner, template, title, given, context) {
    const slugs = Object.fromEntries(
      Object.entries(given).filter(([, value]) => typeof value !== "object"),
    );
    const id = owner === "home" ? "session-id-0" : `session-id-${++this.count}`;
    const shown = fill(title, slugs);
    return { id, owner, template, title: shown, slugs, context, tabs: [], tab: "", marked: false };
  }

  /**
   * @param {Session} session
   * @param {string} name  of the tab's template; "" for the dashboard
   * @param {Parameters} given
   */
  open(session, name, given) {
    const { tabs, appId } = this.templates();
    const template = tabs[name] ?? DASHBOARD;
    const plain = Object.entries(given).filter(([, value]) => typeof value !== "object");
    const slugs = { ...session.slugs, ...Object.fromEntries(plain) };
    const values = parameters(name, template, slugs, given);
    const tab = this.tab(name, fill(template.title, slugs), address(template, values, appId), false);
    session.tabs.push(tab);
    return tab;
  }

  /**
   * @param {string} template
   * @param {string} title
   * @param {string} href
   * @param {boolean} anchor
   * @returns {Tab}
   */
  tab(template, title, href, anchor) {
    return { id: `tab-id-${++this.count}`, template, title, href, anchor, loads: 0 };
  }

  /**
   * @param {Session} session
   * @param {boolean} focussed
   */
  tellFocus(session, focussed) {
    if (session.owner !== "provider" || !this.all.includes(session)) return;
    this.emit("onSessionSwitched", { sessionId: session.id, focussed, context: session.context });
  }
}
