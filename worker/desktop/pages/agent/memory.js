/**
 * What the page remembers over a reload: ids of contacts, never a name, number or address.
 *
 * @import {Memory} from '../core/types.js'
 *
 * @typedef {object} Remembered
 * @property {Memory} followed   The core's memory of stages seen.
 * @property {string[]} opened   Ids of the contacts whose page has been opened, oldest first.
 * @property {string} inView   Id of the contact that the page shows; '' none.
 * @property {boolean} tab   The agent has connected the Dynamics tab.
 *
 * @typedef {Pick<Storage, 'getItem'|'setItem'>} Store
 */

import {restored} from '../core/intents.js';

const KEY = 'connect-dynamics:agent';

/** As many contacts as the core remembers; far more than an agent takes in a shift. */
export const MOST = 200;

/**
 * What was remembered; empty if nothing was, or if it cannot be read.
 * @param {Store|null} store
 * @returns {Remembered}
 */
export function recall(store) {
  let kept;
  try {
    kept = JSON.parse(store?.getItem(KEY) ?? '{}');
  } catch {
    kept = null; // Storage is switched off, or holds nothing of ours: the page starts afresh.
  }
  const opened = Array.isArray(kept?.opened) ? kept.opened : [];
  return {
    followed: restored(JSON.stringify(kept?.followed ?? null)),
    opened: opened.filter((/** @type {unknown} */ id) => typeof id === 'string').slice(-MOST),
    inView: typeof kept?.inView === 'string' ? kept.inView : '',
    tab: kept?.tab === true,
  };
}

/**
 * Keeps it for the next load of this page in this browser tab.
 * @param {Store|null} store
 * @param {Remembered} remembered
 */
export function keep(store, remembered) {
  if (store === null) return;
  try {
    store.setItem(KEY, JSON.stringify(remembered));
  } catch {
    // Full or switched off: everything works, but a reload opens the page of a contact again.
  }
}

/**
 * The ids with one more, the oldest dropped beyond MOST.
 * @param {string[]} ids
 * @param {string} id
 * @returns {string[]}
 */
export function withId(ids, id) {
  return [...ids.filter((other) => other !== id), id].slice(-MOST);
}
