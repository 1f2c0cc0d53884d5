/** Dynamics as the panel uses it: one typed call per thing done, with answers in one form and a time limit each. */

/** @import {Answer, Framework, Plan, RecordName} from './types.js' */

import {
  affirmed, fields, identifier, identifiers, mentions, notified, record, refusal, rows, unwrapped,
} from './answers.js';

const LIMIT_MS = 15_000; // the framework gives up after 10 s itself where it is documented to
const DOCKED = 1;

/** Dynamics refused a call, or did not answer in time. `why` is the framework's word for it and holds no values. */
export class Refused extends Error {
  /**
   * @param {string} call  name of the method
   * @param {string} why
   */
  constructor(call, why) {
    super(`${call} was refused`);
    this.call = call;
    this.why = why;
  }
}

/**
 * The answer to a call; null if Dynamics refused it.
 *
 * @template T
 * @param {Promise<T>} call
 * @returns {Promise<T | null>}
 */
export async function attempted(call) {
  try {
    return await call;
  } catch (error) {
    if (error instanceof Refused) return null;
    throw error;
  }
}

/**
 * Whether Dynamics did what it was asked.
 *
 * @param {Promise<void>} call
 * @returns {Promise<boolean>}
 */
export async function carried(call) {
  return (await attempted(call.then(() => true))) ?? false;
}

/** Thin typed wrapper round `Microsoft.CIFramework`. Every method rejects with `Refused` alone. */
export class Dynamics {
  /**
   * @param {Framework} framework
   * @param {{limitMs?: number}} [options]
   */
  constructor(framework, {limitMs = LIMIT_MS} = {}) {
    this.framework = framework;
    this.limitMs = limitMs;
  }

