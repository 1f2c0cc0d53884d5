// @ts-check
/**
 * The methods of Microsoft.CIFramework, as the workspace carries them out.
 *
 * What Microsoft documents as a "String" that holds an object is `json`; ids, numbers and flags
 * are plain.
 *
 * @typedef {import("./sessions.js").Sessions} Sessions
 * @typedef {import("./notifications.js").Notifications} Notifications
 * @typedef {import("./data.js").Data} Data
 * @typedef {{mode: number, width: number, clickToAct: boolean, presence: string}} Panel
 * @typedef {{sessions: Sessions, notifications: Notifications, data: Data, panel: Panel,
 *   setup: () => Promise<any>, environment: () => any,
 *   switches: () => {presences: string[], focusRequest: string},
 *   raise: (name: string, data: any) => void,
 *   emit: (name: string, data: any) => void, changed: () => void}} Workspace
 * @typedef {(workspace: Workspace, ...args: any[]) => any} Method
 */

import { Refusal } from "./refusal.js";

const MODES = [0, 1, 2]; // minimised, docked, hidden
const SEARCHED = ["account", "contact", "activity", "activitypointer"];

/** An object that a method gives as text. */
export class Json {
  /** @param {any} value */
  constructor(value) {
    this.value = value;
  }
}

/** @param {any} value */
const json = (value) => new Json(value);

/** @type {Record<string, Method>} */
const METHODS = {
  async notifyEvent(workspace, input, _correlation, token) {
    if (input?.templateName === undefined) throw new Refusal("RejectAfterClientError");
    await known(workspace, "notifications", input.templateName);
    const cancellationToken = input.cancellationToken ?? token;
    const value = await workspace.notifications.notify({ ...input, cancellationToken });
    return json({ value });
  },
  cancelEvent: ({ notifications }, token) => notifications.cancel(token),

  canCreateSession: ({ sessions }) => sessions.free,
  async createSession(workspace, input) {
    await known(workspace, "sessions", input?.templateName);
    return workspace.sessions.create(input);
  },
  getFocusedSession: ({ sessions }) =>
    sessions.focused.owner === "provider" ? sessions.focused.id : null,
  getSession({ sessions }, id) {
    const { context, slugs } = sessions.providers(id);
    const isFocused = sessions.focused.id === id;
    return json({ sessionId: id, conversationId: "", context: { ...slugs, ...context }, isFocused });
  },
  getAllSessions: ({ sessions }) => sessions.ours.map((session) => session.id),
  requestFocusSession({ sessions, switches }, id) {
    sessions.providers(id);
    if (switches().focusRequest === "focus") sessions.focus(id);
    else sessions.mark(id);
    return null;
  },
  setSessionTitle({ sessions }, input) {
    sessions.setTitle(input);
    return null;
  },
  updateContext: ({ sessions }, input, id, isDelete) =>
    sessions.updateContext(input, id, isDelete === true),

  async createTab(workspace, input) {
    workspace.sessions.checkFocus();
    await known(workspace, "tabs", input?.templateName);
    return workspace.sessions.createTab(input);
  },
  focusTab({ sessions }, id) {
    sessions.focusTab(id);
    return null;
  },
  getTabs: ({ sessions }, template) => sessions.getTabs(template ?? ""),
  getFocusedTab: ({ sessions }) =>
    sessions.focused.owner === "provider" ? sessions.focused.tab : null,
  setTabTitle: ({ sessions }, id, input) => sessions.setTabTitle(id, input),
  refreshTab({ sessions }, id) {
    sessions.refreshTab(id);
    return null;
  },
  closeTab({ sessions }, id) {
    sessions.closeTab(id);
    return null;
  },

  searchAndOpenRecords: async (workspace, table, query, searchOnly) =>
    json(await searchAndOpen(workspace, table, String(query ?? ""), searchOnly === true)),
  renderSearchPage(workspace, _table, text, _correlation, searchType) {
    openSearch(workspace, String(text ?? ""), Number(searchType ?? 0));
    return json({});
  },
  openForm(workspace, options) {
    const { entityName, entityId } = read(options);
    if (typeof entityName !== "string") throw new Refusal("entityName is missing");
    openRecord(workspace, entityName, entityId ?? "", entityName);
    return json({});
  },

  retrieveRecord: async ({ data }, table, id, options) =>
    json(await data.retrieve(table, id, options ?? "")),
  createRecord: async ({ data }, table, columns) => json(await data.create(table, read(columns))),
  updateRecord: async ({ data }, table, id, columns) =>
    json(await data.update(table, id, read(columns))),
  deleteRecord: async ({ data }, table, id) => json(await data.remove(table, id)),

  setMode(workspace, mode) {
    if (!MODES.includes(mode)) throw new Refusal("The mode is 0, 1 or 2");
    const before = workspace.panel.mode;
    workspace.panel.mode = mode;
    workspace.changed();
    if (before !== mode) workspace.emit("onmodechanged", { value: mode });
    return null;
  },
  getMode: ({ panel }) => panel.mode,
  setWidth(workspace, width) {
    if (!Number.isInteger(width) || width < 0) throw new Refusal("The width is a number of pixels");
    workspace.panel.width = width;
    workspace.changed();
    workspace.emit("onsizechanged", { value: width });
    return null;
  },
  getWidth: ({ panel }) => panel.width,
  setPresence({ panel, switches, changed, emit }, text) {
    if (!switches().presences.includes(text)) return false;
    panel.presence = text;
    changed();
    emit("onPresenceChange", { presenceInfo: text });
    return true;
  },
  getPresence: ({ panel }) => panel.presence,
  setClickToAct({ panel }, value) {
    if (typeof value !== "boolean") throw new Refusal("setClickToAct takes true or false");
    panel.clickToAct = value;
    return null;
  },
  getClickToAct: ({ panel }) => panel.clickToAct,
  getEnvironment: ({ environment }) => json(environment()),
  raiseEvent({ raise }, name, data) {
    raise(name, data);
    return null;
  },
};

