/**
 * From snapshots of the softphone to what has become of each contact.
 *
 * @import {Intent, Memory, Seen, Stage} from './types.js'
 */

/** How many contacts are remembered. An agent has a handful at once. */
const REMEMBERED = 200;

/** By how much two readings of one moment may differ (ms). */
const CLOCKS_MS = 1_000;

const ID = /^[A-Za-z0-9-]{1,64}$/;

const STAGES = /** @type {const} */ ({
  ringing: 'ring', accepted: 'accepted', connected: 'connected', after: 'after',
});
const ORDER = ['ring', 'accepted', 'connected', 'after'];

/** @returns {Memory} */
export function empty() {
  return {contacts: {}};
}

/**
 * What a page before this one has remembered; an empty memory if the text is nothing of the kind.
 *
 * @param {string|null} text   A memory as JSON, out of the session's storage.
 * @returns {Memory}
 */
export function restored(text) {
  const memory = empty();
  let kept;
  try {
    kept = JSON.parse(text ?? '{}');
  } catch {
    return memory; // not ours: whatever is shown once more than needed does no harm
  }
  for (const [id, stage] of Object.entries(kept?.contacts ?? {})) {
    if (ID.test(id) && ORDER.includes(stage?.reached) && [...ORDER, 'gone'].includes(stage?.at)) {
      memory.contacts[id] = {
        at: stage.at, reached: stage.reached, shown: false, seen: Number(stage.seen) || 0,
      };
    }
  }
  return memory;
}

/**
 * Compare what is seen with what is remembered. A contact that somebody else handles and the agent
 * only listens to never gets further than `changed`, so nothing opens for it.
 *
 * @param {Memory} memory
 * @param {Seen[]} seen   All contacts of the softphone.
 * @param {number} now   In ms since 1970.
 * @returns {{memory: Memory, intents: Intent[]}}   At most one intent for each contact.
 */
export function follow(memory, seen, now) {
  const contacts = {...memory.contacts};
  /** @type {Intent[]} */
  const intents = [];
  for (const contact of seen) {
    const [stage, intent] = step(contacts[contact.id], contact, now);
    contacts[contact.id] = stage;
    if (intent) intents.push(intent);
  }
  const there = new Set(seen.map((contact) => contact.id));
  for (const [id, stage] of Object.entries(contacts)) {
    if (there.has(id) || stage.at === 'gone') continue;
    contacts[id] = {...stage, at: 'gone'};
    intents.push(gone(vanished(id, now), stage));
  }
  return {memory: {contacts: bounded(contacts)}, intents};
}

/**
 * @param {Stage|undefined} before
 * @param {Seen} contact
 * @param {number} now
 * @returns {[Stage, Intent|null]}
 */
function step(before, contact, now) {
  if (contact.monitoring) return [stageOf('accepted', 'accepted', now), {kind: 'changed', contact}];
  if (contact.state === 'missed' || contact.state === 'ended') {
    const stage = stageOf('gone', before?.reached ?? 'ring', now);
    return [stage, before && before.at !== 'gone' ? gone(contact, before) : null];
  }
  const at = STAGES[contact.state];
  const known = before && !(at === 'ring' && offeredAnew(before, contact)) ? before : undefined;
  const again = known ? ORDER.indexOf(known.reached) >= ORDER.indexOf(at) : false;
  const stage = stageOf(at, again && known ? known.reached : at, now);
  if (known && known.at === at && known.shown) return [stage, {kind: 'changed', contact}];
  return [stage, {kind: at, contact, again}];
}

/**
 * A contact that was missed may be offered to the same agent again, under the same id; the page may
 * have been away meanwhile.
 *
 * @param {Stage} before
 * @param {Seen} contact
 */
function offeredAnew(before, contact) {
  return before.at === 'gone' || contact.since > before.seen + CLOCKS_MS;
}

/**
 * @param {Stage['at']} at
 * @param {Stage['reached']} reached
 * @param {number} seen
 * @returns {Stage}
 */
function stageOf(at, reached, seen) {
  return {at, reached, shown: true, seen};
}

/**
 * @param {Seen} contact
 * @param {Stage} stage   As far as it had come.
 * @returns {Intent}
 */
function gone(contact, stage) {
  return {kind: 'gone', contact, missed: contact.state === 'missed' || stage.reached === 'ring'};
}

/**
 * @param {string} id
 * @param {number} now
 * @returns {Seen}
 */
function vanished(id, now) {
  return {
    id, initialId: '', channel: 'voice', state: 'ended', inbound: true, callback: false,
    monitoring: false, number: '', queue: '', attributes: null, since: now,
  };
}

/**
 * @param {Record<string, Stage>} contacts
 * @returns {Record<string, Stage>}
 */
function bounded(contacts) {
  const all = Object.entries(contacts);
  if (all.length <= REMEMBERED) return contacts;
  const weight = (/** @type {Stage} */ stage) => (stage.at === 'gone' ? 0 : 1);
  all.sort(([, a], [, b]) => weight(b) - weight(a) || b.seen - a.seen);
  return Object.fromEntries(all.slice(0, REMEMBERED));
}
