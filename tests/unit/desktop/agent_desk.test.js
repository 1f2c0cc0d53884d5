/** The agent page's state: what it opens, once, and which contact it shows. */

import assert from 'node:assert/strict';
import {test} from 'node:test';

import {Desk} from '../../../worker/desktop/pages/agent/desk.js';
import {next} from '../../../worker/desktop/pages/agent/view.js';
import {recall} from '../../../worker/desktop/pages/agent/memory.js';
import {configured, contact, known, OWN, recordPage, RECORD} from './support/agent_page.js';

const ID = contact().id;
const OTHER = '22222222-2222-4222-8222-222222222222';

/** A desk whose openings are kept, at a clock of its own. */
function desk({open = {}, remembered = recall(null), allowed = true} = {}) {
  const page = {opened: [], framed: [], marks: [], kept: remembered, now: 1000, allowed};
  page.desk = new Desk(configured(open), remembered, {
    now: () => page.now,
    openTab: (id, href) => page.allowed && page.opened.push([id, href]) > 0,
    openFrame: (id, href) => page.framed.push([id, href]),
    keep: (what) => { page.kept = JSON.parse(JSON.stringify(what)); },
    recordId: async () => OWN,
    mark: (mark) => page.marks.push(mark),
    changed: () => undefined,
  });
  return page;
}

/** The id of a contact's record is computed asynchronously. */
async function see(page, ...seen) {
  page.desk.see(seen);
  await new Promise(setImmediate);
}

test('a ringing contact opens nothing, even when its record is known', async () => {
  const page = desk();
  await see(page, contact({state: 'ringing', attributes: known(ID)}));
  assert.deepEqual(page.opened, []);
});

test('the record opens as soon as the contact is connected', async () => {
  const page = desk();
  await see(page, contact({state: 'ringing', attributes: known(ID)}));
  await see(page, contact({attributes: known(ID)}));
  assert.deepEqual(page.opened, [[ID, recordPage(RECORD)]]);
  assert.ok(page.marks.includes(`connect-dynamics:opened:${ID}`));
});

test('the record of a contact opens once, however often the softphone tells of it', async () => {
  const page = desk();
  for (let i = 0; i < 5; i += 1) await see(page, contact({attributes: known(ID)}));
  page.desk.refresh();
  assert.equal(page.opened.length, 1);
});

test('attributes that come once a page is open change no page', async () => {
  const page = desk();
  await see(page, contact({attributes: known(ID)}));
  await see(page, contact({attributes: known(ID, {ms_entityrecord_record_id: OTHER})}));
  assert.equal(page.opened.length, 1);
  assert.equal(page.desk.moved(page.desk.current), true);
});

test('a page that is as it was opened is not said to be outdated', async () => {
  const page = desk();
  await see(page, contact({attributes: known(ID)}));
  assert.equal(page.desk.moved(page.desk.current), false);
});

test('what nobody says to exist is no better page than the one that is open', async () => {
  const page = desk();
  await see(page, contact());
  page.now += 4000;
  page.desk.note(page.desk.current, 'a search');
  page.desk.refresh();
  assert.notEqual(page.desk.wanted(page.desk.current), '');
  assert.equal(page.desk.moved(page.desk.current), false);
});

test('where nothing has been opened there is nothing better to offer', async () => {
  const page = desk({allowed: false});
  await see(page, contact({attributes: known(ID)}));
  assert.equal(page.desk.moved(page.desk.current), false);
});

test('the time without word of the customer counts on through after-call work', async () => {
  const page = desk();
  await see(page, contact());
  await see(page, contact({state: 'after', since: 15_000}));
  page.now = 21_000;
  assert.equal(page.desk.late(page.desk.current), true);
});

test('a reload in mid-call opens no second tab', async () => {
  const before = desk();
  await see(before, contact({attributes: known(ID)}));
  const after = desk({remembered: before.kept});
  await see(after, contact({attributes: known(ID)}));
  assert.deepEqual(after.opened, []);
  assert.equal(after.desk.current.page, recordPage(RECORD));
});

test('a reload in mid-call loads the frame again, as it went with the page', async () => {
  const open = {tab: false};
  const before = desk({open});
  await see(before, contact({attributes: known(ID)}));
  const after = desk({open, remembered: before.kept});
  await see(after, contact({attributes: known(ID)}));
  assert.deepEqual(after.framed, [[ID, recordPage(RECORD)]]);
});

test('nothing that is remembered names a customer, a number or an address', async () => {
  const page = desk();
  await see(page, contact({attributes: known(ID)}));
  const text = JSON.stringify(page.kept);
  const found = ['Martina', '4915112345678', 'crm4', RECORD].filter((one) => text.includes(one));
  assert.deepEqual(found, []);
});

