/** What the agent page says of a contact. */

import assert from 'node:assert/strict';
import {test} from 'node:test';

import {isDue, isLate, refusal} from '../../../worker/desktop/pages/agent/opening.js';
import {idle, left, panel} from '../../../worker/desktop/pages/agent/panel.js';
import {TROUBLES} from '../../../worker/desktop/pages/agent/troubles.js';
import {agentState, origin, state, who} from '../../../worker/desktop/pages/agent/words.js';
import {target} from '../../../worker/desktop/pages/core/target.js';
import {configured, contact, known, OWN, RECORD, recordPage} from './support/agent_page.js';

const ID = contact().id;

function shown(changes = {}, more = {}, now = 1000) {
  const seen = contact(changes);
  return {
    seen, target: target(seen, configured(), now, {recordId: OWN}), reason: '', tab: true,
    opened: false, refused: false, moved: false, page: '', away: false, late: false, ...more,
  };
}

test('a customer that is known is called by name, with the number beside it', () => {
  const {customer, line} = panel(shown({attributes: known(ID)}), 'ready');
  assert.equal(customer, 'Martina Sommerfeld');
  assert.equal(line, 'Phone call · +4915112345678 · Service');
});

test('while the customer is looked up, the page says so', () => {
  const {customer, awaited, turning} = panel(shown(), 'ready');
  assert.equal(customer, '+4915112345678');
  assert.deepEqual([awaited, turning], ['Looking the customer up…', true]);
});

test('without a match the search is offered beside the record', () => {
  const attributes = known(ID, {LookupStatus: 'NoMatch', ms_contact_id: ''});
  const {awaited, second, button} = panel(shown({attributes}), 'ready');
  assert.equal(awaited, 'No customer found in Dynamics.');
  assert.deepEqual([second, button], ['Search the customer', 'Open in Dynamics']);
});

test('with several matches the agent is told to choose', () => {
  const attributes = known(ID, {LookupStatus: 'MultiMatch', ms_contact_id: ''});
  assert.match(panel(shown({attributes}), 'ready').awaited, /Several customers match/);
});

test('a record that may not exist yet cannot be opened by hand', () => {
  assert.equal(panel(shown(), 'ready').button, 'Show the Dynamics tab');
});

test('a better page that was found since is offered, not shown', () => {
  const since = {opened: true, moved: true, page: 'a'};
  const tab = panel(shown({attributes: known(ID)}, since), 'ready');
  assert.equal(tab.button, 'Open the record found since');
  assert.equal(tab.page, 'a');
  const frame = panel(shown({attributes: known(ID)}, {...since, tab: false}), 'none');
  assert.deepEqual([frame.button, frame.second], ['Open in a tab', 'Show the record found since']);
});

test('a refused opening leaves a button that stands out', () => {
  const {button, calm, tabLine} = panel(shown({attributes: known(ID)}, {refused: true}), 'ready');
  assert.deepEqual([button, calm, tabLine], ['Open in Dynamics', false, 'The browser blocked it.']);
});

test('the record of another contact in the tab is not said to be this one', () => {
  const changes = {opened: true, page: 'a', away: true};
  const {tabLine, calm} = panel(shown({attributes: known(ID)}, changes), 'ready');
  assert.deepEqual([tabLine, calm], ['The Dynamics tab shows another record now.', false]);
});

test('a tab that the record page cut off is said to be', () => {
  const {tabLine} = panel(shown({attributes: known(ID)}, {opened: true, page: 'a'}), 'cut');
  assert.match(tabLine, /closed, or Dynamics keeps it apart/);
});

test('the button connects the tab until there is one', () => {
  assert.equal(idle('', true, true, 'none').button, 'Connect the Dynamics tab');
  assert.equal(idle('', true, true, 'closed').calm, false);
  assert.equal(idle('', true, true, 'ready').button, 'Show the Dynamics tab');
});

test('before the agent is signed in, nothing but the sign-in stands out', () => {
  assert.equal(idle('', false, true, 'none').calm, true);
});

test('a framed record stays when its contact is over', () => {
  const {page, button, mode} = left('a');
  assert.deepEqual([page, button, mode], ['a', 'Open in a tab', 'frame']);
});

