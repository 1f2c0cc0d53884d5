/**
 * Click-to-dial: a number that the agent clicked is called after they said so, and the call is bound to the record.
 *
 * The softphone gives no id for a call it makes and takes no attributes, so the record is kept until a contact comes that
 * can be no other.
 */

/** @import {Seen, Target} from '../core/types.js' */
/** @import {RecordName} from './types.js' */

import {bind, dialable} from '../core/dial.js';
import {clicked} from './answers.js';

/** Which column names a record. */
const NAMES = new Map([['contact', 'fullname'], ['account', 'name'], ['lead', 'fullname']]);

/**
 * @typedef {'format' | 'country' | 'disabled' | 'failed' | 'ambiguous' | 'lost'} Notice
 *
 * @typedef {object} Question  what the agent is asked
 * @property {string} number  E.164
 * @property {RecordName | null} record
 *
 * @typedef {object} DiallingHost
 * @property {boolean} enabled
 * @property {string[]} countries  that may be called by configuration; none: all
 * @property {(number: string) => Promise<unknown>} dial
 * @property {(record: RecordName, column: string) => Promise<string>} text
 * @property {() => number} now  ms since 1970
 * @property {(question: Question | null) => void} ask
 * @property {(notice: Notice) => void} onNotice
 * @property {() => void} onBound
 */

/** One number at a time, from the click to the contact. */
export class Dialling {
  /** @param {DiallingHost} host */
  constructor(host) {
    this.host = host;
    /** @type {string[]} that the softphone allows this agent */
    this.allowed = [];
    /** @type {Question | null} */
    this.question = null;
    /** @type {{number: string, record: RecordName | null, at: number, before: string[]} | null} */
    this.pending = null;
    /** @type {string[]} */
    this.present = [];
    /** @type {Map<string, {table: string, id: string, name: string}>} records by contact */
    this.bound = new Map();
  }

  /**
   * The agent clicked a number in Dynamics: they are asked before anybody is called.
   *
   * @param {Record<string, unknown>} event
   */
  click(event) {
    const {value, record} = clicked(event);
    if (!this.host.enabled) return this.host.onNotice('disabled');
    const result = dialable(value, this.#countries());
    if ('refused' in result) return this.host.onNotice(result.refused);
    this.#ask({number: result.number, record});
  }

  /** The agent said yes. */
  async confirm() {
    const {question} = this;
    if (!question) return;
    this.#ask(null);
    const pending = {...question, at: this.host.now(), before: this.present};
    this.pending = pending;
    try {
      await this.host.dial(question.number);
    } catch {
      if (this.pending === pending) this.pending = null;
      this.host.onNotice('failed'); // whatever the softphone said: no call was made
    }
  }

  /** The agent said no. */
  cancel() {
    this.#ask(null);
  }

  /**
   * The softphone's contacts: one of them may be the call.
   *
   * @param {Seen[]} contacts
   */
  seen(contacts) {
    this.present = contacts.map(({id}) => id);
    for (const id of this.bound.keys()) if (!this.present.includes(id)) this.bound.delete(id);
    const {pending} = this;
    if (!pending) return;
    const found = bind(pending, contacts, this.host.now());
    if ('wait' in found && found.wait) return;
    this.pending = null;
    if ('contact' in found) void this.#bind(found.contact, pending.record);
    else if (pending.record) this.host.onNotice('ambiguous' in found ? 'ambiguous' : 'lost');
  }

  /**
   * The record whose number was clicked for a contact.
   *
   * @param {string} contactId
   * @returns {Target['customer']}
   */
  customer(contactId) {
    return this.bound.get(contactId) ?? null;
  }

  /**
   * @param {string} contactId
   * @param {RecordName | null} record
   */
  async #bind(contactId, record) {
    if (!record) return;
    const bound = {...record, name: ''};
    this.bound.set(contactId, bound);
    const column = NAMES.get(record.table);
    if (column) bound.name = await this.host.text(record, column);
    this.host.onBound();
  }

  /** @param {Question | null} question */
  #ask(question) {
    this.question = question;
    this.host.ask(question);
  }

  /** Countries that both the configuration and the softphone allow. */
  #countries() {
    const {countries} = this.host;
    const allowed = this.allowed.map((country) => country.toLowerCase());
    if (!countries.length || !allowed.length) return [...countries, ...allowed];
    const both = countries.filter((country) => allowed.includes(country));
    return both.length ? both : ['none'];
  }
}
