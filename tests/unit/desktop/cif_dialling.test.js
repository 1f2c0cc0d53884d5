/** Click-to-dial: asked first, called once, bound to the record that was clicked. */

import assert from 'node:assert/strict';
import {test} from 'node:test';

import {configured, contact, RECORD} from './support/agent_page.js';
import {CustomerService} from './support/customer_service.js';
import {Panel, settled} from './support/panel.js';

const NUMBER = '+4930123456';
const CLICK = {value: '+49 (30) 123-456', name: 'telephone1', format: 'phone', entityLogicalName: 'contact', entityId: RECORD};
const outbound = (changes = {}) => contact({inbound: false, state: 'accepted', number: NUMBER, since: 1_000_000, ...changes});
const OTHER = '22222222-2222-4222-8222-222222222222';

async function clicked(changes = {}, options = {}) {
  const panel = new Panel(options);
  await panel.service.raise('onclicktoact', {...CLICK, ...changes});
  return panel;
}

test('a clicked number is asked about before anybody is called', async () => {
  const panel = await clicked();
  assert.equal(panel.questions.at(-1).number, NUMBER);
  assert.deepEqual(panel.asked, []);
});

test('yes calls the number', async () => {
  const panel = await clicked();
  await panel.dialling.confirm();
  assert.deepEqual(panel.asked, [['dial', NUMBER]]);
  assert.equal(panel.questions.at(-1), null);
});

test('no calls nobody', async () => {
  const panel = await clicked();
  panel.dialling.cancel();
  await panel.dialling.confirm();
  assert.deepEqual(panel.asked, []);
});

test('two clicks on yes call once', async () => {
  const panel = await clicked();
  await Promise.all([panel.dialling.confirm(), panel.dialling.confirm()]);
  assert.equal(panel.asked.length, 1);
});

test('the call opens a session with the clicked record as its customer', async () => {
  const service = new CustomerService();
  service.records.set(`contact/${RECORD}`, {fullname: 'Martina Sommerfeld'});
  const panel = await clicked({}, {service});
  await panel.dialling.confirm();
  await panel.see(outbound());
  await panel.see(outbound({state: 'connected'}));
  const [session] = service.sessions;
  assert.equal(session.templateName, 'connect_voice_match');
  assert.equal(session.context.customerRecordId, RECORD);
  assert.equal(session.title, 'Martina Sommerfeld');
});

test('a number without its country code is refused, and so is one of a country that may not be called', async () => {
  const config = configured();
  const panel = await clicked({value: '030 123456'}, {config: {...config, dial: {enabled: true, countries: ['de']}}});
  assert.deepEqual(panel.notices, ['format']);
  await panel.service.raise('onclicktoact', {...CLICK, value: '+33 1 23 45 67 89'});
  assert.deepEqual(panel.notices, ['format', 'country']);
  assert.deepEqual(panel.questions, []);
});

test('a country that the softphone does not allow this agent is refused', async () => {
  const panel = new Panel();
  panel.dialling.allowed = ['FR'];
  await panel.service.raise('onclicktoact', CLICK);
  assert.deepEqual(panel.notices, ['country']);
});

test('countries that configuration and softphone do not share allow nobody', async () => {
  const config = configured();
  const panel = new Panel({config: {...config, dial: {enabled: true, countries: ['fr']}}});
  panel.dialling.allowed = ['de'];
  await panel.service.raise('onclicktoact', CLICK);
  await panel.service.raise('onclicktoact', {...CLICK, value: '+33123456789'});
  assert.deepEqual(panel.notices, ['country', 'country']);
});

test('a number is not called while dialling is switched off', async () => {
  const config = configured();
  const panel = await clicked({}, {config: {...config, dial: {enabled: false, countries: []}}});
  assert.deepEqual(panel.notices, ['disabled']);
});