test('listening in offers no record', () => {
  const {button, awaited, second} = panel(shown({monitoring: true, attributes: null}), 'ready');
  assert.deepEqual([button, second], ['Show the Dynamics tab', '']);
  assert.match(awaited, /listening in/);
});

test('each channel has its own words', () => {
  const aim = shown({channel: 'chat', number: ''}).target;
  assert.equal(who(contact({channel: 'chat', number: ''}), aim), 'Unknown person');
  assert.equal(who(contact({number: ''}), aim), 'Number withheld');
  assert.equal(state(contact({state: 'after'})), 'After-call work');
  assert.equal(state(contact({state: 'after', channel: 'task'})), 'Wrap-up');
  const lines = [{channel: 'email'}, {channel: 'task'}, {inbound: false}, {callback: true}]
    .map((changes) => panel(shown({...changes, number: '', queue: ''}), 'ready').line);
  assert.deepEqual(lines, ['E-mail', 'Task', 'Outgoing call', 'Callback']);
});

test('Connect’s own states of an agent have words, an administrator’s stay as they are', () => {
  assert.deepEqual(['PendingBusy', 'MissedCallAgent', 'Lunch'].map(agentState),
    ['Incoming contact', 'Missed contact', 'Lunch']);
});

test('the list says how a contact came where its icon does not', () => {
  const origins = [{}, {callback: true}, {inbound: false}, {queue: ''}]
    .map((changes) => origin(contact({queue: 'Service', ...changes})));
  assert.deepEqual(origins,
    ['Service', 'Callback · Service', 'Outgoing call · Service', 'Phone call']);
});

test('nothing heard of the customer is a notice after the configured time, not before', () => {
  const config = configured();
  const {seen, target: aim} = shown();
  assert.equal(isLate(seen, aim, config, 1000, 20_999), false);
  assert.equal(isLate(seen, aim, config, 1000, 21_000), true);
});

test('nothing is late of a contact that rings, or whose record is known', () => {
  const config = configured();
  const ringing = shown({state: 'ringing'});
  assert.equal(isLate(ringing.seen, ringing.target, config, 0, 100_000), false);
  const found = shown({attributes: known(ID)});
  assert.equal(isLate(found.seen, found.target, config, 1000, 100_000), false);
});

test('nothing is late once it is known that there is no match, or which record it is', () => {
  const config = configured();
  const unmatched = shown({attributes: {ms_id: ID, LookupStatus: 'NoMatch'}}, {}, 100_000);
  assert.equal(unmatched.target.proven, false);
  assert.equal(isLate(unmatched.seen, unmatched.target, config, 1000, 100_000), false);
  const recorded = shown({attributes: {DynamicsUrl: recordPage(OWN)}}, {}, 100_000);
  assert.equal(recorded.target.match, 'unknown');
  assert.equal(isLate(recorded.seen, recorded.target, config, 1000, 100_000), false);
});

test('a record that may not exist yet is not due', () => {
  const {seen, target: aim} = shown();
  assert.equal(aim.awaiting, 'record');
  assert.equal(isDue(seen, aim, {opened: false, refused: false}), false);
});

test('where the page is the search already, no second search is offered', () => {
  const {seen, target: aim} = shown({attributes: {ms_id: ID, LookupStatus: 'NoMatch'}});
  const search = {...aim, page: {kind: 'search', text: '1'}};
  assert.equal(panel({...shown(), seen, target: aim}, 'ready').second, 'Search the customer');
  assert.equal(panel({...shown(), seen, target: search}, 'ready').second, '');
  const monitored = {...seen, monitoring: true};
  assert.equal(panel({...shown(), seen: monitored, target: aim}, 'ready').second, '');
});

test('an address of another host is a notice at once', () => {
  const {target: aim} = shown({attributes: {DynamicsUrl: 'https://evil.example/main.aspx'}});
  assert.equal(refusal(aim, false), 'host');
});

test('an address of the leg before is a notice only when nothing better comes', () => {
  const attributes = {...known('another'), DynamicsUrl: recordPage(RECORD, 'contact')};
  const {target: aim} = shown({attributes});
  assert.equal(refusal(aim, false), '');
  assert.equal(refusal(aim, true), 'contact');
});

test('every trouble has a sentence and a button', () => {
  for (const {text, button} of Object.values(TROUBLES)) {
    assert.match(text, /^[A-Z].*\.$/);
    assert.match(button, /^[A-Z]/);
  }
});
