/**
 * The page's state: the contacts that the softphone shows, which of them is in view, and what has
 * been opened for each.
 *
 * @import {Config, Intent, Seen, Target} from '../core/types.js'
 * @import {Remembered} from './memory.js'
 *
 * @typedef {object} Entry   One contact of the agent.
 * @property {Seen} seen
 * @property {Target} target
 * @property {string|null} recordId   Id of the record that the worker makes for it; '' none, null
 *   not computed yet.
 * @property {number} takenAt   When the agent took it, in ms since 1970; 0: not yet.
 * @property {boolean} refused   The browser refused to open its page.
 * @property {string} page   Address that was opened for it; '' none.
 * @property {string} wanted   Address that it should have shown at that time; '' none.
 *
 * @typedef {object} Means   What the state is carried out with.
 * @property {() => number} now   In ms since 1970.
 * @property {(id: string, href: string) => boolean} openTab   false: refused by the browser.
 * @property {(id: string, href: string) => void} openFrame
 * @property {(remembered: Remembered) => void} keep
 * @property {typeof import('../core/record.js').recordId} recordId
 * @property {(mark: string) => void} mark
 * @property {() => void} changed   Show it.
 */

import {href} from '../core/address.js';
import {follow} from '../core/intents.js';
import {counting, remembering, target} from '../core/target.js';
import {withId} from './memory.js';
import {isDue, isLate, isTaken} from './opening.js';
import {next} from './view.js';

export class Desk {
  /**
   * @param {Config} config
   * @param {Remembered} remembered
   * @param {Means} means
   */
  constructor(config, remembered, means) {
    this.config = config;
    this.remembered = remembered;
    this.means = means;
    /** @type {Map<string, Entry>} */
    this.entries = new Map();
    this.inView = remembered.inView;
  }

  /**
   * What the softphone shows now.
   *
   * @param {Seen[]} seen
   */
  see(seen) {
    const {memory, intents} = follow(this.remembered.followed, seen, this.means.now());
    this.remember({followed: memory});
    this.mark(intents);
    const entries = new Map();
    for (const contact of seen) entries.set(contact.id, this.entry(contact));
    this.entries = entries;
    this.turnTo(next(this.inView, seen, intents));
    this.refresh();
  }

  /** Opens what is due; to be called as time passes, too. */
  refresh() {
    for (const entry of this.entries.values()) this.advance(entry);
    this.means.changed();
  }

  /**
   * The agent has chosen a contact, here or in the softphone.
   *
   * @param {string} id
   */
  choose(id) {
    if (!this.entries.has(id)) return;
    this.turnTo(id);
    this.means.changed();
  }

  /** @param {string} id   The contact in view from now on, after a reload, too; '' none. */
  turnTo(id) {
    if (id !== this.inView) this.remember({inView: id});
    this.inView = id;
  }

  /** The contact in view. */
  get current() {
    return this.entries.get(this.inView) ?? null;
  }

  /** @param {Entry} entry  @returns {boolean} */
  opened(entry) {
    return this.remembered.opened.includes(entry.seen.id);
  }

  /** @param {Entry} entry  @returns {boolean}   Nothing has been heard of its customer. */
  late({seen, target: aim, takenAt}) {
    return isLate(seen, aim, this.config, takenAt, this.means.now());
  }

  /** @param {Entry} entry  @returns {string}   Why the customer called; '' not said. */
  reason({seen}) {
    return counting(seen, this.config)?.('reason') ?? '';
  }

  /** @param {Entry} entry  @returns {string}   Address of the page it should show; '' none. */
  wanted({target: aim}) {
    return aim.page && aim.awaiting !== 'record' ? href(aim.page, this.config.dynamics) : '';
  }

  /** @param {Entry} entry  @returns {boolean}   A better page than the opened one is known. */
  moved(entry) {
    const wanted = this.wanted(entry);
    return entry.page !== '' && entry.target.proven && wanted !== '' && wanted !== entry.wanted;
  }

  /** @param {Entry} entry  @returns {string}   Address of the search for its customer; '' none. */
  searchPage({target: aim}) {
    return aim.search?.text ? href({kind: 'search', ...aim.search}, this.config.dynamics) : '';
  }

  /**
   * A page was opened for a contact, by itself or by a click.
   *
   * @param {Entry} entry
   * @param {string} page
   */
  note(entry, page) {
    Object.assign(entry, {page, wanted: this.wanted(entry), refused: false});
    this.remember({opened: withId(this.remembered.opened, entry.seen.id)});
    this.means.mark(`connect-dynamics:opened:${entry.seen.id}`);
  }

  /** @param {Partial<Remembered>} what */
  remember(what) {
    this.remembered = {...this.remembered, ...what};
    this.means.keep(this.remembered);
  }

  /** @param {Seen} seen  @returns {Entry} */
  entry(seen) {
    const before = this.entries.get(seen.id);
    const entry = before ?? {
      seen, target: this.aim(seen, ''), recordId: null, takenAt: 0, refused: false, page: '',
      wanted: '',
    };
    entry.seen = remembering(before?.seen, seen, this.config);
    if (entry.takenAt === 0 && isTaken(seen)) entry.takenAt = seen.since;
    if (!before) this.identify(entry);
    return entry;
  }

  /**
   * @param {Seen} seen
   * @param {string} recordId
   * @returns {Target}
   */
  aim(seen, recordId) {
    return target(seen, this.config, this.means.now(), {recordId});
  }

  /** @param {Entry} entry */
  advance(entry) {
    if (entry.recordId === null) return;
    entry.target = this.aim(entry.seen, entry.recordId);
    const page = this.wanted(entry);
    const past = {opened: this.opened(entry), refused: entry.refused};
    if (page && isDue(entry.seen, entry.target, past)) this.open(entry, page);
    else if (page && past.opened && !entry.page) this.restore(entry, page);
  }

  /**
   * @param {Entry} entry
   * @param {string} page
   */
  open(entry, page) {
    const {id} = entry.seen;
    if (!entry.target.tab) this.means.openFrame(id, page);
    else if (!this.means.openTab(id, page)) {
      entry.refused = true;
      return;
    }
    this.note(entry, page);
  }

  /**
   * After a reload the tab is as it was; a frame has gone with the page and is loaded again.
   *
   * @param {Entry} entry
   * @param {string} page
   */
  restore(entry, page) {
    Object.assign(entry, {page, wanted: page});
    if (!entry.target.tab) this.means.openFrame(entry.seen.id, page);
  }

  /** @param {Entry} entry */
  async identify(entry) {
    const record = this.config.records[entry.seen.channel];
    entry.recordId = record ? null : '';
    if (!record) return;
    const {pipeline, step} = record;
    const {namespace} = this.config;
    entry.recordId = await this.means.recordId(namespace, entry.seen.id, pipeline, step);
    this.refresh();
  }

  /** @param {Intent[]} intents */
  mark(intents) {
    for (const {kind, contact} of intents) {
      if (kind !== 'ring' && kind !== 'connected') continue;
      this.means.mark(`connect-dynamics:${kind}:${contact.id}`);
    }
  }
}
