/**
 * Customer Service for the panel's tests: the documented framework, scripted, which refuses what Dynamics refuses.
 *
 * Answers come as JSON text, as objects or as Maps; refusals as objects or as text.
 */

const ROOM = 10;

/** @typedef {'text' | 'object' | 'map'} Form */

export class CustomerService {
  /** @param {{form?: Form, focusesNew?: boolean}} [options] */
  constructor({form = 'text', focusesNew = true} = {}) {
    this.form = form;
    this.focusesNew = focusesNew;
    this.log = [];
    this.toasts = new Map(); // token -> {input, resolve, reject}
    this.sessions = [];
    this.focused = null;
    this.records = new Map(); // "table/id" -> columns
    this.unknown = new Set(); // templates that are not there
    this.refusals = new Map(); // method -> reasons, one for each call
    this.handlers = new Map();
    this.count = 0;
    this.mode = 0;
    this.inFront = null; // {etn, id} of the form that the agent sees
  }

  /** What the page finds as `Microsoft.CIFramework`. */
  get framework() {
    const methods = {};
    for (const name of METHODS) {
      methods[name] = async (...given) => {
        this.log.push([name, ...given]);
        const refusal = this.refusals.get(name)?.shift();
        if (refusal) throw this.#refusal(refusal);
        return this[name](...given);
      };
    }
    return methods;
  }

  calls(name) {
    return this.log.filter(([called]) => called === name).map(([, ...given]) => given);
  }

  notifyEvent({templateName, templateParameters, cancellationToken}) {
    if (this.unknown.has(templateName)) throw this.#refusal('NotificationTemplateNotFoundError');
    if (this.toasts.size >= ROOM) return this.#given({actionName: 'Reject', responseReason: 'NotificationQueueLimitExceeded'});
    return new Promise((resolve, reject) => {
      this.toasts.set(cancellationToken, {templateName, templateParameters, resolve, reject});
    });
  }

