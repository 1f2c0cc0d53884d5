/**
 * Which page a contact's agent should see, and what is still awaited.
 *
 * Attributes are shared along a chain of contacts, and any flow can write them. So they count only
 * if the one named `id` is the contact's own id; what does not count is passed over in favour of the
 * record that follows from the contact's id, or of a search for the number.
 *
 * @import {Address, AttributeKey, Config, Refusal, Seen, Target} from './types.js'
 */

import {guid, parse, searchText, tableName} from './address.js';

/**
 * How long after the answer the address of a page is waited for (ms), where one is to come: it may
 * name another record than the attributes that are there before.
 */
const ADDRESS_MS = 1_500;

/**
 * @param {Seen} seen
 * @param {Config} config
 * @param {number} now   In ms since 1970.
 * @param {{recordId: string, exists?: boolean}} known   The id that `recordId` of ./record.js gives
 *   for the contact, '' where its channel has no record; and whether the host has seen it exist.
 * @returns {Target}
 */
export function target(seen, config, now, known) {
  const told = counting(seen, config);
  const own = ownRecord(seen, config, known.recordId);
  const match = matched(told);
  const customer = match === 'single' ? customerOf(told) : null;
  const given = givenPage(seen, config, told !== null, own);
  const record = recordOf(told);
  const search = customer ? null : searchOf(seen, told);
  const waited = connectedFor(seen, now);
  const base = {
    match, customer, activity: record ?? own, search,
    tab: given.page ? tabOf(seen, config) : config.open.tab,
    refused: given.refused,
  };
  // Attributes are written while a contact is on, and never later.
  const hopeful = seen.state !== 'after' && waited < config.open.searchAfterMs;
  const awaited = match === 'unknown' && hopeful ? 'customer' : '';
  const page = given.page ?? (record && {kind: 'record', ...record});
  if (page) {
    const isComing = !given.page && waited < ADDRESS_MS && config.open.urlChannels.includes(seen.channel);
    return {...base, page, proven: true, awaiting: isComing ? 'record' : awaited};
  }
  if (own) {
    const there = known.exists === true || waited >= config.open.recordAfterMs;
    return {
      ...base, page: {kind: 'record', ...own}, proven: known.exists === true,
      awaiting: there ? awaited : 'record',
    };
  }
  if (awaited) return {...base, page: null, proven: false, awaiting: awaited};
  return {...base, ...withoutRecord(customer, search), awaiting: ''};
}

/**
 * A value among attributes that count, trimmed; '' without one.
 *
 * @typedef {(key: AttributeKey) => string} Told
 */

/**
 * How to read the attributes of a contact, null if they are not about it.
 *
 * @param {Seen} seen
 * @param {Config} config
 * @returns {Told|null}
 */
export function counting(seen, config) {
  const {attributes} = seen;
  const names = config.names.attributes;
  if (!attributes || seen.monitoring) return null;
  const vouched = value(attributes, names.id);
  if (!vouched || vouched.toLowerCase() !== seen.id.toLowerCase()) return null;
  return (key) => value(attributes, names[key]);
}

/**
 * A contact with the attributes that were last about it: once it is transferred, those that all legs
 * share are about the next one.
 *
 * @param {Seen|undefined} before   The same contact as it was seen until now.
 * @param {Seen} seen
 * @param {Config} config
 * @returns {Seen}
 */
export function remembering(before, seen, config) {
  if (!before || seen.monitoring || counting(seen, config) || !counting(before, config)) return seen;
  return {...seen, attributes: before.attributes};
}

/**
 * @param {Record<string, string>} attributes
 * @param {string} name
 */
function value(attributes, name) {
  const found = Object.hasOwn(attributes, name) ? attributes[name] : '';
  return typeof found === 'string' ? found.trim() : '';
}

/**
 * @param {Seen} seen
 * @param {Config} config
 * @param {string} recordId
 */
function ownRecord(seen, config, recordId) {
  const table = tableName(config.records[seen.channel]?.table);
  const id = guid(recordId);
  return table && id ? {table, id} : null;
}

/**
 * @param {Told|null} told
 * @returns {Target['match']}
 */
function matched(told) {
  if (!told) return 'unknown';
  const status = told('status').toLowerCase();
  if (status === 'multimatch') return 'several';
  // Whoever vouches for a customer has found one, also after a flow that had not.
  if (customerOf(told)) return 'single';
  return status === 'nomatch' ? 'none' : 'unknown';
}

/** @param {Told|null} told */
function customerOf(told) {
  const id = guid(told?.('contactId'));
  if (!told || !id) return null;
  // The flow module leaves the table out for contacts.
  const table = tableName(told('customerTable') || 'contact');
  return table ? {table, id, name: searchText(told('customerName'))} : null;
}

/** @param {Told|null} told */
function recordOf(told) {
  const table = tableName(told?.('recordTable'));
  const id = guid(told?.('recordId'));
  return table && id ? {table, id} : null;
}

/**
 * The page that an attribute names, if it is to be believed.
 *
 * @param {Seen} seen
 * @param {Config} config
 * @param {boolean} vouched
 * @param {{table: string, id: string}|null} own
 * @returns {{page: Address|null, refused: ''|Refusal|'contact'}}
 */
function givenPage(seen, config, vouched, own) {
  const text = seen.monitoring ? '' : value(seen.attributes ?? {}, config.open.urlAttribute);
  if (!text) return {page: null, refused: ''};
  const page = parse(text, config.dynamics);
  if ('refused' in page) return {page: null, refused: page.refused};
  const isOwn = page.kind === 'record' && page.table === own?.table && page.id === own.id;
  return vouched || isOwn ? {page, refused: ''} : {page: null, refused: 'contact'};
}

/**
 * @param {Seen} seen
 * @param {Config} config
 */
function tabOf(seen, config) {
  const wanted = value(seen.attributes ?? {}, config.open.tabAttribute).toLowerCase();
  return wanted === 'true' || (wanted !== 'false' && config.open.tab);
}

/**
 * @param {Seen} seen
 * @param {Told|null} told
 * @returns {{type: 0|1, text: string}}
 */
function searchOf(seen, told) {
  const text = searchText(told?.('searchText')) || searchText(seen.number);
  return {type: told?.('searchType') === '1' ? 1 : 0, text};
}

/**
 * How long ago the contact was connected (ms); -1 if it is not yet. A clock that runs behind makes
 * it 0, and not a wait for ever.
 *
 * @param {Seen} seen
 * @param {number} now
 */
function connectedFor(seen, now) {
  const connected = seen.state === 'connected' || seen.state === 'after';
  return connected ? Math.max(0, now - seen.since) : -1;
}

/**
 * @param {Target['customer']} customer
 * @param {Target['search']} search
 * @returns {{page: Address|null, proven: boolean}}
 */
function withoutRecord(customer, search) {
  if (customer) return {page: {kind: 'record', table: customer.table, id: customer.id}, proven: true};
  if (search?.text) return {page: {kind: 'search', ...search}, proven: true};
  return {page: null, proven: false};
}
