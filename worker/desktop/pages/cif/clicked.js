/** Which record a clicked number stands on: Dynamics documents number, table and column, but no id. */

/** @import {Dynamics} from './dynamics.js' */
/** @import {Click, RecordName} from './types.js' */

import {attempted} from './dynamics.js';

/** Tables whose records are activities, with a number of their own. */
const ACTIVITIES = new Set(['phonecall', 'task', 'email', 'appointment', 'fax', 'letter']);

/**
 * The record that was clicked: the one the click names, else the form in front if it is of that table, else the only
 * record with that number in that column.
 *
 * @param {Click} click
 * @param {Pick<Dynamics, 'environment' | 'find'>} dynamics
 * @returns {Promise<{record: RecordName | null, several: boolean}>}  several: more than one may be meant
 */
export async function clickedRecord({value, table, column, record}, dynamics) {
  if (record || !table) return {record, several: false};
  const form = (await attempted(dynamics.environment()))?.form;
  if (form?.table === table) return {record: form, several: false};
  if (!column) return {record: null, several: false};
  const key = ACTIVITIES.has(table) ? 'activityid' : `${table}id`;
  const [id, other] = await dynamics.find(table, key, column, value);
  return {record: id && !other ? {table, id} : null, several: other !== undefined};
}
