/** Ids of the records that the worker makes for a contact; they follow from the contact's id. */

/**
 * The primary key of the record that a step makes for a contact, as `record_id` of
 * pipelines/identity.py: a UUID of version 5.
 *
 * @param {string} namespace   A UUID.
 * @param {string} contactId   In any case: the worker keys contacts in lower case.
 * @param {string} pipeline
 * @param {string} step
 * @returns {Promise<string>}
 */
export async function recordId(namespace, contactId, pipeline, step) {
  const name = new TextEncoder().encode(`${contactId.toLowerCase()}/${pipeline}/${step}`);
  const space = bytes(namespace);
  const all = new Uint8Array(space.length + name.length);
  all.set(space);
  all.set(name, space.length);
  const digest = new Uint8Array(await crypto.subtle.digest('SHA-1', all)).slice(0, 16);
  const view = new DataView(digest.buffer);
  view.setUint8(6, (view.getUint8(6) & 0x0f) | 0x50);
  view.setUint8(8, (view.getUint8(8) & 0x3f) | 0x80);
  const hex = Array.from(digest, (byte) => byte.toString(16).padStart(2, '0')).join('');
  return hex.replace(/^(.{8})(.{4})(.{4})(.{4})(.{12})$/, '$1-$2-$3-$4-$5');
}

/** @param {string} uuid */
function bytes(uuid) {
  const hex = uuid.replaceAll('-', '');
  return Uint8Array.from({length: 16}, (_, at) => parseInt(hex.slice(2 * at, 2 * at + 2), 16));
}
