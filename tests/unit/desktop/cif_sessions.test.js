/** Sessions of connected contacts: opened once, completed as values come, never reopened. */

import assert from 'node:assert/strict';
import {test} from 'node:test';

import {configured, contact, known, OWN, RECORD} from './support/agent_page.js';
import {CustomerService} from './support/customer_service.js';
import {noStorage, Panel, settled} from './support/panel.js';
import {recordId} from '../../../worker/desktop/pages/core/record.js';

const {id} = contact();
const OTHER = '22222222-2222-4222-8222-222222222222';
const ringing = (changes = {}) => contact({state: 'ringing', ...changes});
const connected = (changes = {}) => contact({state: 'connected', since: 1_000_000, ...changes});
const ACTIVITY = `phonecall/${RECORD}`;

/** A panel in which a contact rang and was connected. */
async function talking(changes = {}, options = {}) {
  const panel = new Panel(options);
  await panel.see(ringing(changes));
  await panel.see(connected(changes));
  return panel;
}

const session = (panel, at = 0) => panel.service.sessions[at];
const tabs = (panel, at = 0) => session(panel, at).tabs.map(({templateName}) => templateName);

for (const form of ['text', 'object', 'map']) {
  test(`a connected contact with one match has its session, and its activity's tab once that exists (answers as ${form})`, async () => {
    const panel = new Panel({service: new CustomerService({form})});
    panel.service.records.set(ACTIVITY, {activityid: RECORD});
    await panel.see(ringing({attributes: known(id)}));
    await panel.see(connected({attributes: known(id)}));
    assert.equal(panel.service.sessions.length, 1);
    assert.equal(session(panel).templateName, 'connect_voice_match');
    assert.equal(session(panel).context.customerRecordId, RECORD);
    assert.equal(session(panel).context.customerEntityName, 'contact');
    assert.deepEqual(tabs(panel), ['connect_activity']);
    assert.deepEqual(panel.faults, []);
  });
}

test('a ringing or accepted contact has no session', async () => {
  const panel = new Panel();
  await panel.see(ringing({attributes: known(id)}));
  await panel.see(ringing({state: 'accepted', attributes: known(id)}));
  assert.equal(panel.service.calls('createSession').length, 0);
});

test('room for a session is asked for before each', async () => {
  const panel = await talking();
  const order = panel.service.log.map(([name]) => name).filter((name) => name === 'canCreateSession' || name === 'createSession');
  assert.deepEqual(order, ['canCreateSession', 'createSession']);
});

test('the activity’s tab waits until the record exists, and is opened once', async () => {
  const panel = await talking({attributes: known(id)});
  await panel.pass(3);
  assert.deepEqual(tabs(panel), []);
  assert.equal(panel.line(id).target.awaiting, 'record');
  panel.service.records.set(ACTIVITY, {activityid: RECORD});
  await panel.pass(3);
  assert.deepEqual(tabs(panel), ['connect_activity']);
  assert.equal(panel.line(id).target.awaiting, '');
});

test('the record that follows from the contact’s id is awaited where no attribute names one', async () => {
  const panel = await talking();
  const {pipeline, step} = panel.config.records.voice;
  const own = await recordId(panel.config.namespace, id, pipeline, step);
  panel.service.records.set(`phonecall/${own}`, {activityid: own});
  await panel.pass(1);
  assert.deepEqual(tabs(panel), ['connect_activity']);
});

test('a record that does not appear is told after a while, and looked for again when asked to', async () => {
  const panel = await talking({attributes: known(id)});
  await panel.pass(95);
  assert.ok(panel.troubles.has('record'));
  const asked = panel.service.calls('retrieveRecord').length;
  await panel.pass(5);
  assert.equal(panel.service.calls('retrieveRecord').length, asked);
  panel.service.records.set(ACTIVITY, {activityid: RECORD});
  panel.awaited.retry();
  await settled();
  assert.deepEqual(tabs(panel), ['connect_activity']);
  assert.equal(panel.troubles.has('record'), false);
});

test('without a match the session searches for the number', async () => {
  const panel = await talking({attributes: {ms_id: id, LookupStatus: 'NoMatch'}});
  assert.equal(session(panel).templateName, 'connect_voice_search');
  assert.equal(session(panel).context.ms_search_text, '+4915112345678');
  assert.equal(session(panel).title, '+4915112345678');
});

