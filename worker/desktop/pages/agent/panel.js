/**
 * The panel beside the softphone: who the customer is, what is recorded, what is still awaited,
 * and one button to the record.
 *
 * @import {Seen, Target} from '../core/types.js'
 * @import {TabState} from './tab.js'
 *
 * @typedef {object} Shown   The contact in view.
 * @property {Seen} seen
 * @property {Target} target
 * @property {string} reason   Why the customer called; '' not known.
 * @property {boolean} tab   Its page opens in a browser tab, else in a frame.
 * @property {boolean} opened   Its page has been opened.
 * @property {boolean} refused   The browser refused to open its page.
 * @property {boolean} moved   The page that it should show by now is not the one that was opened.
 * @property {string} page   Address of the page that is open for it; '' none.
 * @property {boolean} away   The Dynamics tab has been sent to another page since.
 * @property {boolean} late   Nothing has been heard of the customer for too long.
 *
 * @typedef {object} Panel   What the panel says.
 * @property {string} line   Channel, number, queue.
 * @property {string} customer
 * @property {string} activity
 * @property {string} awaited
 * @property {boolean} turning   Something is still going on.
 * @property {string} button
 * @property {boolean} calm   Nothing waits for the button.
 * @property {string} second   Of the second button; '' none.
 * @property {string} tabLine
 * @property {'tab'|'frame'} mode
 * @property {string} page
 * @property {string} awaiting
 * @property {string} state
 */

import {write} from './contacts.js';
import * as words from './words.js';

const OPENED = 'Opened in the Dynamics tab.';
const CONNECT = 'Connect the Dynamics tab';
const CUT = 'The Dynamics tab was closed, or Dynamics keeps it apart from this page. The next '
  + 'record opens in a new tab; allow pop-ups for this page.';

/** @type {Record<TabState, {button: string, line: string, calm: boolean}>} */
const IDLE = {
  none: {
    button: CONNECT, calm: false,
    line: 'Once at the start of your shift. Records then open in that tab by themselves.',
  },
  kept: {
    button: CONNECT, calm: true,
    line: 'This page was loaded again. Records open in the Dynamics tab that you have open.',
  },
  ready: {
    button: 'Show the Dynamics tab', calm: true,
    line: 'The Dynamics tab is ready: records open in it by themselves. Leave it open.',
  },
  closed: {
    button: CONNECT, calm: false,
    line: 'The Dynamics tab is not connected any more. Connect it, so that the next record '
      + 'opens by itself.',
  },
  cut: {button: 'Open Dynamics', calm: true, line: CUT},
};

/**
 * Without a contact.
 *
 * @param {string} text   What there is to say instead.
 * @param {boolean} signedIn
 * @param {boolean} tab   Pages open in a browser tab.
 * @param {TabState} state
 * @returns {Panel}
 */
export function idle(text, signedIn, tab, state) {
  const inTab = IDLE[state];
  return {
    line: '', activity: '', awaited: '', turning: false, page: '', awaiting: '', state: '',
    second: '',
    customer: text,
    button: tab ? inTab.button : 'Open Dynamics in a tab',
    calm: !tab || !signedIn || inTab.calm,
    tabLine: tab ? inTab.line : 'The record of the next contact appears here.',
    mode: tab ? 'tab' : 'frame',
  };
}

/**
 * After the contact is over, while its record is still framed: the agent may be writing in it.
 *
 * @param {string} page
 * @returns {Panel}
 */
export function left(page) {
  return {
    ...idle('The contact is over', true, false, 'none'), page, button: 'Open in a tab',
    tabLine: 'Its record stays here until the next contact.',
  };
}

/**
 * With a contact in view.
 *
 * @param {Shown} shown
 * @param {TabState} state
 * @returns {Panel}
 */
export function panel(shown, state) {
  const {seen, target, late, page} = shown;
  const awaited = words.awaited(seen, target, late);
  return {
    line: words.line(seen, target),
    customer: words.who(seen, target),
    activity: words.activity(target, shown.reason),
    awaited: awaited.text,
    turning: awaited.turning,
    ...(shown.tab ? inTab(shown, state) : inFrame(shown)),
    second: second(shown),
    page,
    awaiting: target.awaiting,
    state: seen.state,
  };
}

/**
 * @param {Shown} shown
 * @param {TabState} state
 * @returns {Pick<Panel, 'button'|'calm'|'tabLine'|'mode'>}
 */
function inTab(shown, state) {
  const mode = /** @type {const} */ ('tab');
  const {button, calm, line} = IDLE[state];
  const ahead = state === 'ready' ? byItself(shown.seen) : line;
  if (!canOpen(shown)) return {mode, button, calm, tabLine: ahead};
  if (shown.moved) {
    const tabLine = 'Another page was opened before this was known.';
    return {mode, button: 'Open the record found since', calm: false, tabLine};
  }
  const label = 'Open in Dynamics';
  if (shown.refused) return {mode, button: label, calm: false, tabLine: 'The browser blocked it.'};
  if (!shown.opened) return {mode, button: label, calm: state === 'ready', tabLine: ahead};
  if (shown.away && state === 'ready') {
    return {mode, button: label, calm: false, tabLine: 'The Dynamics tab shows another record now.'};
  }
  const lost = state === 'closed' || state === 'cut';
  return {mode, button: label, calm: true, tabLine: lost ? line : OPENED};
}

/**
 * @param {Shown} shown
 * @returns {Pick<Panel, 'button'|'calm'|'tabLine'|'mode'>}
 */
function inFrame(shown) {
  const mode = /** @type {const} */ ('frame');
  const button = canOpen(shown) ? 'Open in a tab' : 'Open Dynamics in a tab';
  return {mode, button, calm: true, tabLine: ''};
}

/** @param {Seen} seen  @returns {string} */
function byItself({state, monitoring}) {
  return state === 'ringing' && !monitoring ? 'The record opens by itself when you answer.' : '';
}

/** @param {Shown} shown  @returns {string} */
function second({seen, target, tab, moved}) {
  if (moved && !tab) return 'Show the record found since';
  const open = target.match === 'none' || target.match === 'several';
  if (!open || seen.monitoring || target.page?.kind === 'search' || !target.search?.text) return '';
  return 'Search the customer';
}

/** @param {Shown} shown */
function canOpen({seen, target}) {
  return target.page !== null && target.awaiting !== 'record' && !seen.monitoring;
}

/**
 * Writes it to the page; as text, whatever it holds.
 *
 * @param {Panel} what
 */
export function paint(what) {
  const element = (/** @type {string} */ id) => document.getElementById(id);
  const record = element('record');
  if (record) {
    Object.assign(record.dataset, {
      page: what.page, awaiting: what.awaiting, mode: what.mode, state: what.state,
    });
  }
  write(element('contact-line'), what.line);
  write(element('customer'), what.customer);
  write(element('activity'), what.activity);
  write(element('awaited'), what.awaited);
  element('awaited')?.toggleAttribute('data-turning', what.turning);
  write(element('open-tab'), what.button);
  element('open-tab')?.toggleAttribute('data-calm', what.calm);
  element('open-tab')?.toggleAttribute('hidden', false);
  write(element('second'), what.second);
  element('second')?.toggleAttribute('hidden', what.second === '');
  write(element('tab-line'), what.tabLine);
}
