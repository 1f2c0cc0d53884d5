/**
 * Click-to-dial: a number that the agent clicked is called after they said so, and the call is bound to the record.
 *
 * The softphone gives no id for a call it makes and takes no attributes, so the record is kept until a contact comes that
 * can be no other.
 */

/** @import {Seen, Target} from '../core/types.js' */
/** @import {Click, RecordName} from './types.js' */

import {bind, dialable} from '../core/dial.js';
import {clicked} from './answers.js';

/** Which column names a record. */
const NAMES = new Map([['contact', 'fullname'], ['account', 'name'], ['lead', 'fullname']]);

/**
 * @typedef {'format' | 'country' | 'disabled' | 'failed' | 'several' | 'ambiguous' | 'lost'} Notice
 *
 * @typedef {object} Question  what the agent is asked, and what becomes of it
 * @property {string} number  E.164
 * @property {RecordName | null} record  that was clicked, once it is known
 * @property {number} at  when the call was asked for, in ms since 1970
 * @property {string[]} before  contacts that were there by then
 * @property {string} contact  that the call is; '' until it came
 *
 * @typedef {object} DiallingHost
 * @property {boolean} enabled
 * @property {string[]} countries  that may be called by configuration; none: all
 * @property {(number: string) => Promise<unknown>} dial
 * @property {(click: Click) => Promise<{record: RecordName | null, several: boolean}>} find
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
    /** @type {Question | null} called, and not seen yet */
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
    const click = clicked(event);
    if (!this.host.enabled) return this.host.onNotice('disabled');
    const result = dialable(click.value, this.#countries());
    if ('refused' in result) return this.host.onNotice(result.refused);
    const question = {number: result.number, record: click.record, at: 0, before: [], contact: ''};
    if (!click.record) void this.#find(click, question);
    this.#ask(question);
  }

  /** The agent said yes. */
  async confirm() {
    const {question} = this;
    if (!question) return;
    this.#ask(null);
    Object.assign(question, {at: this.host.now(), before: this.present});
    this.pending = question;
    try {
      await this.host.dial(question.number);
    } catch {
      if (this.pending === question) this.pending = null;
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
    if ('contact' in found) {
      pending.contact = found.contact;
      void this.#bind(pending);
    } else if (pending.record) {
      this.host.onNotice('ambiguous' in found ? 'ambiguous' : 'lost');
    }
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
   * @param {Click} click
   * @param {Question} question
   */
  async #find(click, question) {
    const {record, several} = await this.host.find(click);
    question.record = record;
    if (several && this.question === question) this.host.onNotice('several');
    if (question.contact) await this.#bind(question);
  }

  /** @param {Question} question */
  async #bind({contact, record}) {
    if (!record) return;
    const bound = {...record, name: ''};
    this.bound.set(contact, bound);
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
