/**
 * The words of the page: labels of what the softphone and Dynamics call by codes.
 *
 * @import {Seen, Target} from '../core/types.js'
 */

const CHANNELS = {voice: 'Phone call', chat: 'Chat', task: 'Task', email: 'E-mail'};
const NOBODY = {
  voice: 'Number withheld', chat: 'Unknown person', task: 'No customer', email: 'Unknown sender',
};
const STATES = {
  ringing: 'Ringing', accepted: 'Connecting', connected: 'Connected', after: 'After-call work',
  missed: 'Missed', ended: 'Ended',
};

/** @type {Record<string, string>} */
const TABLES = {
  phonecall: 'Phone call', task: 'Task', email: 'E-mail', appointment: 'Appointment',
  contact: 'Contact', account: 'Account', lead: 'Lead', incident: 'Case',
};

/** @param {Seen} seen  @returns {string} e.g. 'Outgoing call' */
export function channel(seen) {
  if (seen.callback) return 'Callback';
  if (seen.channel === 'voice' && !seen.inbound) return 'Outgoing call';
  return CHANNELS[seen.channel];
}

/** @param {Seen} seen  @returns {string} e.g. 'Ringing' */
export function state(seen) {
  if (seen.monitoring) return 'Listening in';
  if (seen.state === 'after' && seen.channel !== 'voice') return 'Wrap-up';
  return STATES[seen.state];
}

/**
 * The customer by name, else by number or mail address.
 * @param {Seen} seen
 * @param {Target} target
 * @returns {string}
 */
export function who(seen, target) {
  return target.customer?.name || seen.number || NOBODY[seen.channel];
}

/**
 * Channel, number (where the name stands above it) and queue.
 * @param {Seen} seen
 * @param {Target} target
 * @returns {string}
 */
export function line(seen, target) {
  const number = target.customer?.name ? seen.number : '';
  return [channel(seen), number, seen.queue].filter(Boolean).join(' · ');
}

/** @param {string} table  logical name  @returns {string} e.g. 'Phone call' */
export function record(table) {
  return TABLES[table] ?? table;
}

/**
 * Why the customer called, as far as attributes of this contact say so, and what is recorded.
 * @param {Target} target
 * @param {string} reason  '' none
 * @returns {string}
 */
export function activity(target, reason) {
  const parts = [];
  if (reason) parts.push(`Reason: ${reason}`);
  if (target.activity) parts.push(`Activity: ${record(target.activity.table)}`);
  const customer = target.customer?.table ?? 'contact';
  if (customer !== 'contact') parts.push(`Customer: ${record(customer)}`);
  return parts.join(' · ');
}

/**
 * What is awaited, or how the search for the customer ended.
 * @param {Seen} seen
 * @param {Target} target
 * @param {boolean} late
 * @returns {{text: string, turning: boolean}}  turning: something is still going on
 */
export function awaited(seen, target, late) {
  const still = (/** @type {string} */ text) => ({text, turning: false});
  if (seen.monitoring) return still('You are listening in, so no record is opened.');
  if (seen.state === 'missed') return still('Missed: no record is opened.');
  if (target.match === 'none') return still('No customer found in Dynamics.');
  if (target.match === 'several') return still('Several customers match. Choose in the search.');
  if (late) return still('No word on the customer yet.');
  if (target.awaiting === '') return still('');
  const text = target.match === 'unknown' ? 'Looking the customer up' : 'Waiting for the record';
  return {text: `${text}…`, turning: true};
}
