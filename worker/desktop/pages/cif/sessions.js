/**
 * Sessions of connected contacts in Customer Service: opened once each, completed as values come, never reopened.
 *
 * The session template brings the first tab (the customer, or the search). Dynamics opens a tab in the focused session
 * only, so what comes for another is kept until the agent turns to it.
 */

/** @import {Session, Target} from '../core/types.js' */
/** @import {Dynamics} from './dynamics.js' */
/** @import {Store} from './storage.js' */

import {Refused} from './dynamics.js';
import {Queue} from './queue.js';

const KEY = 'sessions';
const REMEMBERED = 200; // contacts
const PATIENCE_MS = 20_000; // others are not kept waiting longer for a session that does not open

/**
 * @typedef {'opening' | 'open' | 'closed' | 'refused'} Stage
 * @typedef {'customer' | 'activity' | 'search'} Tab
 *
 * @typedef {object} Held
 * @property {Stage} stage
 * @property {string} session  its id; '' while there is none
 * @property {Set<Tab>} tabs  open ones
 * @property {Session | null} plan  as it should be
 * @property {Set<Tab>} ready  tabs whose page exists
 * @property {Record<string, string>} told  slugs that Dynamics has
 * @property {string} title  as Dynamics has it
 *
 * @typedef {object} SessionHost
 * @property {Dynamics} dynamics
 * @property {Store} store
 * @property {(kind: 'sessions' | 'template' | 'session', name: string) => void} onTrouble
 * @property {(kind: 'sessions' | 'template' | 'session') => void} onWell
 * @property {() => void} onChange  what `of` or `front` say has changed
 * @property {(contactId: string) => void} onOpened
 * @property {(error: unknown) => void} onFault
 * @property {number} [patienceMs]
 */

/** The sessions of all contacts. */
export class Sessions {
  /** @param {SessionHost} host */
  constructor(host) {
    this.host = host;
    this.queue = new Queue(host.onFault);
    this.focused = '';
    /** @type {Map<string, Held>} */
    this.held = restored(host.store.read(KEY));
  }

  /**
   * A contact's session.
   *
   * @param {string} contactId
   * @returns {Stage | ''}
   */
  of(contactId) {
    return this.held.get(contactId)?.stage ?? '';
  }

  /** The contact whose session is in front; empty if none of ours is. */
  get front() {
    for (const [contactId, {session}] of this.held) if (session && session === this.focused) return contactId;
    return '';
  }

