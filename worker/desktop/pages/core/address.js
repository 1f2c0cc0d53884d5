/**
 * Addresses of Dynamics pages: read out of a given text, and built anew from what was read.
 *
 * @import {Address, Dynamics, Refusal} from './types.js'
 */

const TABLE = /^[a-z][a-z0-9_]{0,99}$/;
const GUID = /^[0-9a-f]{8}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{4}-[0-9a-f]{12}$/;

/** The longest address (characters) that is read, and the longest text that is searched for. */
const LONGEST = 2048;
const LONGEST_SEARCH = 200;

/** Parameters that decide what is shown; none may be given twice. */
const DECISIVE = ['pagetype', 'etn', 'id', 'searchtext', 'searchtype'];

/**
 * Read which page an address means. Nothing of the text itself survives but a table's name, a GUID
 * and words to search for, so that a given address can never lead anywhere else.
 *
 * @param {string} text
 * @param {Dynamics} dynamics   The only origin that is accepted.
 * @returns {Address|{refused: Refusal}}
 */
export function parse(text, dynamics) {
  const url = text.length <= LONGEST && URL.canParse(text) ? new URL(text) : null;
  if (!url) return {refused: 'page'};
  const own = new URL(dynamics.url);
  if (url.protocol !== own.protocol) return {refused: 'scheme'};
  if (url.origin !== own.origin || url.username || url.password) return {refused: 'host'};
  if (url.pathname !== '/main.aspx') return {refused: 'path'};
  return page(url.searchParams) ?? {refused: 'page'};
}

/**
 * The address of a page.
 *
 * @param {Address} address
 * @param {Dynamics} dynamics
 * @returns {string}
 */
export function href(address, dynamics) {
  const parameters = new URLSearchParams();
  if (dynamics.appId) parameters.set('appid', dynamics.appId);
  if (address.kind === 'record') {
    parameters.set('pagetype', 'entityrecord');
    parameters.set('etn', address.table);
    parameters.set('id', address.id);
  } else {
    parameters.set('pagetype', 'search');
    parameters.set('searchText', address.text);
    parameters.set('searchType', String(address.type ?? 0));
  }
  // Dynamics documents %20, not the plus sign that forms use.
  return `${dynamics.url}/main.aspx?${parameters.toString().replaceAll('+', '%20')}`;
}

/**
 * A table's logical name, '' if the text cannot be one.
 *
 * @param {string|undefined} text
 */
export function tableName(text) {
  const name = (text ?? '').trim().toLowerCase();
  return TABLE.test(name) ? name : '';
}

/**
 * A GUID in its usual form, with or without braces before; '' if the text is none.
 *
 * @param {string|undefined} text
 */
export function guid(text) {
  const id = (text ?? '').trim().toLowerCase().replace(/^\{(.*)\}$/, '$1');
  return GUID.test(id) ? id : '';
}

/**
 * Words to search for or to show: one line of bounded length, in which nothing turns the direction
 * of writing round for what follows.
 *
 * @param {string|undefined} text
 */
export function searchText(text) {
  // eslint-disable-next-line no-control-regex -- it is control characters that have to go
  return (text ?? '').replace(/[\u0000-\u001f\u007f-\u009f\u2028-\u202e\u2066-\u2069]+/g, ' ').trim().slice(0, LONGEST_SEARCH);
}

/**
 * @param {URLSearchParams} given
 * @returns {Address|null}
 */
function page(given) {
  /** @type {Map<string, string>} */
  const values = new Map();
  for (const [name, value] of given) {
    const key = name.toLowerCase();
    if (DECISIVE.includes(key) && values.has(key)) return null;
    values.set(key, value);
  }
  if (values.get('pagetype') === 'entityrecord') return recordPage(values);
  if (values.get('pagetype') === 'search') return searchPage(values);
  return null;
}

/**
 * @param {Map<string, string>} values
 * @returns {Address|null}
 */
function recordPage(values) {
  const table = tableName(values.get('etn'));
  const id = guid(values.get('id'));
  return table && id ? {kind: 'record', table, id} : null;
}

/**
 * @param {Map<string, string>} values
 * @returns {Address|null}
 */
function searchPage(values) {
  const text = searchText(values.get('searchtext'));
  return text ? {kind: 'search', text, type: values.get('searchtype') === '1' ? 1 : 0} : null;
}