  /**
   * Show a notification and wait for what becomes of it: as long as its template lets it stand.
   *
   * @param {string} templateName
   * @param {Record<string, string>} templateParameters
   * @param {string} cancellationToken
   * @returns {Promise<Answer>}
   */
  async notify(templateName, templateParameters, cancellationToken) {
    const input = {templateName, templateParameters, cancellationToken};
    return notified(await this.#call('notifyEvent', () => this.framework.notifyEvent(input), 0));
  }

  /** @param {string} token */
  async cancel(token) {
    await this.#call('cancelEvent', () => this.framework.cancelEvent(token));
  }

  /** Whether there is room for another session. */
  async roomForSession() {
    return affirmed(await this.#call('canCreateSession', () => this.framework.canCreateSession()));
  }

  /**
   * Open a session. Without a time limit of ours: an answer that came too late would leave a session nobody knows.
   *
   * @param {Plan} plan
   * @returns {Promise<string>} the session's id
   */
  async openSession({sessionTemplate: templateName, parameters: templateParameters}) {
    const input = {templateName, templateParameters};
    const id = identifier(await this.#call('createSession', () => this.framework.createSession(input), 0));
    if (!id) throw new Refused('createSession', 'no session id');
    return id;
  }

  /**
   * Open a tab in the focused session.
   *
   * @param {string} templateName
   * @param {Record<string, string>} templateParameters
   * @param {boolean} isFocused
   */
  async openTab(templateName, templateParameters, isFocused) {
    await this.#call('createTab', () => this.framework.createTab({templateName, templateParameters, isFocused}));
  }

  /**
   * Whether the focused session has a tab of a template already, such as one its session template brought along.
   *
   * @param {string} templateName
   */
  async hasTab(templateName) {
    const tabs = await attempted(this.#call('getTabs', () => this.framework.getTabs(templateName)));
    return identifiers(tabs).length > 0; // none where an older release cannot say
  }

  /** Ids of the sessions that are ours and open. */
  async sessions() {
    return identifiers(await this.#call('getAllSessions', () => this.framework.getAllSessions()));
  }

  /**
   * Whether a session was opened for a contact: its context says so.
   *
   * @param {string} sessionId
   * @param {string} contactId
   */
  async belongs(sessionId, contactId) {
    return mentions(await this.#call('getSession', () => this.framework.getSession(sessionId)), contactId);
  }

  /** Id of the focused session if it is ours, else empty. */
  async focused() {
    return identifier(await this.#call('getFocusedSession', () => this.framework.getFocusedSession()));
  }

  /**
   * Ask for a session to come to the front; Dynamics may only mark it.
   *
   * @param {string} sessionId
   */
  async focus(sessionId) {
    await this.#call('requestFocusSession', () => this.framework.requestFocusSession(sessionId));
  }

  /**
   * Give a session its title: the text, and the slugs that the template's own title is made of.
   *
   * @param {string} sessionId
   * @param {Plan} plan
   */
  async entitle(sessionId, {title, parameters}) {
    const input = {...parameters, title, sessionId};
    await this.#call('setSessionTitle', () => this.framework.setSessionTitle(input));
  }

  /**
   * Give a session's slugs their later values.
   *
   * @param {string} sessionId
   * @param {Record<string, string>} slugs
   */
  async inform(sessionId, slugs) {
    await this.#call('updateContext', () => this.framework.updateContext(slugs, sessionId));
  }

  /**
   * Whether a record exists and the agent may read it. Only its key is read.
   *
   * @param {RecordName} record
   * @param {string} key  the column of its primary key
   */
  async exists({table, id}, key) {
    const options = `?$select=${key}`;
    // Not there yet, not readable, no answer: all are "not now".
    const found = await attempted(this.#call('retrieveRecord', () => this.framework.retrieveRecord(table, id, options)));
    return mentions(found, id); // an answer may also be a text about what is wrong
  }

  /**
   * A column's text of a record; empty if it cannot be read.
   *
   * @param {RecordName} record
   * @param {string} column
   */
  async text({table, id}, column) {
    const options = `?$select=${column}`;
    const found = await attempted(this.#call('retrieveRecord', () => this.framework.retrieveRecord(table, id, options)));
    const text = fields(found)[column];
    return typeof text === 'string' ? text : '';
  }

  /** Bring the panel to where it is seen. */
  async showPanel() {
    await this.#call('setMode', () => this.framework.setMode(DOCKED));
  }

  /**
   * Where the panel stands: the app's id, the record on the form in front, and the provider's custom parameters as the
   * administrator typed them.
   *
   * @returns {Promise<{appId: string, form: RecordName | null, customParameters: string}>}
   */
  async environment() {
    const found = fields(await this.#call('getEnvironment', () => this.framework.getEnvironment()));
    const {appid, appId = appid, etn, id, customParams} = found;
    return {
      form: record(etn, id),
      appId: String(appId ?? '').replace(/[{}]/g, '').toLowerCase(),
      customParameters: typeof customParams === 'string' ? customParams : JSON.stringify(customParams ?? ''),
    };
  }

  /**
   * Ids of the records of a table with a value in a column, two at most. Nothing is opened.
   *
   * @param {string} table
   * @param {string} key  the column of its primary key
   * @param {string} column
   * @param {string} value
   */
  async find(table, key, column, value) {
    const quoted = `'${value.replaceAll("'", "''")}'`;
    // Whether the framework encodes a filter's value is not documented; wrongly encoded it finds nothing.
    for (const text of new Set([quoted, encodeURIComponent(quoted)])) {
      const options = `?$select=${key}&$filter=${column} eq ${text}&$top=2`;
      const call = () => this.framework.searchAndOpenRecords(table, options, true);
      const found = rows(await attempted(this.#call('searchAndOpenRecords', call)));
      const ids = found.map((row) => record(table, row[key])?.id ?? '').filter(Boolean);
      if (ids.length) return ids;
    }
    return [];
  }

  /** Have phone numbers on forms clickable. */
  async allowClicks() {
    await this.#call('setClickToAct', () => this.framework.setClickToAct(true));
  }

  /**
   * Listen to an event. The framework expects a promise of every handler and gives its data as JSON text.
   *
   * @param {string} event
   * @param {(data: Record<string, unknown>) => void} handler
   */
  async on(event, handler) {
    const listening = async (/** @type {unknown} */ data) => {
      handler(fields(data));
      return '';
    };
    await this.#call('addHandler', async () => this.framework.addHandler(event, listening));
  }

  /**
   * @param {string} name
   * @param {() => Promise<unknown>} begin
   * @param {number} limitMs  0: no limit
   * @returns {Promise<unknown>}
   */
  async #call(name, begin, limitMs = this.limitMs) {
    /** @type {ReturnType<typeof setTimeout> | undefined} */
    let timer;
    const late = new Promise((_resolve, reject) => {
      if (limitMs) timer = setTimeout(() => reject(new Refused(name, 'no answer')), limitMs);
    });
    try {
      return unwrapped(await Promise.race([begin(), late]));
    } catch (error) {
      throw error instanceof Refused ? error : new Refused(name, refusal(error));
    } finally {
      clearTimeout(timer);
    }
  }
}