  /**
   * Open the session of a contact, unless it has or had one.
   *
   * @param {string} contactId
   * @param {Session} plan
   * @param {Tab[]} ready
   */
  open(contactId, plan, ready) {
    const before = this.of(contactId);
    if (before && before !== 'refused') return Promise.resolve();
    const held = {...nothing(), plan, ready: new Set(ready)};
    this.#hold(contactId, held);
    return this.queue.add(() => this.#open(contactId, held));
  }

  /**
   * After a reload: take up the session that a contact has, open the one it has not, leave a closed one closed.
   *
   * @param {string} contactId
   * @param {Session} plan
   * @param {Tab[]} ready
   */
  resume(contactId, plan, ready) {
    return this.queue.add(async () => {
      if (this.of(contactId) === 'closed') return;
      const session = await this.#existing(contactId);
      if (session === null) return;
      if (session) await this.#adopt(contactId, session, plan, ready);
      else await this.#anew(contactId, plan, ready);
    });
  }

  /**
   * Values as they are now. A page that is open stays what it is: later attributes do not make it another customer's.
   *
   * @param {string} contactId
   * @param {Session} plan
   * @param {Tab[]} ready
   */
  keep(contactId, plan, ready) {
    const held = this.held.get(contactId);
    if (!held || held.stage !== 'open') return Promise.resolve();
    held.plan = held.tabs.has('customer') ? sameCustomer(plan, held) : plan;
    held.ready = new Set(ready);
    return outstanding(held) ? this.queue.add(() => this.#complete(held)) : Promise.resolve();
  }

  /**
   * The contact is in view in the softphone: its session should be too.
   *
   * @param {string} contactId
   */
  follow(contactId) {
    return this.queue.add(async () => {
      const held = this.held.get(contactId);
      if (held?.stage !== 'open' || held.session === this.focused) return;
      await attempted(this.host.dynamics.focus(held.session));
    });
  }

  /**
   * Dynamics says which session the agent turned to.
   *
   * @param {Record<string, unknown>} event
   */
  switched(event) {
    const session = String(event.sessionId ?? '');
    const isFocused = event.focussed ?? event.focused ?? true; // documented with two s, seen with one
    if (isFocused === true || isFocused === 'true') this.focused = session;
    else if (this.focused === session) this.focused = '';
    this.host.onChange();
    const held = [...this.held.values()].find((one) => one.session === this.focused);
    return held && outstanding(held) ? this.queue.add(() => this.#complete(held)) : Promise.resolve();
  }

  /**
   * Dynamics says that the agent closed a session.
   *
   * @param {Record<string, unknown>} event
   */
  closed(event) {
    const session = String(event.sessionId ?? '');
    for (const held of this.held.values()) if (session && held.session === session) held.stage = 'closed';
    if (this.focused === session) this.focused = '';
    this.#changed();
  }

  /** Open what found no room. */
  retry() {
    for (const [contactId, {stage, plan, ready}] of this.held) {
      if (stage === 'refused' && plan) void this.open(contactId, plan, [...ready]);
    }
  }

  /**
   * The agent asks for the session of a contact again, after closing it.
   *
   * @param {string} contactId
   * @param {Session} plan
   * @param {Tab[]} ready
   */
  reopen(contactId, plan, ready) {
    if (this.of(contactId) === 'closed') this.held.delete(contactId);
    return this.open(contactId, plan, ready);
  }

  /**
   * The contact is over: nothing more is opened for it. Its session stays, for the agent to close.
   *
   * @param {string} contactId
   */
  over(contactId) {
    const held = this.held.get(contactId);
    if (!held) return;
    if (held.stage === 'refused') this.held.delete(contactId);
    if (![...this.held.values()].some(({stage}) => stage === 'refused')) this.host.onWell('sessions');
  }

  /**
   * @param {string} contactId
   * @param {Held} held
   */
  async #open(contactId, held) {
    const {dynamics, patienceMs = PATIENCE_MS} = this.host;
    if (!held.plan) return;
    try {
      if (!(await dynamics.roomForSession())) return this.#refuse(held, 'sessions', '');
      const opening = dynamics.openSession(held.plan).then((session) => this.#opened(contactId, held, session));
      await Promise.race([opening, pause(patienceMs)]);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const kind = /template/i.test(error.why) ? 'template' : /limit|maximum|exceed/i.test(error.why) ? 'sessions' : 'session';
      return this.#refuse(held, kind, held.plan.sessionTemplate);
    }
  }

  /**
   * @param {string} contactId
   * @param {Held} held
   * @param {string} session
   */
  async #opened(contactId, held, session) {
    const {plan} = held;
    if (!plan) return;
    held.session = session;
    held.stage = 'open';
    held.told = plan.parameters;
    held.title = plan.title;
    const anchor = plan.tabs[0];
    if (anchor) held.tabs.add(anchor.what);
    this.host.onOpened(contactId);
    this.host.onWell('session');
    if (![...this.held.values()].some(({stage}) => stage === 'refused')) this.host.onWell('sessions');
    this.focused = (await attempted(this.host.dynamics.focused())) ?? this.focused;
    this.#changed();
    await this.#complete(held);
  }

  /**
   * @param {Held} held
   * @param {'sessions' | 'template' | 'session'} kind
   * @param {string} name
   */
  #refuse(held, kind, name) {
    held.stage = 'refused';
    this.#changed();
    this.host.onTrouble(kind, name);
  }

  /**
   * Bring an open session to what its plan says: slugs at once, title and tabs while it is in front.
   *
   * @param {Held} held
   */
  async #complete(held) {
    const {plan} = held;
    if (held.stage !== 'open' || !plan) return;
    const {dynamics} = this.host;
    const slugs = changed(plan.parameters, held.told);
    if (slugs && (await carried(dynamics.inform(held.session, slugs)))) held.told = plan.parameters;
    if (!outstanding(held) || held.session !== (await attempted(dynamics.focused()))) return;
    if (plan.title !== held.title && (await carried(dynamics.entitle(held.session, plan)))) held.title = plan.title;
    for (const {template, what} of missing(held)) await this.#tab(held, template, what);
  }

