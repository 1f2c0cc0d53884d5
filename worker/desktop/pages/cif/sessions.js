/**
 * Sessions of connected contacts in Customer Service: opened once each, completed as values come, never reopened.
 *
 * The session template brings the first tab (the customer, or the search). Dynamics opens a tab in the focused session
 * only, so what comes for another is kept until the agent turns to it.
 */

/** @import {Session} from '../core/types.js' */
/** @import {Dynamics} from './dynamics.js' */
/** @import {Held, Stage, Tab} from './held.js' */
/** @import {Store} from './storage.js' */

import {complete, kindOf} from './completing.js';
import {attempted, Refused} from './dynamics.js';
import {kept, nothing, outstanding, restored, sameCustomer} from './held.js';
import {pause, Queue} from './queue.js';

const KEY = 'sessions';
const PATIENCE_MS = 20_000; // others are not kept waiting longer for a session that does not open

/**
 * @typedef {object} SessionHost
 * @property {Dynamics} dynamics
 * @property {Store} store
 * @property {(kind: 'sessions' | 'template' | 'refused', name: string) => void} onTrouble
 * @property {(kind: 'sessions' | 'template' | 'refused') => void} onWell
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
    /** @type {Set<string>} contacts whose session this page opened or took up */
    this.begun = new Set();
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
    for (const [contactId, {session, live}] of this.held) if (live && session === this.focused) return contactId;
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
      if (this.begun.has(contactId) || this.of(contactId) === 'closed') return;
      const session = await this.#existing(contactId);
      if (session === null) this.#unsaid(contactId, plan, ready);
      else if (session) await this.#adopt(contactId, session, plan, ready);
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
    if (!held || !(held.live || held.stage === 'opening')) return Promise.resolve();
    const known = JSON.stringify([plan, ready]);
    if (held.known === known) return Promise.resolve(); // nothing new; what was refused is not asked for each second
    held.known = known;
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
      if (!held?.live || held.stage !== 'open' || held.session === this.focused) return;
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
    const held = this.#live.find((one) => one.session === this.focused);
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
    this.#tellWell();
  }

  /**
   * @param {string} contactId
   * @param {Held} held
   */
  async #open(contactId, held) {
    const {dynamics, patienceMs = PATIENCE_MS} = this.host;
    const room = await attempted(dynamics.roomForSession());
    if (room === false) this.#refuse(held, 'sessions', '');
    else await Promise.race([this.#create(contactId, held), pause(patienceMs)]);
    // It may still open. Until then the agent is told, and may ask for another.
    if (held.stage === 'opening') this.#refuse(held, 'refused', '');
  }

  /**
   * @param {string} contactId
   * @param {Held} held
   */
  async #create(contactId, held) {
    const {plan} = held;
    if (!plan) return;
    try {
      await this.#opened(contactId, held, plan, await this.host.dynamics.openSession(plan));
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      const full = (await attempted(this.host.dynamics.roomForSession())) === false; // taken by the agent meanwhile
      this.#refuse(held, full ? 'sessions' : kindOf(error), plan.sessionTemplate);
    }
  }

  /**
   * @param {string} contactId
   * @param {Held} held
   * @param {Session} plan  what it was opened with; values may have come meanwhile
   * @param {string} session
   */
  async #opened(contactId, held, plan, session) {
    Object.assign(held, {session, stage: 'open', live: true, told: plan.parameters, title: plan.title});
    const anchor = plan.tabs[0];
    if (anchor) held.tabs.add(anchor.what);
    this.host.onOpened(contactId);
    this.#tellWell();
    this.focused = (await attempted(this.host.dynamics.focused())) ?? this.focused;
    this.#changed();
    void this.queue.add(() => this.#complete(held));
  }

  get #live() {
    return [...this.held.values()].filter(({live}) => live);
  }

  #tellWell() {
    if ([...this.held.values()].some(({stage}) => stage === 'refused')) return;
    this.host.onWell('sessions');
    this.host.onWell('refused');
  }

  /**
   * @param {Held} held
   * @param {'sessions' | 'template' | 'refused'} kind
   * @param {string} name
   */
  #refuse(held, kind, name) {
    held.stage = 'refused';
    this.#changed();
    this.host.onTrouble(kind, name);
  }

  /** @param {Held} held */
  #complete(held) {
    const {dynamics, onTrouble} = this.host;
    return complete(held, dynamics, {onTab: () => this.#changed(), onTrouble});
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
    const taken = new Set(this.#live.map((held) => held.session));
    if (sessions.includes(known) && !taken.has(known)) return known;
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
    this.#hold(contactId, {...nothing(), stage: 'open', live: true, session, tabs, plan, ready: new Set(ready)});
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
   * Whether the contact has a session is for the agent to see: they may ask for one.
   *
   * @param {string} contactId
   * @param {Session} plan
   * @param {Tab[]} ready
   */
  #unsaid(contactId, plan, ready) {
    const held = {...nothing(), plan, ready: new Set(ready)};
    this.#hold(contactId, held);
    this.#refuse(held, 'refused', '');
  }

  /**
   * @param {string} contactId
   * @param {Held} held
   */
  #hold(contactId, held) {
    this.begun.add(contactId);
    this.held.delete(contactId); // the newest last
    this.held.set(contactId, held);
    this.#changed();
  }

  #changed() {
    this.host.store.write(KEY, kept(this.held));
    this.host.onChange();
  }
}
