/**
 * Contacts of the softphone carried out in Customer Service: a toast while one rings, a session when it is connected.
 *
 * What there is to show is worked out anew from each snapshot; whether something is opened follows from intents alone.
 */

/** @import {Config, Intent, Memory, Seen, Session, Target} from '../core/types.js' */
/** @import {Awaited} from './awaited.js' */
/** @import {Tab} from './held.js' */
/** @import {Sessions} from './sessions.js' */
/** @import {Store} from './storage.js' */
/** @import {Toasts} from './toasts.js' */

import {next} from '../agent/view.js';
import {empty, follow, restored} from '../core/intents.js';
import {recordId} from '../core/record.js';
import {session} from '../core/session.js';
import {remembering, target} from '../core/target.js';

const KEY = 'contacts';

/**
 * @typedef {object} Line  one contact as the panel shows it
 * @property {Seen} seen
 * @property {Target} target
 * @property {string} reason  why the customer called
 * @property {boolean} late  nothing has been heard of the customer for too long
 * @property {ReturnType<Sessions['of']>} session
 * @property {boolean} viewed  in view: chosen in the softphone or here, or answered last
 * @property {boolean} front  its session is in front in Customer Service
 *
 * @typedef {object} InDynamics  there once the framework is
 * @property {Toasts} toasts
 * @property {Sessions} sessions
 * @property {Awaited} awaited
 * @property {() => void} showPanel
 *
 * @typedef {object} DeskHost
 * @property {Config} config
 * @property {Store} store
 * @property {() => number} now  ms since 1970
 * @property {(lines: Line[]) => void} show
 * @property {(kind: 'address' | 'attributes', wrong: boolean) => void} onTrouble
 * @property {(mark: string) => void} mark  for measuring
 * @property {(contactId: string) => Target['customer']} clickedFor  the record whose number the agent clicked
 */

/** The agent's contacts, and what is done about them. */
export class Desk {
  /** @param {DeskHost} host */
  constructor(host) {
    this.host = host;
    this.memory = restored(host.store.read(KEY)) ?? empty();
    /** @type {Seen[]} */
    this.contacts = [];
    /** @type {Map<string, string>} record ids by contact */
    this.records = new Map();
    this.viewed = '';
    /** @type {InDynamics | null} */
    this.dynamics = null;
    /**
     * Contacts that were there when the page was loaded. A panel before this one may have shown them, and may have been
     * forbidden to remember it.
     *
     * @type {Set<string>}
     */
    this.found = new Set();
    this.started = false;
    /** @type {Intent[]} what happened before the framework was there */
    this.waiting = [];
  }

  /**
   * The framework is there: what happened until now is made good.
   *
   * @param {InDynamics} dynamics
   */
  connect(dynamics) {
    this.dynamics = dynamics;
    for (const intent of this.waiting.splice(0)) this.#carryOut(intent);
    this.refresh();
  }

  /**
   * The softphone's contacts as they are now.
   *
   * @param {Seen[]} seen
   */
  seen(seen) {
    const before = new Map(this.contacts.map((contact) => [contact.id, contact]));
    const contacts = seen.map((contact) => remembering(before.get(contact.id), contact, this.host.config));
    this.contacts = contacts;
    if (!this.started) this.found = new Set(contacts.map(({id}) => id));
    this.started = true;
    for (const contact of contacts) void this.#identify(contact);
    const {memory, intents} = follow(this.memory, contacts, this.host.now());
    this.#remember(memory);
    this.viewed = next(this.viewed, contacts, intents);
    for (const intent of intents) this.#carryOut(intent);
    this.refresh();
  }

  /**
   * The agent turned to a contact in the softphone.
   *
   * @param {string} contactId
   */
  view(contactId) {
    this.viewed = contactId;
    void this.dynamics?.sessions.follow(contactId);
    this.#show();
  }

  /** A second has passed. */
  tick() {
    if (this.contacts.length === 0) return;
    this.dynamics?.awaited.tick();
    this.refresh();
  }