/**
 * Carry out a call.
 *
 * @param {Workspace} workspace
 * @param {string} method
 * @param {any[]} args
 * @returns {Promise<any>}
 */
export async function carryOut(workspace, method, args) {
  const run = Object.hasOwn(METHODS, method) ? METHODS[method] : undefined;
  if (!run) throw new Refusal(`${method} is no method of Microsoft.CIFramework`);
  return run(workspace, ...args);
}

/**
 * Read the templates again if one is not known: it may be new.
 *
 * @param {Workspace} workspace
 * @param {'notifications'|'sessions'|'tabs'} kind
 * @param {string} name
 */
async function known(workspace, kind, name) {
  const { sessions, notifications } = workspace;
  const templates = kind === "notifications" ? notifications.templates() : sessions.templates()[kind];
  if (!templates[name]) await workspace.setup();
}

/**
 * @param {Workspace} workspace
 * @param {string} table
 * @param {string} query
 * @param {boolean} searchOnly
 */
async function searchAndOpen(workspace, table, query, searchOnly) {
  const rows = await workspace.data.query(table, query);
  if (searchOnly) return rows;
  workspace.sessions.checkFocus();
  const term = /(?:^|[?&])\$search=([^&]*)/.exec(query)?.[1];
  if (term === undefined && rows.length === 1) {
    const { key, name } = await workspace.data.table(table);
    openRecord(workspace, table, rows[0][key], String(rows[0][name] ?? table));
  } else if (term !== undefined || SEARCHED.includes(table)) {
    openSearch(workspace, term ?? "", 1);
  }
  return rows;
}

/**
 * @param {Workspace} workspace
 * @param {string} table
 * @param {string} id
 * @param {string} title
 */
function openRecord(workspace, table, id, title) {
  const query = new URLSearchParams({ pagetype: "entityrecord", etn: table, id, navbar: "off" });
  workspace.sessions.openPage(`/main.aspx?${query}`, title);
}

/**
 * @param {Workspace} workspace
 * @param {string} text
 * @param {number} type
 */
function openSearch(workspace, text, type) {
  const query = new URLSearchParams({ pagetype: "search", searchText: text, navbar: "off" });
  query.set("searchType", String(type));
  workspace.sessions.openPage(`/main.aspx?${query}`, "Search");
}

/** @param {any} value  an object, or JSON of one */
function read(value) {
  const object = typeof value === "string" ? JSON.parse(value) : value;
  if (typeof object !== "object" || object === null) throw new Refusal("No object was given");
  return object;
}
