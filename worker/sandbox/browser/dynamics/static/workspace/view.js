// @ts-check
/**
 * What the workspace looks like: sessions, tabs with their pages, notifications, the panel.
 *
 * @typedef {import("./framework.js").Workspace} Workspace
 * @typedef {import("./sessions.js").Session} Session
 * @typedef {import("./sessions.js").Tab} Tab
 * @typedef {import("./notifications.js").Notification} Notification
 * @typedef {{label: string, url: string, sandbox?: string}} Provider
 */

import { button, element, replace, required } from "./elements.js";

const EVERY_MS = 500; // how often countdowns are written anew
const MODES = ["minimized", "docked", "hidden"];
const ALLOWED = "microphone; camera; autoplay; clipboard-write; display-capture";

export class View {
  /**
   * @param {Workspace} workspace
   * @param {Provider|null} provider
   * @param {string} sandbox  of the panel's frame, unless the provider has its own
   */
  constructor(workspace, provider, sandbox) {
    this.workspace = workspace;
    this.panel = required("#panel");
    this.frame = this.panelFrame(provider, sandbox);
    /** @type {Map<string, {frame: HTMLIFrameElement, loads: number}>} */
    this.frames = new Map();
    required("#panel-toggle").addEventListener("click", () => this.toggle());
    const { sessions } = workspace;
    const closeTab = () => sessions.closeTab(sessions.focused.tab);
    required("#close-tab").addEventListener("click", closeTab);
    setInterval(() => this.countDown(), EVERY_MS);
  }

  show() {
    this.showPanel();
    this.showSessions();
    this.showTabs();
    this.showFrames();
    this.showNotifications();
  }

  panelWindow() {
    return this.frame?.contentWindow ?? null;
  }

  panelOrigin() {
    return this.frame ? new URL(this.frame.src).origin : "";
  }

  /** @param {MessageEventSource|null} source */
  isTab(source) {
    return [...this.frames.values()].some(({ frame }) => frame.contentWindow === source);
  }

  /** The address of the page in view. */
  location() {
    return this.frames.get(this.workspace.sessions.focused.tab)?.frame.src ?? "";
  }

  /**
   * @param {Provider|null} provider
   * @param {string} sandbox
   */
  panelFrame(provider, sandbox) {
    const label = provider?.label ?? "Channel provider";
    required("#panel-label").textContent = label;
    const body = required("#panel-body");
    if (!provider || !/^https:|^http:\/\/(localhost|127\.0\.0\.1)(:|\/|$)/.test(provider.url)) {
      body.append(element("p", { class: "empty" }, "No channel provider is set up."));
      return null;
    }
    const frame = element("iframe", { title: label, allow: ALLOWED, "data-panel": "" });
    const limits = provider.sandbox || sandbox;
    if (limits) frame.setAttribute("sandbox", limits);
    frame.src = provider.url;
    body.append(frame);
    return frame;
  }

  toggle() {
    const { panel, emit, changed } = this.workspace;
    panel.mode = panel.mode === 1 ? 0 : 1;
    changed();
    emit("onmodechanged", { value: panel.mode });
  }

  showPanel() {
    const { panel } = this.workspace;
    this.panel.dataset.mode = MODES[panel.mode] ?? "docked";
    this.panel.style.setProperty("--width", `${Math.max(panel.width, 280)}px`);
    const toggle = required("#panel-toggle");
    toggle.setAttribute("aria-expanded", String(panel.mode === 1));
    toggle.textContent = panel.mode === 1 ? "Minimize" : "Open";
    required("#presence").textContent = panel.presence;
  }

  showSessions() {
    const { sessions } = this.workspace;
    const items = sessions.all.map((session) => this.sessionItem(session));
    replace(required("#sessions"), items, "session");
  }

  /** @param {Session} session */
  sessionItem(session) {
    const { sessions } = this.workspace;
    const focused = session === sessions.focused;
    const choose = button(session.title, () => sessions.focus(session.id), {
      "data-session": session.id,
      "data-owner": session.owner,
      ...(focused ? { "aria-current": "true" } : {}),
      ...(session.marked ? { "data-marked": "true" } : {}),
    });
    const item = element("li", { class: focused ? "session current" : "session" }, choose);
    if (session.owner !== "home") {
      const close = () => sessions.close(session.id);
      item.append(button("×", close, { class: "close", "aria-label": `Close ${session.title}` }));
    }
    return item;
  }