  /**
   * The agent asks for a contact's session: the one there is, or one again.
   *
   * @param {string} contactId
   */
  openSession(contactId) {
    const contact = this.contacts.find(({id}) => id === contactId);
    if (!contact || !this.dynamics) return;
    this.viewed = contactId;
    this.#show();
    const {sessions} = this.dynamics;
    if (sessions.of(contactId) === 'open') void sessions.follow(contactId);
    else void sessions.reopen(contactId, this.plan(contact), this.#ready(contact));
  }

  /** The agent wants to search for the customer of whom nothing is heard: in the session of that contact. */
  showLate() {
    const late = this.contacts.find((contact) => isLate(contact, this.#target(contact)));
    if (late) this.openSession(late.id);
  }

  /** Show and complete what can be, by now. */
  refresh() {
    const contacts = this.contacts.filter(({monitoring}) => !monitoring);
    for (const contact of contacts) this.#keep(contact);
    const targets = contacts.map((contact) => ({contact, ...this.#target(contact)}));
    this.host.onTrouble('address', targets.some(({refused}) => refused !== '' && refused !== 'contact'));
    this.host.onTrouble('attributes', targets.some((one) => isLate(one.contact, one)));
    this.#show();
  }

  /**
   * What a contact's notification and session look like now.
   *
   * @param {Seen} contact
   * @returns {Session}
   */
  plan(contact) {
    const {config} = this.host;
    const plan = session(contact, this.#target(contact), config);
    // The session's own context says whose it is: after a reload it is found by that where nothing may be stored.
    return {...plan, parameters: {...plan.parameters, [config.names.attributes.id]: contact.id}};
  }

  /** @param {Intent} intent */
  #carryOut(intent) {
    const {kind, contact} = intent;
    if (kind === 'ring' || kind === 'connected') this.host.mark(`${kind}:${contact.id}`);
    if (kind === 'gone') this.records.delete(contact.id);
    if (!this.dynamics) {
      this.waiting = this.waiting.filter((other) => other.contact.id !== contact.id || kind === 'changed');
      if (kind !== 'changed' && kind !== 'gone') this.waiting.push(intent);
      return;
    }
    if (kind === 'ring') this.#ring(contact, intent.again === true || this.found.has(contact.id));
    else if (kind !== 'changed') void this.dynamics.toasts.over(contact.id);
    if (kind === 'connected' || kind === 'after') this.#connected(intent);
    if (kind === 'gone') this.#gone(contact.id);
  }

  /**
   * A ringing contact. After a reload its toast is gone with the panel that showed it, so it is shown again.
   *
   * @param {Seen} contact
   * @param {boolean} again
   */
  #ring(contact, again) {
    if (!this.dynamics || !(contact.inbound || contact.callback)) return;
    this.dynamics.showPanel();
    void this.dynamics.toasts.ring(contact.id, this.plan(contact), again);
  }

  /** @param {Intent} intent */
  #connected({kind, contact, again}) {
    if (!this.dynamics) return;
    const {sessions, awaited} = this.dynamics;
    const plan = this.plan(contact);
    const {activity} = this.#target(contact);
    if (activity) awaited.want(contact.id, activity);
    if (again || this.found.has(contact.id)) void sessions.resume(contact.id, plan, this.#ready(contact));
    else if (kind === 'connected') void sessions.open(contact.id, plan, this.#ready(contact));
  }

  /** @param {string} contactId */
  #gone(contactId) {
    this.dynamics?.awaited.forget(contactId);
    this.dynamics?.sessions.over(contactId);
  }

  /** @param {Seen} contact */
  #keep(contact) {
    if (!this.dynamics) return;
    if (contact.state === 'ringing') void this.dynamics.toasts.renew(contact.id, this.plan(contact));
    if (!isOn(contact)) return;
    const {activity} = this.#target(contact);
    if (activity) this.dynamics.awaited.want(contact.id, activity);
    void this.dynamics.sessions.keep(contact.id, this.plan(contact), this.#ready(contact));
  }

  /**
   * Tabs whose page exists. The search is a session's first tab or none of it.
   *
   * @param {Seen} contact
   * @returns {Tab[]}
   */
  #ready(contact) {
    /** @type {Tab[]} */
    const ready = this.#target(contact).customer ? ['customer'] : [];
    if (this.dynamics?.awaited.isThere(contact.id)) ready.push('activity');
    return ready;
  }

  /**
   * @param {Seen} contact
   * @returns {Target}
   */
  #target(contact) {
    const {config, now, clickedFor} = this.host;
    const exists = this.dynamics?.awaited.isThere(contact.id) ?? false;
    const found = target(contact, config, now(), {recordId: this.records.get(contact.id) ?? '', exists});
    const customer = clickedFor(contact.id);
    if (!customer) return found;
    return {...found, match: 'single', customer, search: null, awaiting: found.awaiting === 'customer' ? '' : found.awaiting};
  }

  /** @param {Seen} contact */
  async #identify(contact) {
    const record = this.host.config.records[contact.channel];
    if (!record || contact.monitoring || this.records.has(contact.id)) return;
    this.records.set(contact.id, '');
    const id = await recordId(this.host.config.namespace, contact.id, record.pipeline, record.step);
    if (!this.records.has(contact.id)) return;
    this.records.set(contact.id, id);
    this.refresh();
  }

  /** @param {Memory} memory */
  #remember(memory) {
    this.memory = memory;
    this.host.store.write(KEY, JSON.stringify(memory));
  }

  #show() {
    this.host.show(this.contacts.map((contact) => this.#line(contact)));
  }

  /**
   * @param {Seen} contact
   * @returns {Line}
   */
  #line(contact) {
    const {id, monitoring} = contact;
    const found = this.#target(contact);
    const sessions = this.dynamics?.sessions;
    const pending = sessions?.of(id) === 'open' && found.activity !== null && !this.dynamics?.awaited.isThere(id);
    const awaiting = found.awaiting || (pending ? 'record' : '');
    return {
      seen: contact, late: isLate(contact, found),
      target: {...found, awaiting: monitoring ? '' : awaiting},
      reason: monitoring ? '' : this.plan(contact).parameters.CallReason ?? '',
      session: sessions?.of(id) ?? '',
      viewed: id === (this.#inView ?? ''),
      front: sessions?.front === id,
    };
  }

  /** The contact in view: the one chosen or answered last, else the newest. */
  get #inView() {
    const chosen = this.contacts.find(({id}) => id === this.viewed);
    return (chosen ?? this.contacts.at(-1))?.id;
  }
}

/**
 * Whether a contact is being dealt with.
 *
 * @param {Seen} contact
 */
function isOn({state}) {
  return state === 'connected' || state === 'after';
}

/**
 * Whether nothing has been heard of the customer for too long.
 *
 * @param {Seen} contact
 * @param {Target} found
 */
function isLate(contact, {match, awaiting}) {
  return isOn(contact) && match === 'unknown' && awaiting === '';
}
