/**
 * Which of several contacts the page shows.
 *
 * @import {Intent, Seen} from '../core/types.js'
 */

/** Where the agent's attention belongs, first things first. */
const URGENCY = ['connected', 'accepted', 'ringing', 'after', 'missed', 'ended'];

/**
 * The contact to show: one that has just been answered; else the one that is shown, while it is
 * there; else the most urgent, of equals the latest.
 * @param {string} current  id of the contact shown; '' none
 * @param {Seen[]} seen
 * @param {Intent[]} intents  what has just happened
 * @returns {string}  its id; '' if there is none
 */
export function next(current, seen, intents) {
  const present = new Set(seen.map((contact) => contact.id));
  const answered = intents.filter(
    (intent) => intent.kind === 'connected' && !intent.again && present.has(intent.contact.id),
  );
  const latest = answered.sort((a, b) => b.contact.since - a.contact.since)[0];
  if (latest) return latest.contact.id;
  if (present.has(current)) return current;
  return [...seen].sort(byUrgency)[0]?.id ?? '';
}

/** @param {Seen} a  @param {Seen} b  @returns {number} */
function byUrgency(a, b) {
  return URGENCY.indexOf(a.state) - URGENCY.indexOf(b.state) || b.since - a.since;
}
