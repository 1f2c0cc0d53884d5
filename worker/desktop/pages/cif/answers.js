/**
 * Reading what the Channel Integration Framework gives back.
 *
 * The same method answers with a JSON string, an object or a Map, depending on release and page of the documentation;
 * everything else in the panel sees one form.
 */

/** @import {Answer, Click, RecordName} from './types.js' */

const GUID = /^\{?([0-9a-f]{8}(?:-[0-9a-f]{4}){3}-[0-9a-f]{12})\}?$/i;
const NAME = /^[a-z][a-z0-9_]{0,99}$/; // of a table or a column

/**
 * A value without its wrapping: JSON text is parsed, a Map becomes an object.
 *
 * @param {unknown} value
 * @returns {unknown}
 */
export function unwrapped(value) {
  if (value instanceof Map) return Object.fromEntries(value);
  if (typeof value !== 'string' || !/^\s*["[{tfn]/.test(value)) return value;
  try {
    return JSON.parse(value);
  } catch {
    return value; // text that merely begins like JSON, such as a name
  }
}

/**
 * The fields of an answer; none if it has no fields.
 *
 * @param {unknown} value
 * @returns {Record<string, unknown>}
 */
export function fields(value) {
  const plain = unwrapped(value);
  return plain !== null && typeof plain === 'object' ? /** @type {Record<string, unknown>} */ (plain) : {};
}

/**
 * An id, given bare, quoted or as a field; empty if there is none.
 *
 * @param {unknown} value
 * @returns {string}
 */
export function identifier(value) {
  const plain = unwrapped(value);
  if (typeof plain === 'string') return plain;
  const {sessionId, tabId, id, value: inner} = fields(plain);
  const found = sessionId ?? tabId ?? id ?? inner;
  return typeof found === 'string' ? found : '';
}

/**
 * Ids of a list, in its order.
 *
 * @param {unknown} value
 * @returns {string[]}
 */
export function identifiers(value) {
  const plain = unwrapped(value);
  const list = Array.isArray(plain) ? plain : fields(plain).value ?? fields(plain).sessions;
  return Array.isArray(list) ? list.map(identifier).filter((id) => id !== '') : [];
}

/**
 * Whether an answer means yes.
 *
 * @param {unknown} value
 * @returns {boolean}
 */
export function affirmed(value) {
  const plain = unwrapped(value);
  return plain === true || fields(plain).value === true || String(fields(plain).value ?? plain).toLowerCase() === 'true';
}

/**
 * What became of a notification.
 *
 * @param {unknown} value
 * @returns {Answer}
 */
export function notified(value) {
  const outer = fields(value);
  const inner = 'actionName' in outer ? outer : fields(outer.value);
  return {action: String(inner.actionName ?? ''), reason: String(inner.responseReason ?? '')};
}

/**
 * Why a call was refused: the framework's own word for it. Rejections are objects, strings, or JSON in either.
 *
 * @param {unknown} error
 * @returns {string}
 */
export function refusal(error) {
  const plain = error instanceof Error ? error.message : unwrapped(error);
  if (typeof plain === 'string') {
    const inner = unwrapped(plain);
    return typeof inner === 'string' ? inner : refusal(inner);
  }
  const {message, errorMessage, error: inner, value} = fields(plain);
  const found = message ?? errorMessage ?? inner ?? value;
  return found === undefined || found === null ? '' : refusal(found);
}

/**
 * Whether a value occurs anywhere inside an answer: how a session tells whose it is.
 *
 * @param {unknown} value
 * @param {string} wanted
 * @param {number} depth  levels to look into
 * @returns {boolean}
 */
export function mentions(value, wanted, depth = 6) {
  const plain = unwrapped(value);
  if (typeof plain === 'string') return plain.toLowerCase() === wanted.toLowerCase();
  if (plain === null || typeof plain !== 'object' || depth === 0) return false;
  return Object.values(plain).some((inner) => mentions(inner, wanted, depth - 1));
}

/**
 * A click on a phone number. `entityId` is read by code in the wild, but is not documented.
 *
 * @param {unknown} data
 * @returns {Click}
 */
export function clicked(data) {
  const {value, name, entityLogicalName, entityId} = fields(data);
  return {
    value: typeof value === 'string' || typeof value === 'number' ? String(value) : '',
    table: NAME.test(String(entityLogicalName)) ? String(entityLogicalName) : '',
    column: NAME.test(String(name)) ? String(name) : '',
    record: record(entityLogicalName, entityId),
  };
}

/**
 * A record by table and id; null if one of them is none.
 *
 * @param {unknown} table
 * @param {unknown} id
 * @returns {RecordName | null}
 */
export function record(table, id) {
  const key = GUID.exec(String(id ?? ''))?.[1] ?? '';
  return typeof table === 'string' && NAME.test(table) && key ? {table, id: key.toLowerCase()} : null;
}

/**
 * Rows of a search: a list, or an object with a row under each number.
 *
 * @param {unknown} value
 * @returns {Record<string, unknown>[]}
 */
export function rows(value) {
  const plain = fields(value);
  const list = Array.isArray(plain) ? plain : Array.isArray(plain.value) ? plain.value : Object.values(plain);
  return list.map(fields);
}
