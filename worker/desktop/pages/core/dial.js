/**
 * Numbers that may be dialled, and which contact came of dialling one.
 *
 * @import {Seen} from './types.js'
 */

import {countriesOf} from './countries.js';

const E164 = /^\+[1-9][0-9]{6,14}$/;

/** How long after dialling a contact is taken for what came of it (ms). */
export const BIND_MS = 30_000;

/** How much earlier than it was asked for a contact may have begun (ms): clocks differ. */
const EARLY_MS = 2_000;

/**
 * A number as it can be dialled. Nothing is guessed: a number without its country is refused.
 *
 * @param {string} value   As a person wrote it, with spaces, brackets, hyphens and full stops.
 * @param {string[]} countries   Two letters each, of the countries that may be called; none: all.
 * @returns {{number: string}|{refused: 'format'|'country'}}
 */
export function dialable(value, countries) {
  const number = value.trim().replace(/[ ()\-.\u00a0]/g, '');
  if (!E164.test(number)) return {refused: 'format'};
  if (!countries.length) return {number};
  const allowed = countries.map((country) => country.toLowerCase());
  const called = countriesOf(number);
  return called.some((country) => allowed.includes(country)) ? {number} : {refused: 'country'};
}

/**
 * The contact that came of dialling a number, which the softphone does not say.
 *
 * @param {{number: string, at: number, before: string[]}} pending   What was dialled, when (ms since
 *   1970), and the ids of the contacts that were there already.
 * @param {Seen[]} seen
 * @param {number} now   In ms since 1970.
 * @returns {{contact: string}|{wait: boolean}|{ambiguous: string[]}}   wait: true while it may still
 *   come, false when it is too late.
 */
export function bind(pending, seen, now) {
  const made = seen.filter((contact) => !contact.inbound && !contact.monitoring
    && !contact.callback && contact.number === pending.number && !pending.before.includes(contact.id)
    && contact.since >= pending.at - EARLY_MS && contact.since <= pending.at + BIND_MS);
  const ids = made.map((contact) => contact.id);
  if (ids.length > 1) return {ambiguous: ids};
  if (ids[0] !== undefined) return {contact: ids[0]};
  return {wait: now - pending.at <= BIND_MS};
}