test('values that come later give the session its title, slugs and the customer’s tab', async () => {
  const panel = await talking();
  assert.equal(session(panel).templateName, 'connect_voice_search');
  await panel.see(connected({attributes: known(id)}));
  assert.equal(session(panel).title, 'Martina Sommerfeld');
  assert.equal(session(panel).context.customerRecordId, RECORD);
  assert.deepEqual(tabs(panel), ['connect_customer']);
  assert.equal(session(panel).tabs[0].isFocused, true);
  assert.equal(panel.service.sessions.length, 1);
});

test('what comes for a session in the background waits until the agent turns to it', async () => {
  const panel = await talking();
  await panel.service.turnTo(null);
  await panel.see(connected({attributes: known(id)}));
  assert.deepEqual(tabs(panel), []);
  assert.equal(session(panel).context.customerRecordId, RECORD);
  await panel.service.turnTo('session-1');
  await settled();
  assert.deepEqual(tabs(panel), ['connect_customer']);
  assert.equal(session(panel).title, 'Martina Sommerfeld');
});

test('no tab is opened in another contact’s session', async () => {
  const panel = new Panel();
  const other = connected({id: OTHER, number: '+4930123456'});
  await panel.see(connected());
  await panel.see(connected(), other);
  assert.equal(panel.service.focused, 'session-2');
  await panel.see(connected({attributes: known(id)}), other);
  assert.deepEqual(tabs(panel, 0), []);
  assert.deepEqual(tabs(panel, 1), []);
  await panel.service.turnTo('session-1');
  await settled();
  assert.deepEqual(tabs(panel, 0), ['connect_customer']);
});

test('an open page stays the customer’s whose it is, whatever later attributes say', async () => {
  const panel = await talking({attributes: known(id)});
  const else_ = known(id, {ms_contact_id: OWN, ms_customer_name: 'Somebody Else'});
  await panel.see(connected({attributes: else_}));
  assert.equal(session(panel).title, 'Martina Sommerfeld');
  assert.equal(session(panel).context.customerRecordId, RECORD);
  await panel.see(connected({attributes: known(OTHER)})); // the attributes of the chain are now the next leg's
  assert.equal(session(panel).title, 'Martina Sommerfeld');
  assert.equal(session(panel).context.customerRecordId, RECORD);
  assert.deepEqual(tabs(panel), []);
});

test('the contact in view has its session in front', async () => {
  const panel = new Panel();
  const both = [connected(), connected({id: OTHER})];
  await panel.see(both[0]);
  await panel.see(...both);
  panel.desk.view(id);
  await settled();
  assert.equal(panel.service.focused, 'session-1');
  assert.equal(panel.line(id).front, true);
  assert.equal(panel.line(id).viewed, true);
  assert.equal(panel.line(OTHER).viewed, false);
});

test('a session that the agent closed is not opened again', async () => {
  const panel = await talking();
  await panel.service.close('session-1');
  await panel.see(connected({attributes: known(id)}));
  await panel.see(connected({state: 'after', attributes: known(id)}));
  await panel.pass(3);
  assert.equal(panel.service.calls('createSession').length, 1);
  assert.equal(panel.line(id).session, 'closed');
});

test('a session that the agent closed is opened again when they ask for it', async () => {
  const panel = await talking();
  await panel.service.close('session-1');
  panel.desk.openSession(id);
  await settled();
  assert.equal(panel.line(id).session, 'open');
});

test('the eleventh session is not asked for, is told, and opens when there is room', async () => {
  const service = new CustomerService();
  for (let other = 0; other < 10; other += 1) service.createSession({templateName: 'x', templateParameters: {}});
  const panel = await talking({}, {service});
  assert.equal(service.calls('createSession').length, 0);
  assert.ok(panel.troubles.has('sessions'));
  assert.equal(panel.line(id).session, 'refused');
  await service.close('session-3');
  panel.sessions.retry();
  await settled();
  assert.equal(panel.line(id).session, 'open');
  assert.equal(panel.troubles.has('sessions'), false);
});

test('the notice of no room goes with the contact that had none', async () => {
  const service = new CustomerService();
  for (let other = 0; other < 10; other += 1) service.createSession({templateName: 'x', templateParameters: {}});
  const panel = await talking({}, {service});
  await panel.see();
  assert.equal(panel.troubles.has('sessions'), false);
});

test('a session template that is not there is named to the agent', async () => {
  const service = new CustomerService();
  service.unknown.add('connect_voice_search');
  const panel = await talking({}, {service});
  assert.equal(panel.troubles.get('template'), 'connect_voice_search');
});

test('a tab that its session template brought along is not opened twice', async () => {
  const service = new CustomerService();
  const panel = await talking({attributes: known(id)}, {service});
  session(panel).tabs.push({templateName: 'connect_activity'});
  service.records.set(ACTIVITY, {activityid: RECORD});
  await panel.pass(2);
  assert.deepEqual(tabs(panel), ['connect_activity']);
});