  cancelEvent(token) {
    const toast = this.toasts.get(token);
    this.toasts.delete(token);
    toast?.resolve(this.#given({actionName: 'Reject', responseReason: 'DeclinedByAgent'})); // nothing documents what it says
    return token;
  }

  /** A person, or time, answers the only toast on screen. */
  answer(actionName, responseReason) {
    const [[token, toast]] = [...this.toasts];
    this.toasts.delete(token);
    toast.resolve(this.#given({actionName, responseReason}));
  }

  canCreateSession() {
    return this.#plain(this.sessions.length < ROOM);
  }

  createSession({templateName, templateParameters}) {
    if (this.unknown.has(templateName)) throw this.#refusal('Session template not found');
    if (this.sessions.length >= ROOM) throw this.#refusal('Session limit exceeded');
    const session = {
      id: `session-${++this.count}`, templateName, context: {...templateParameters}, tabs: [],
      title: templateParameters.customerName, ours: true,
    };
    this.sessions.push(session);
    if (this.focusesNew) void this.turnTo(session.id);
    return this.#plain(session.id);
  }

  createTab({templateName, templateParameters, isFocused}) {
    const session = this.#session(this.focused);
    if (this.focused && !session?.ours) throw this.#refusal('The focused session is not of this provider');
    if (this.unknown.has(templateName)) throw this.#refusal('Tab template not found');
    if (templateName.endsWith('_activity')) {
      const key = `${templateParameters.ms_entityrecord_entity_name}/${templateParameters.ms_entityrecord_record_id}`;
      if (!this.records.has(key)) throw this.#refusal('Record not valid');
    }
    session.tabs.push({templateName, isFocused, ...templateParameters});
    return this.#plain(`tab-${++this.count}`);
  }

  getTabs(templateName) {
    const tabs = this.#session(this.focused)?.tabs ?? [];
    return this.#plain(tabs.filter((tab) => tab.templateName === templateName).map((_, at) => `tab-${at}`));
  }

  getAllSessions() {
    return this.#plain(this.sessions.filter(({ours}) => ours).map(({id}) => id));
  }

  getSession(id) {
    const session = this.#session(id);
    if (!session?.ours) throw this.#refusal('no such session');
    return this.#given({sessionId: id, context: session.context, isFocused: id === this.focused});
  }

  getFocusedSession() {
    return this.#session(this.focused)?.ours ? this.#plain(this.focused) : null;
  }

  requestFocusSession(id) {
    if (!this.#session(id)) throw this.#refusal('no such session');
    void this.turnTo(id);
  }

  setSessionTitle({sessionId, ...slugs}) {
    if (!this.#session(this.focused)?.ours) throw this.#refusal('not in focus');
    this.#session(sessionId).title = slugs.customerName;
  }

  updateContext(slugs, id) {
    Object.assign(this.#session(id).context, slugs);
    return this.#plain('');
  }

  retrieveRecord(table, id) {
    const columns = this.records.get(`${table}/${id}`);
    if (!columns) throw this.#refusal('Entity Does Not Exist');
    return this.#given(columns);
  }

  searchAndOpenRecords(table, options, searchOnly) {
    if (searchOnly !== true) throw this.#refusal('this would open a page');
    const [, key, column, value] = /^\?\$select=(\w+)&\$filter=(\w+) eq '(.*)'&\$top=2$/.exec(options) ?? [];
    const found = [...this.records].filter(([name, columns]) => name.startsWith(`${table}/`) && columns[column] === value);
    return this.#given(Object.fromEntries(found.slice(0, 2).map(([name], at) => [at, {[key]: name.split('/')[1]}])));
  }

  setMode(mode) {
    this.mode = mode;
  }

  getEnvironment() {
    const {etn = '', id = ''} = this.inFront ?? {};
    return this.#given({appid: '{12345678-1234-4234-8234-123456789ABC}', etn, id, customParams: this.parameters ?? ''});
  }

  setClickToAct(on) {
    this.clicks = on;
  }

  addHandler(name, handler) {
    this.handlers.set(name, handler);
  }

  /** The agent turns to a session; null: home. */
  async turnTo(id) {
    const before = this.focused;
    this.focused = id;
    if (before && before !== id) await this.raise('onSessionSwitched', {sessionId: before, focussed: false});
    if (id) await this.raise('onSessionSwitched', {sessionId: id, focussed: true});
  }

  /** The agent closes a session. */
  async close(id) {
    this.sessions = this.sessions.filter((session) => session.id !== id);
    if (this.focused === id) this.focused = null;
    await this.raise('onSessionClosed', {sessionId: id});
  }

  /** Dynamics wants a promise of every handler, and gives text. */
  async raise(name, data) {
    const handler = this.handlers.get(name);
    if (!handler) return;
    const answer = handler(JSON.stringify(data));
    if (typeof answer?.then !== 'function') throw new Error(`the handler of ${name} returns no promise`);
    await answer;
  }

  #session(id) {
    return this.sessions.find((session) => session.id === id);
  }

  #given(fields) {
    if (this.form === 'map') return new Map(Object.entries(fields));
    if (this.form === 'object') return {value: fields, ...fields};
    return JSON.stringify(fields);
  }

  #plain(value) {
    return this.form === 'text' ? JSON.stringify(value) : value;
  }

  #refusal(message) {
    return this.form === 'text' ? JSON.stringify({message, msdyn_name: 'x'}) : {message};
  }
}

const METHODS = [
  'notifyEvent', 'cancelEvent', 'canCreateSession', 'createSession', 'createTab', 'getTabs', 'getAllSessions', 'getSession',
  'getFocusedSession', 'requestFocusSession', 'setSessionTitle', 'updateContext', 'retrieveRecord', 'setMode', 'searchAndOpenRecords',
  'getEnvironment', 'setClickToAct', 'addHandler',
];
