/**
 * Contacts as the softphone's snapshots tell of them, in amazon-connect-streams' own form.
 *
 * @import {Channel, Seen, State} from './types.js'
 *
 * @typedef {object} Connection   One participant of a contact.
 * @property {string} type   agent, inbound, outbound or monitoring.
 * @property {boolean|null} [initial]
 * @property {{type?: string|null, phoneNumber?: string|null}|null} [endpoint]
 * @property {{type: string}|null} [state]
 * @property {string|null} [monitorStatus]   SILENT_MONITOR or BARGE: of who listens, or has barged in.
 *
 * @typedef {object} Contact
 * @property {string} contactId
 * @property {string|null} [initialContactId]
 * @property {string} type   voice, queue_callback, chat, task or email.
 * @property {string|null} [initiationMethod]
 * @property {{type: string, timestamp?: Date|number|string|null}} state
 * @property {{name?: string|null}|null} [queue]
 * @property {Record<string, {value?: unknown}|null>|null} [attributes]
 * @property {Connection[]|null} [connections]
 * @property {{phoneNumber?: string|null, address?: string|null, emailAddress?: string|null}|null
 *   } [customerEndpoint]
 *
 * @typedef {object} Snapshot
 * @property {Contact[]|null} [contacts]
 * @property {number|null} [skew]   How far Amazon's clock is ahead of this machine's (ms).
 * @property {Date|number|string|null} [snapshotTimestamp]   When it was made, by Amazon's clock.
 *
 * @typedef {object} Answered   What snapshots do not say: which contacts were answered.
 * @property {string[]} offered   Ids of callbacks that were offered, and not connected since.
 * @property {string[]} accepted   Ids of contacts that were accepted, and are not connected yet.
 */

/** @type {Record<string, Channel>} */
const CHANNELS = {
  voice: 'voice', queue_callback: 'voice', chat: 'chat', task: 'task', email: 'email',
};

/** @type {Record<string, State>} */
const STATES = {
  init: 'ringing', incoming: 'ringing', pending: 'ringing', connecting: 'ringing',
  connected: 'connected', paused: 'connected', ended: 'after', acw: 'after',
  missed: 'missed', rejected: 'missed', error: 'ended',
};

/** What a connection is, or its state, while its agent supervises another one. */
const LISTENING = ['silent_monitor', 'barge'];

/** Seconds since 1970 are below this, milliseconds above. */
const SECONDS = 100_000_000_000;

/**
 * @param {Snapshot} snapshot
 * @param {Answered} before
 * @param {number} now   In ms since 1970.
 * @returns {{seen: Seen[], answered: Answered}}
 */
export function look(snapshot, before, now) {
  const known = (snapshot.contacts ?? []).filter((contact) => CHANNELS[contact.type]);
  const answered = answeredOf(known, before);
  const skew = snapshot.skew ?? timeOf(snapshot.snapshotTimestamp, now) - now;
  const seen = known.map((contact) => (
    seenOf(contact, answered.accepted.includes(contact.contactId), skew, now)
  ));
  return {seen, answered};
}

/**
 * @param {Contact[]} contacts
 * @param {Answered} before
 * @returns {Answered}
 */
function answeredOf(contacts, before) {
  const ids = (/** @type {string[]} */ ...types) => contacts
    .filter((contact) => types.includes(contact.state.type)).map((contact) => contact.contactId);
  const incoming = ids('incoming');
  const open = ids('init', 'pending', 'connecting', 'incoming');
  const offered = [...new Set([...before.offered, ...incoming])].filter((id) => open.includes(id));
  // A callback that is no longer offered and is being connected has been accepted.
  const begun = ids('connecting').filter((id) => before.offered.includes(id));
  const accepted = [...new Set([...before.accepted, ...begun])].filter((id) => open.includes(id));
  return {offered, accepted};
}