  showTabs() {
    const { focused } = this.workspace.sessions;
    const items = focused.tabs.map((tab) => this.tabItem(focused, tab));
    replace(required("#tabs"), items, "tab");
    const current = focused.tabs.find((tab) => tab.id === focused.tab);
    required("#close-tab").hidden = !current || current.anchor;
  }

  /**
   * @param {Session} session
   * @param {Tab} tab
   */
  tabItem(session, tab) {
    const chosen = session.tab === tab.id;
    const choose = () => {
      session.tab = tab.id;
      this.show();
    };
    return button(tab.title, choose, {
      class: chosen ? "tab current" : "tab",
      role: "tab",
      id: `choose-${tab.id}`,
      "aria-selected": String(chosen),
      "aria-controls": `page-${tab.id}`,
      "data-tab": tab.id,
      "data-template": tab.template,
    });
  }

  /** Pages stay loaded while their tab is there. */
  showFrames() {
    const { all, focused } = this.workspace.sessions;
    const tabs = all.flatMap((session) => session.tabs);
    const kept = new Set(tabs.map((tab) => tab.id));
    for (const [id, { frame }] of this.frames) {
      if (kept.has(id)) continue;
      frame.parentElement?.remove();
      this.frames.delete(id);
    }
    for (const tab of tabs) {
      const { frame } = this.tabFrame(tab);
      if (frame.title !== tab.title) frame.title = tab.title;
      const hidden = tab.id !== focused.tab;
      if (frame.parentElement) frame.parentElement.hidden = hidden;
    }
  }

  /** @param {Tab} tab */
  tabFrame(tab) {
    const known = this.frames.get(tab.id);
    if (known && known.loads !== tab.loads) known.frame.contentWindow?.location.reload();
    if (known) {
      known.loads = tab.loads;
      return known;
    }
    const frame = element("iframe", { title: tab.title, "data-frame": tab.id });
    frame.addEventListener("load", () => this.navigated(frame));
    frame.src = tab.href;
    const page = element("div", {
      role: "tabpanel",
      id: `page-${tab.id}`,
      "aria-labelledby": `choose-${tab.id}`,
    });
    page.append(frame);
    required("#pages").append(page);
    const made = { frame, loads: tab.loads };
    this.frames.set(tab.id, made);
    return made;
  }

  /** @param {HTMLIFrameElement} frame */
  navigated(frame) {
    if (frame.parentElement?.hidden) return;
    this.workspace.emit("onpagenavigate", { value: frame.contentWindow?.location.href ?? "" });
  }

  showNotifications() {
    const { shown } = this.workspace.notifications;
    const region = required("#notifications");
    const kept = new Set(shown.map((notification) => notification.id));
    for (const toast of [...region.children]) {
      if (!kept.has(toast.id)) toast.remove();
    }
    for (const notification of shown) {
      if (!document.getElementById(notification.id)) region.append(this.toast(notification));
    }
    this.countDown();
  }

  /** @param {Notification} notification */
  toast(notification) {
    const { id, template, title, fields } = notification;
    const { notifications } = this.workspace;
    const heading = element("h2", { id: `${id}-title` }, title);
    const list = element("dl", {});
    for (const { title: label, value } of fields) {
      list.append(element("dt", {}, label), element("dd", {}, value));
    }
    const time = element("p", { class: "countdown", "data-ends": String(notification.endsAt) });
    time.hidden = !template.countdownShown;
    const actions = element("div", { class: "actions" });
    const accept = () => notifications.accept(id);
    actions.append(button(template.accept, accept, { class: "accept", "data-action": "accept" }));
    if (template.rejectShown) {
      const reject = () => notifications.reject(id);
      actions.append(button(template.reject, reject, { class: "reject", "data-action": "reject" }));
    }
    const toast = element("section", {
      id,
      class: "toast",
      role: "alertdialog",
      "aria-labelledby": `${id}-title`,
      "data-toast": notification.token,
    });
    toast.append(heading, list, time, actions);
    return toast;
  }

  countDown() {
    for (const time of document.querySelectorAll("[data-ends]")) {
      const left = Number(time.getAttribute("data-ends")) - Date.now();
      time.textContent = `${Math.max(0, Math.ceil(left / 1000))} s left`;
    }
  }
}
