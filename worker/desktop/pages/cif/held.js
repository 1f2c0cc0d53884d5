/** One contact's session: what it is, what it should be, and what a reload may know of it. */

/** @import {Session} from '../core/types.js' */

const REMEMBERED = 200; // contacts

/**
 * @typedef {'opening' | 'open' | 'closed' | 'refused'} Stage
 * @typedef {'customer' | 'activity' | 'search'} Tab
 *
 * @typedef {object} Held
 * @property {Stage} stage
 * @property {string} session  its id; '' while there is none
 * @property {boolean} live  opened or taken up by this page: Dynamics gives ids anew when it is loaded anew
 * @property {Set<Tab>} tabs  open ones
 * @property {Session | null} plan  as it should be
 * @property {Set<Tab>} ready  tabs whose page exists
 * @property {Record<string, string>} told  slugs that Dynamics has
 * @property {string} title  as Dynamics has it
 * @property {string} known  what `keep` was told last
 */

/**
 * A session that is about to be opened.
 *
 * @returns {Held}
 */
export function nothing() {
  return {
    stage: 'opening', session: '', live: false, tabs: new Set(), plan: null, ready: new Set(), told: {}, title: '', known: '',
  };
}

/**
 * What a reload may know: ids and stages.
 *
 * @param {Map<string, Held>} held  by contact
 * @returns {string}
 */
export function kept(held) {
  const entries = [...held].slice(-REMEMBERED).map(([contactId, {stage, session, tabs}]) => (
    [contactId, {stage, session, tabs: [...tabs]}]
  ));
  return JSON.stringify(Object.fromEntries(entries));
}

/**
 * What a panel before this one remembered.
 *
 * @param {string | null} text
 * @returns {Map<string, Held>}
 */
export function restored(text) {
  /** @type {Map<string, Held>} */
  const held = new Map();
  if (!text) return held;
  try {
    for (const [contactId, {stage, session, tabs}] of Object.entries(JSON.parse(text))) {
      held.set(contactId, {...nothing(), stage, session: String(session), tabs: new Set(tabs)});
    }
  } catch {
    held.clear(); // not ours: Dynamics' own list of sessions is asked instead
  }
  return held;
}

/**
 * Tabs to open: their page is there, and they are not.
 *
 * @param {Held} held
 */
export function missing({plan, tabs, ready}) {
  return (plan?.tabs ?? []).filter(({what}) => !tabs.has(what) && ready.has(what));
}

/**
 * Whether Dynamics has still to be told something.
 *
 * @param {Held} held
 */
export function outstanding(held) {
  const {plan, told, title} = held;
  return plan !== null && (missing(held).length > 0 || plan.title !== title || changed(plan.parameters, told) !== null);
}

/**
 * Slugs whose value is another than Dynamics has; null without any. A value that went missing is kept: attributes are
 * shared along a chain, and a transfer empties them for the leg before.
 *
 * @param {Record<string, string>} wanted
 * @param {Record<string, string>} told
 * @returns {Record<string, string> | null}
 */
export function changed(wanted, told) {
  const slugs = Object.entries(wanted).filter(([name, value]) => value !== '' && told[name] !== value);
  return slugs.length ? Object.fromEntries(slugs) : null;
}

/**
 * A plan for the customer whose page is open already.
 *
 * @param {Session} plan
 * @param {Held} held
 * @returns {Session}
 */
export function sameCustomer(plan, {told, title}) {
  const {customerRecordId = '', customerName, customerEntityName} = told;
  if (!customerRecordId || plan.parameters.customerRecordId === customerRecordId) return plan;
  const customer = {customerRecordId, customerName: customerName ?? '', customerEntityName: customerEntityName ?? ''};
  return {...plan, title, parameters: {...plan.parameters, ...customer}};
}