for (const kept of [true, false]) {
  test(`a panel reloaded in mid-call takes up the session that is open (storage ${kept ? 'kept' : 'forbidden'})`, async () => {
    const before = await talking({attributes: known(id)});
    before.service.records.set(ACTIVITY, {activityid: RECORD});
    await before.pass(2);
    const after = new Panel({service: before.service, store: kept ? before.store : noStorage(), idle: false});
    await after.see(connected({attributes: known(id)}));
    await after.pass(3);
    assert.equal(after.service.calls('createSession').length, 1);
    assert.deepEqual(tabs(after), ['connect_activity']);
    assert.equal(after.line(id).session, 'open');
    assert.equal(after.line(id).front, true);
  });
}

test('a panel reloaded while it rang opens the session when it is connected', async () => {
  const before = new Panel();
  await before.see(ringing());
  const after = new Panel({service: before.service, store: before.store, idle: false});
  await after.see(connected());
  assert.equal(after.service.sessions.length, 1);
});

test('a session closed by the agent stays closed after a reload', async () => {
  const before = await talking();
  await before.service.close('session-1');
  const after = new Panel({service: before.service, store: before.store, idle: false});
  await after.see(connected());
  assert.equal(after.service.calls('createSession').length, 1);
});

test('a session that went with Dynamics itself is opened again after a reload', async () => {
  const before = await talking();
  const service = new CustomerService();
  const after = new Panel({service, store: before.store, idle: false});
  await after.see(connected());
  assert.equal(service.sessions.length, 1);
});

test('nothing is opened after a reload while Dynamics does not say which sessions there are', async () => {
  const before = await talking();
  before.service.refusals.set('getAllSessions', ['timeout']);
  const after = new Panel({service: before.service, store: before.store, idle: false});
  await after.see(connected());
  assert.equal(after.service.calls('createSession').length, 1);
  assert.ok(after.troubles.has('refused')); // the agent is told, and may ask for it
  after.service.refusals.clear();
  after.sessions.retry();
  await settled();
  assert.deepEqual([after.line(id).session, after.troubles.has('refused')], ['open', false]);
});

test('what a reload may know holds ids alone', async () => {
  const panel = await talking({attributes: known(id, {CallReason: 'Secret reason'})});
  const text = [...panel.store.kept.values()].join();
  for (const personal of ['Martina', '4915112345678', 'Secret', 'Service', RECORD]) assert.equal(text.includes(personal), false);
});

test('storage that holds nothing of ours is passed over', async () => {
  const store = noStorage();
  store.write('sessions', '{"x": null}');
  store.write('contacts', 'no JSON');
  const panel = await talking({}, {store});
  assert.equal(panel.service.sessions.length, 1);
});

test('a contact connected before Dynamics answered has its session as soon as it does', async () => {
  const panel = new Panel({start: false});
  await panel.see(ringing());
  await panel.see(connected());
  assert.equal(panel.service.sessions.length, 0);
  panel.connect();
  await settled();
  assert.equal(panel.service.sessions.length, 1);
  assert.equal(panel.service.toasts.size, 0);
});

test('a contact that came and went before Dynamics answered has nothing', async () => {
  const panel = new Panel({start: false});
  await panel.see(connected());
  await panel.see();
  panel.connect();
  await settled();
  assert.equal(panel.service.sessions.length, 0);
});

test('a session that opens late does not hold up another contact’s, and is taken up when it comes', async () => {
  const service = new CustomerService();
  const create = service.createSession.bind(service);
  let open = () => undefined;
  service.createSession = (input) => new Promise((resolve) => {
    open = () => resolve(create(input));
    service.createSession = create;
  });
  const panel = new Panel({service, patienceMs: 5});
  await panel.see(connected());
  await panel.see(connected(), connected({id: OTHER}));
  await new Promise((resolve) => { setTimeout(resolve, 20); });
  await settled();
  assert.equal(panel.line(OTHER).session, 'open');
  assert.ok(panel.troubles.has('refused'));
  open();
  await settled();
  assert.equal(panel.line(id).session, 'open');
  assert.equal(panel.troubles.has('refused'), false);
  assert.equal(service.sessions.length, 2);
});

test('two contacts at once have a session each', async () => {
  const panel = new Panel();
  await panel.see(connected(), connected({id: OTHER, channel: 'chat'}));
  assert.deepEqual(panel.service.sessions.map(({templateName}) => templateName), ['connect_voice_search', 'connect_chat_search']);
});

