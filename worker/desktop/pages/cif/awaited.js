/**
 * Records that are about to be created: looked for each second, so that nobody is shown an empty form.
 *
 * The worker creates a contact's activity while it rings, as a rule; Dynamics' own delay and an outage are the rest.
 */

/** @import {RecordName} from './types.js' */

const TRIES = 90; // seconds; the worker opens pages for 60 s after the milestone
const KEY = 'activityid'; // the primary key of every kind of activity

/**
 * @typedef {object} Wanted
 * @property {RecordName} record
 * @property {number} tries  seconds that it has been looked for; Dynamics may take longer for an answer
 * @property {boolean} asking
 * @property {boolean} there
 */

/** Which contacts' records exist. */
export class Awaited {
  /**
   * @param {object} host
   * @param {(record: RecordName, key: string) => Promise<boolean>} host.exists
   * @param {(contactId: string) => void} host.onThere
   * @param {() => void} host.onLate  one was not there in the time that is waited
   * @param {() => void} host.onWell  none is late
   */
  constructor(host) {
    this.host = host;
    /** @type {Map<string, Wanted>} */
    this.wanted = new Map();
  }

  /**
   * Look for a contact's record from now on.
   *
   * @param {string} contactId
   * @param {RecordName} record
   */
  want(contactId, record) {
    const before = this.wanted.get(contactId);
    if (before?.record.id === record.id && before.record.table === record.table) return;
    this.wanted.set(contactId, {record, tries: 0, asking: false, there: false});
    void this.#look(contactId);
  }

  /** @param {string} contactId */
  forget(contactId) {
    this.wanted.delete(contactId);
    this.#tellWell();
  }

  /** @param {string} contactId */
  isThere(contactId) {
    return this.wanted.get(contactId)?.there ?? false;
  }

  /** A second has passed. */
  tick() {
    for (const [contactId, wanted] of this.wanted) {
      if (wanted.there || wanted.tries >= TRIES) continue;
      wanted.tries += 1;
      if (wanted.tries >= TRIES) this.host.onLate();
      void this.#look(contactId);
    }
  }

  /** Look again for those that were given up. */
  retry() {
    for (const wanted of this.wanted.values()) wanted.tries = 0;
    this.tick();
  }

  /** @param {string} contactId */
  async #look(contactId) {
    const wanted = this.wanted.get(contactId);
    if (!wanted || wanted.there || wanted.asking) return;
    wanted.asking = true;
    const there = await this.host.exists(wanted.record, KEY);
    wanted.asking = false;
    if (this.wanted.get(contactId) !== wanted) return;
    wanted.there = there;
    if (there) this.host.onThere(contactId);
    this.#tellWell();
  }

  #tellWell() {
    if (![...this.wanted.values()].some(({there, tries}) => !there && tries >= TRIES)) this.host.onWell();
  }
}