/**
 * @param {Contact} contact
 * @param {boolean} accepted
 * @param {number} skew
 * @param {number} now
 * @returns {Seen}
 */
function seenOf(contact, accepted, skew, now) {
  const callback = contact.type === 'queue_callback';
  const inbound = callback || isInbound(contact);
  const monitoring = isMonitoring(contact);
  const initial = contact.initialContactId ?? '';
  return {
    id: contact.contactId,
    initialId: initial.toLowerCase() === contact.contactId.toLowerCase() ? '' : initial,
    channel: CHANNELS[contact.type] ?? 'voice',
    state: stateOf(contact, accepted || !inbound),
    inbound,
    callback,
    monitoring,
    number: numberOf(contact),
    queue: contact.queue?.name ?? '',
    attributes: monitoring ? null : attributesOf(contact),
    since: timeOf(contact.state.timestamp, now + skew) - skew,
  };
}

/**
 * @param {Contact} contact
 * @param {boolean} answered
 * @returns {State}
 */
function stateOf(contact, answered) {
  const state = STATES[contact.state.type] ?? 'ringing';
  if (state !== 'ringing') return state;
  const agent = (contact.connections ?? []).find((connection) => connection.type === 'agent');
  return answered || agent?.state?.type === 'connected' ? 'accepted' : 'ringing';
}

/** @param {Contact} contact */
function isInbound(contact) {
  // Transferred and queued contacts ring whichever way the first call went.
  if (contact.initiationMethod) {
    return !['outbound', 'external_outbound'].includes(contact.initiationMethod.toLowerCase());
  }
  return contact.type !== 'voice' || initialOf(contact)?.type !== 'outbound';
}

/**
 * Whether the agent listens to somebody else's contact, or has barged in: the agent's own connection
 * says so, which for the library is the first one of these types. In the contact of the agent who
 * is listened to, there is a monitoring connection too, behind the agent's own.
 *
 * @param {Contact} contact
 */
function isMonitoring(contact) {
  if (contact.initiationMethod?.toLowerCase() === 'monitor') return true;
  const own = (contact.connections ?? []).find(({type}) => type === 'agent' || type === 'monitoring');
  if (!own) return false;
  return own.type === 'monitoring' || LISTENING.includes((own.monitorStatus ?? own.state?.type ?? '').toLowerCase());
}

/** @param {Contact} contact */
function initialOf(contact) {
  return (contact.connections ?? []).find((connection) => connection.initial === true);
}

/**
 * @param {Contact} contact
 * @returns {string}
 */
function numberOf(contact) {
  const own = contact.customerEndpoint;
  if (contact.type === 'email') {
    const address = own?.address ?? own?.emailAddress ?? '';
    return /^[^\s@]{1,64}@[^\s@]{1,255}$/.test(address) ? address : '';
  }
  const endpoint = initialOf(contact)?.endpoint;
  const given = endpoint?.phoneNumber ?? own?.phoneNumber ?? own?.address ?? '';
  // Softphones may show numbers as sip:number@host; withheld ones as words.
  const number = given.replace(/^sip:([^@]*)@.*$/, '$1').replace(/[ ()\-.]/g, '');
  return /^\+?[0-9]{3,15}$/.test(number) ? number : '';
}

/**
 * @param {Contact} contact
 * @returns {Record<string, string>|null}
 */
function attributesOf(contact) {
  if (!contact.attributes) return null;
  const values = Object.entries(contact.attributes)
    .map(([name, attribute]) => [name, String(attribute?.value ?? '')]);
  return Object.fromEntries(values);
}

/**
 * @param {Date|number|string|null|undefined} timestamp
 * @param {number} otherwise   Where there is none.
 * @returns {number}   In ms since 1970.
 */
function timeOf(timestamp, otherwise) {
  const given = timestamp == null ? NaN : new Date(timestamp).getTime();
  const time = given < SECONDS ? given * 1000 : given;
  return Number.isFinite(time) ? time : otherwise;
}