test('the computed record is opened only once the worker had time to make it', async () => {
  const page = desk();
  await see(page, contact());
  assert.deepEqual(page.opened, []);
  page.now += 3999;
  page.desk.refresh();
  assert.deepEqual(page.opened, []);
  page.now += 1;
  page.desk.refresh();
  assert.deepEqual(page.opened, [[ID, recordPage(OWN)]]);
});

test('a page loaded in mid-call opens the computed record rather than a search', async () => {
  const page = desk();
  page.now = 500_000;
  await see(page, contact());
  assert.deepEqual(page.opened, [[ID, recordPage(OWN)]]);
});

test('an opening that the browser refused is not tried again without a click', async () => {
  const page = desk({allowed: false});
  await see(page, contact({attributes: known(ID)}));
  page.allowed = true;
  page.desk.refresh();
  assert.deepEqual(page.opened, []);
  assert.equal(page.desk.current.refused, true);
  page.desk.note(page.desk.current, recordPage(RECORD));
  assert.equal(page.desk.current.refused, false);
  assert.equal(page.desk.opened(page.desk.current), true);
});

test('an attribute decides between tab and frame', async () => {
  const page = desk();
  const attributes = known(ID, {DynamicsUrl: recordPage(RECORD), DynamicsTab: 'false'});
  await see(page, contact({attributes}));
  assert.deepEqual(page.opened, []);
  assert.deepEqual(page.framed, [[ID, recordPage(RECORD)]]);
});

test('listening in on a colleague opens nothing', async () => {
  const page = desk();
  await see(page, contact({monitoring: true, attributes: known(ID)}));
  page.now += 60_000;
  page.desk.refresh();
  assert.deepEqual([page.opened, page.framed], [[], []]);
});

test('a missed contact opens nothing', async () => {
  const page = desk();
  await see(page, contact({state: 'ringing', attributes: known(ID)}));
  await see(page, contact({state: 'missed', attributes: known(ID)}));
  assert.deepEqual(page.opened, []);
});

test('the contact that was answered last comes to view by itself', async () => {
  const page = desk();
  await see(page, contact());
  await see(page, contact(), contact({id: OTHER, channel: 'chat', state: 'ringing', since: 2000}));
  assert.equal(page.desk.inView, ID);
  await see(page, contact(), contact({id: OTHER, channel: 'chat', since: 3000}));
  assert.equal(page.desk.inView, OTHER);
});

test('the page follows the contact that the agent chooses, and stays with it', async () => {
  const page = desk();
  const both = [contact(), contact({id: OTHER, channel: 'chat', since: 3000})];
  await see(page, ...both);
  page.desk.choose(ID);
  await see(page, ...both);
  assert.equal(page.desk.inView, ID);
});

test('after a reload the contact that the agent had chosen is in view', async () => {
  const before = desk();
  const both = [contact(), contact({id: OTHER, channel: 'chat', since: 3000})];
  await see(before, ...both);
  before.desk.choose(ID);
  const after = desk({remembered: before.kept});
  await see(after, ...both);
  assert.equal(after.desk.inView, ID);
});

test('a contact that the softphone does not show cannot be chosen', async () => {
  const page = desk();
  await see(page, contact());
  page.desk.choose(OTHER);
  assert.equal(page.desk.inView, ID);
});

test('when the contact in view is gone, the most urgent other one is shown', async () => {
  const page = desk();
  const others = [
    contact({id: 'a', state: 'missed', since: 9000}),
    contact({id: 'b', state: 'after', since: 8000}),
    contact({id: 'c', state: 'ringing', since: 7000}),
  ];
  await see(page, contact(), ...others);
  await see(page, ...others);
  assert.equal(page.desk.inView, 'c');
});

test('after a reload the contact that is answered already does not push itself to view', () => {
  const [first, second] = [contact(), contact({id: OTHER, since: 3000})];
  const again = [{kind: 'connected', contact: second, again: true}];
  assert.equal(next(ID, [first, second], again), ID);
  assert.equal(next('', [first, second], again), OTHER);
  assert.equal(next('', [second, first], []), OTHER);
});

test('the search by hand looks for what the lookup looked for', async () => {
  const page = desk();
  const attributes = {ms_id: ID, LookupStatus: 'NoMatch', ms_search_text: 'Müller & Co'};
  await see(page, contact({attributes}));
  const search = new URL(page.desk.searchPage(page.desk.current));
  assert.equal(search.searchParams.get('searchText'), 'Müller & Co');
});

test('a contact that is transferred keeps the customer that it had', async () => {
  const page = desk();
  await see(page, contact({attributes: known(ID)}));
  await see(page, contact({attributes: known(OTHER)}));
  assert.equal(page.desk.current.target.match, 'single');
});