test('a refused address is told, and one of the leg before is not', async () => {
  const panel = await talking({attributes: {DynamicsUrl: 'https://evil.example/main.aspx?pagetype=entityrecord'}});
  assert.ok(panel.troubles.has('address'));
  await panel.see(connected({attributes: {}}));
  assert.equal(panel.troubles.has('address'), false);
});

test('a customer of whom nothing is heard is told after the time that is waited', async () => {
  const panel = await talking();
  assert.equal(panel.troubles.has('attributes'), false);
  await panel.pass(25);
  assert.ok(panel.troubles.has('attributes'));
  await panel.service.turnTo(null);
  panel.desk.showLate();
  await settled();
  assert.equal(panel.service.focused, 'session-1');
  await panel.see(connected({attributes: known(id)}));
  assert.equal(panel.troubles.has('attributes'), false);
});

test('CornerstoneCX’ names are used as they are configured', async () => {
  const {readFileSync} = await import('node:fs');
  const names = JSON.parse(readFileSync(new URL('../../../worker/desktop/tables/cornerstonecx.json', import.meta.url), 'utf8'));
  const panel = await talking({attributes: known(id)}, {config: {...configured(), names}});
  assert.equal(panel.service.calls('notifyEvent')[0][0].templateName, 'extn_voice_notification');
  assert.equal(session(panel).templateName, 'extn_voice_identified_session');
});

test('ids that Dynamics gives anew after its own reload do not mix contacts up', async () => {
  const before = new Panel();
  await before.see(connected({id: OTHER}));
  await before.see(connected({id: OTHER}), connected());
  const service = new CustomerService(); // begins with session-1 again
  const after = new Panel({service, store: before.store, idle: false});
  await after.see(connected(), connected({id: OTHER}));
  assert.equal(service.sessions.length, 2);
  assert.deepEqual(service.sessions.map(({context}) => context.ms_id), [id, OTHER]);
});

test('a session that the agent’s own took the last room of is told as no room', async () => {
  const service = new CustomerService();
  const panel = new Panel({service});
  const room = service.canCreateSession.bind(service);
  service.canCreateSession = () => {
    const answer = room();
    while (service.sessions.length < 10) service.sessions.push({id: `agent-${service.sessions.length}`, context: {}, tabs: [], ours: false});
    return answer;
  };
  await panel.see(connected());
  assert.ok(panel.troubles.has('sessions'));
});

for (const state of ['after', 'connected']) {
  test(`a contact found connected by a reload has one session, also when it is then ${state}`, async () => {
    const before = await talking();
    const after = new Panel({service: before.service, store: before.store, idle: false});
    await after.see(connected());
    await after.see(connected({state}));
    await after.see(connected({state: 'after'}));
    assert.equal(after.service.calls('createSession').length, 1);
  });
}

test('a tab that is refused because the agent turned away is opened when they come back', async () => {
  const panel = await talking();
  const createTab = panel.service.createTab.bind(panel.service);
  panel.service.createTab = async () => {
    panel.service.createTab = createTab;
    await panel.service.turnTo(null);
    throw {message: 'not in focus'}; // eslint-disable-line no-throw-literal -- as Dynamics does
  };
  await panel.see(connected({attributes: known(id)}));
  assert.deepEqual(tabs(panel), []);
  await panel.service.turnTo('session-1');
  await settled();
  assert.deepEqual(tabs(panel), ['connect_customer']);
});

test('an answer that says what is wrong is no record: its tab waits', async () => {
  const panel = new Panel();
  const wrong = JSON.stringify({errorCode: 2147746327, message: `phonecall With Id = ${RECORD} Does Not Exist`});
  panel.service.retrieveRecord = () => wrong;
  await panel.see(ringing({attributes: known(id)}));
  await panel.see(connected({attributes: known(id)}));
  await panel.pass(3);
  assert.deepEqual(tabs(panel), []);
  assert.equal(panel.line(id).target.awaiting, 'record');
});

test('a record that Dynamics never tells of is told as late as one that is not there', async () => {
  const panel = new Panel();
  panel.service.retrieveRecord = () => new Promise(() => undefined);
  await panel.see(connected({attributes: known(id)}));
  await panel.pass(89);
  assert.equal(panel.troubles.has('record'), false);
  await panel.pass(2);
  assert.ok(panel.troubles.has('record'));
});

test('a contact that is transferred keeps the customer that it had', async () => {
  const panel = await talking({attributes: known(id)});
  await panel.see(connected({attributes: known(OTHER)}));
  await panel.pass(30);
  assert.equal(panel.line(id).target.customer?.name, 'Martina Sommerfeld');
  assert.equal(panel.troubles.has('attributes'), false);
});