test('a call that the softphone refuses is told, and binds no later one', async () => {
  const panel = await clicked();
  panel.refuses = true;
  await panel.dialling.confirm();
  assert.deepEqual(panel.notices, ['failed']);
  await panel.see(outbound());
  assert.equal(panel.dialling.customer(outbound().id), null);
});

test('two calls to the number at once are bound to nothing, and that is told', async () => {
  const panel = await clicked();
  await panel.dialling.confirm();
  await panel.see(outbound(), outbound({id: OTHER}));
  assert.deepEqual(panel.notices, ['ambiguous']);
  assert.equal(panel.dialling.customer(OTHER), null);
});

test('a call to another number, or one that was there before, is not bound', async () => {
  const panel = new Panel();
  await panel.see(outbound({id: OTHER}));
  await panel.service.raise('onclicktoact', CLICK);
  await panel.dialling.confirm();
  await panel.see(outbound({id: OTHER}), outbound({number: '+4930999999'}));
  assert.equal(panel.dialling.customer(OTHER), null);
  assert.equal(panel.dialling.customer(outbound().id), null);
});

test('a call that does not appear in time is told', async () => {
  const panel = await clicked();
  await panel.dialling.confirm();
  panel.now += 31_000;
  await panel.see();
  assert.deepEqual(panel.notices, ['lost']);
});

for (const form of ['text', 'object', 'map']) {
  test(`a click that names no record means the form in front (answers as ${form})`, async () => {
    const service = new CustomerService({form});
    service.inFront = {etn: 'contact', id: RECORD};
    const panel = await clicked({entityId: undefined}, {service});
    await panel.dialling.confirm();
    await panel.see(outbound());
    assert.equal(panel.dialling.customer(outbound().id).id, RECORD);
  });

  test(`a click elsewhere than on its form means the only record with that number (answers as ${form})`, async () => {
    const service = new CustomerService({form});
    service.inFront = {etn: 'account', id: OTHER};
    service.records.set(`contact/${RECORD}`, {fullname: 'Martina Sommerfeld', telephone1: CLICK.value});
    const panel = await clicked({entityId: undefined}, {service});
    await settled();
    await panel.dialling.confirm();
    await panel.see(outbound({state: 'connected'}));
    assert.equal(service.sessions[0].context.customerRecordId, RECORD);
  });
}

test('a number that several records have is called and bound to none, and that is told', async () => {
  const service = new CustomerService();
  for (const id of [RECORD, OTHER]) service.records.set(`contact/${id}`, {telephone1: CLICK.value});
  const panel = await clicked({entityId: undefined}, {service});
  await settled();
  assert.deepEqual(panel.notices, ['several']);
  await panel.dialling.confirm();
  await panel.see(outbound());
  assert.equal(panel.dialling.customer(outbound().id), null);
});

test('a record that is found only after the call came is bound to it all the same', async () => {
  const service = new CustomerService();
  let find = () => undefined;
  service.getEnvironment = () => new Promise((resolve) => { find = () => resolve({etn: 'contact', id: RECORD}); });
  const panel = await clicked({entityId: undefined}, {service});
  await panel.dialling.confirm();
  await panel.see(outbound());
  assert.equal(panel.dialling.customer(outbound().id), null);
  find();
  await settled();
  assert.equal(panel.dialling.customer(outbound().id).id, RECORD);
});

test('a click whose record cannot be told calls, and opens the search', async () => {
  const panel = await clicked({entityId: undefined});
  await panel.dialling.confirm();
  await panel.see(outbound());
  await panel.see(outbound({state: 'connected'}));
  assert.equal(panel.service.sessions[0].templateName, 'connect_voice_search');
});

test('what was bound is forgotten with its contact', async () => {
  const panel = await clicked();
  await panel.dialling.confirm();
  await panel.see(outbound());
  await settled();
  assert.ok(panel.dialling.customer(outbound().id));
  await panel.see();
  assert.equal(panel.dialling.customer(outbound().id), null);
});