  /**
   * @param {Held} held
   * @param {string} template
   * @param {Tab} what
   */
  async #tab(held, template, what) {
    if (!held.plan) return;
    const {dynamics} = this.host;
    held.tabs.add(what); // even if it fails: a tab asked for twice may be there twice
    this.#changed();
    if (await dynamics.hasTab(template)) return;
    try {
      await dynamics.openTab(template, held.plan.parameters, what === 'customer');
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      this.host.onTrouble(/template/i.test(error.why) ? 'template' : 'session', template);
    }
  }

  /**
   * @param {string} contactId
   * @returns {Promise<string | null>} its session, '' if it has none, null if Dynamics does not say
   */
  async #existing(contactId) {
    const {dynamics} = this.host;
    const sessions = await attempted(dynamics.sessions());
    if (!sessions) return null;
    const known = this.held.get(contactId)?.session ?? '';
    if (known && sessions.includes(known)) return known;
    const taken = new Set([...this.held.values()].map(({session}) => session));
    for (const session of sessions) {
      if (!taken.has(session) && (await attempted(dynamics.belongs(session, contactId)))) return session;
    }
    return '';
  }

  /**
   * @param {string} contactId
   * @param {string} session
   * @param {Session} plan
   * @param {Tab[]} ready
   */
  async #adopt(contactId, session, plan, ready) {
    const before = this.held.get(contactId);
    // Which tabs a session has that only Dynamics remembers is unknown: better one too few than one twice.
    const tabs = before?.session ? before.tabs : new Set(plan.tabs.map(({what}) => what));
    this.#hold(contactId, {...nothing(), stage: 'open', session, tabs, plan, ready: new Set(ready)});
    this.focused = (await attempted(this.host.dynamics.focused())) ?? this.focused;
    this.host.onChange();
    const held = this.held.get(contactId);
    if (held) await this.#complete(held);
  }

  /**
   * @param {string} contactId
   * @param {Session} plan
   * @param {Tab[]} ready
   */
  async #anew(contactId, plan, ready) {
    const held = {...nothing(), plan, ready: new Set(ready)};
    this.#hold(contactId, held);
    await this.#open(contactId, held);
  }

  /**
   * @param {string} contactId
   * @param {Held} held
   */
  #hold(contactId, held) {
    this.held.delete(contactId); // the newest last
    this.held.set(contactId, held);
    this.#changed();
  }

  #changed() {
    const kept = [...this.held].slice(-REMEMBERED).map(([contactId, {stage, session, tabs}]) => (
      [contactId, {stage, session, tabs: [...tabs]}]
    ));
    this.host.store.write(KEY, JSON.stringify(Object.fromEntries(kept)));
    this.host.onChange();
  }
}

/** @returns {Held} */
function nothing() {
  return {stage: 'opening', session: '', tabs: new Set(), plan: null, ready: new Set(), told: {}, title: ''};
}

/**
 * What a panel before this one remembered.
 *
 * @param {string | null} text
 * @returns {Map<string, Held>}
 */
function restored(text) {
  /** @type {Map<string, Held>} */
  const held = new Map();
  if (!text) return held;
  try {
    for (const [contactId, {stage, session, tabs}] of Object.entries(JSON.parse(text))) {
      held.set(contactId, {...nothing(), stage, session: String(session), tabs: new Set(tabs)});
    }
  } catch {
    held.clear(); // not ours: Dynamics' own list of sessions is asked instead
  }
  return held;
}

/** @param {Held} held */
function missing({plan, tabs, ready}) {
  return (plan?.tabs ?? []).filter(({what}) => !tabs.has(what) && ready.has(what));
}

/** @param {Held} held */
function outstanding(held) {
  const {plan, told, title} = held;
  return plan !== null && (missing(held).length > 0 || plan.title !== title || changed(plan.parameters, told) !== null);
}

/**
 * @param {Record<string, string>} wanted
 * @param {Record<string, string>} told
 * @returns {Record<string, string> | null}
 */
function changed(wanted, told) {
  const slugs = Object.entries(wanted).filter(([name, value]) => told[name] !== value);
  return slugs.length ? Object.fromEntries(slugs) : null;
}

/**
 * A plan for the customer whose page is open already.
 *
 * @param {Session} plan
 * @param {Held} held
 * @returns {Session}
 */
function sameCustomer(plan, {told, title}) {
  const {customerRecordId = '', customerName, customerEntityName} = told;
  if (!customerRecordId || plan.parameters.customerRecordId === customerRecordId) return plan;
  const customer = {customerRecordId, customerName: customerName ?? '', customerEntityName: customerEntityName ?? ''};
  return {...plan, title, parameters: {...plan.parameters, ...customer}};
}

/**
 * @template T
 * @param {Promise<T>} call
 * @returns {Promise<T | null>} null if Dynamics refused
 */
async function attempted(call) {
  try {
    return await call;
  } catch (error) {
    if (error instanceof Refused) return null;
    throw error;
  }
}

/**
 * @param {Promise<void>} call
 * @returns {Promise<boolean>} whether Dynamics did it
 */
async function carried(call) {
  return (await attempted(call.then(() => true))) ?? false;
}

/**
 * @param {number} ms
 * @returns {Promise<void>}
 */
function pause(ms) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
