/**
 * When the page of a contact opens by itself, and when the agent is told that it is late.
 *
 * @import {Config, Seen, Target} from '../core/types.js'
 *
 * @typedef {object} Past   What has happened to the page of a contact.
 * @property {boolean} opened   It was opened, perhaps before a reload.
 * @property {boolean} refused   The browser refused to open it: only a click can.
 */

/** The agent has taken the contact: a ringing one may yet go to somebody else. */
const TAKEN = new Set(['accepted', 'connected', 'after']);

/**
 * Whether the agent has, or has had, this contact.
 *
 * @param {Seen} seen
 */
export function isTaken(seen) {
  return TAKEN.has(seen.state);
}

/**
 * Whether the page of a contact is to be opened now, without a click.
 * @param {Seen} seen
 * @param {Target} target
 * @param {Past} past
 * @returns {boolean}
 */
export function isDue(seen, target, past) {
  if (past.opened || past.refused || seen.monitoring) return false;
  return isTaken(seen) && target.page !== null && target.awaiting !== 'record';
}

/**
 * Whether nothing has been heard of the customer for too long: time to offer the search.
 * @param {Seen} seen
 * @param {Target} target
 * @param {Config} config
 * @param {number} takenAt  when the agent took the contact, in ms since 1970
 * @param {number} now  in ms since 1970
 * @returns {boolean}
 */
export function isLate(seen, target, config, takenAt, now) {
  if (!isTaken(seen) || seen.monitoring) return false;
  if (target.proven || target.match !== 'unknown') return false;
  return now - takenAt >= config.open.searchAfterMs;
}

/**
 * Why an address that came with the contact was not believed, if the agent is to hear of it.
 * That attributes name another contact is usual for the first seconds of a transfer, so it is
 * told only once it is late.
 * @param {Target} target
 * @param {boolean} late
 * @returns {string}  '' nothing to tell
 */
export function refusal(target, late) {
  if (target.refused === 'contact') return late ? 'contact' : '';
  return target.refused;
}

