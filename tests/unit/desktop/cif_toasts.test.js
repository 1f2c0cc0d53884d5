/** Toasts of ringing contacts: each contact is answered once, by the agent's own yes or no alone. */

import assert from 'node:assert/strict';
import {test} from 'node:test';

import {contact, known} from './support/agent_page.js';
import {CustomerService} from './support/customer_service.js';
import {noStorage, Panel, settled} from './support/panel.js';

const ringing = (changes = {}) => contact({state: 'ringing', ...changes});
const {id} = contact();

for (const form of ['text', 'object', 'map']) {
  test(`an accepted toast accepts the contact, whether Dynamics answers as ${form} or not`, async () => {
    const panel = new Panel({service: new CustomerService({form})});
    await panel.see(ringing());
    panel.service.answer('Accept', 'Accept');
    await settled();
    assert.deepEqual(panel.asked, [['accept', id]]);
  });
}

test('a ringing contact is shown by the template of its channel, with its slugs, in a panel that can be seen', async () => {
  const panel = new Panel();
  await panel.see(ringing({attributes: known(id, {CallReason: 'Billing'})}));
  const [[input]] = panel.service.calls('notifyEvent');
  assert.equal(input.templateName, 'connect_voice_match');
  assert.equal(input.templateParameters.customerName, 'Martina Sommerfeld');
  assert.equal(input.templateParameters.CallReason, 'Billing');
  assert.ok(input.cancellationToken);
  assert.equal(panel.service.mode, 1);
});

test('a toast that Dynamics accepts by itself accepts the contact', async () => {
  const panel = new Panel();
  await panel.see(ringing());
  panel.service.answer('Accept', 'AutoAccept');
  await settled();
  assert.deepEqual(panel.asked, [['accept', id]]);
});

test('a toast that the agent declines rejects the contact', async () => {
  const panel = new Panel();
  await panel.see(ringing());
  panel.service.answer('Reject', 'DeclinedByAgent');
  await settled();
  assert.deepEqual(panel.asked, [['reject', id]]);
});

for (const [action, reason] of [
  ['Timeout', 'DisplayTimeout'], ['Reject', 'NotificationQueueLimitExceeded'], ['Reject', 'NotificationQueueTimeLimitExceeded'],
]) {
  test(`a toast that ends by ${reason} leaves the contact ringing`, async () => {
    const panel = new Panel();
    await panel.see(ringing());
    panel.service.answer(action, reason);
    await settled();
    assert.deepEqual(panel.asked, []);
    assert.equal(panel.troubles.size, 0);
  });
}

for (const state of ['accepted', 'connected', 'missed', 'ended']) {
  test(`a contact that is ${state} in the softphone takes its toast away and is not answered again`, async () => {
    const panel = new Panel();
    await panel.see(ringing());
    await panel.see(ringing({state}));
    assert.equal(panel.service.toasts.size, 0);
    assert.equal(panel.service.calls('cancelEvent').length, 1);
    assert.deepEqual(panel.asked, []);
  });
}

test('a contact that vanishes while it rings takes its toast away', async () => {
  const panel = new Panel();
  await panel.see(ringing());
  await panel.see();
  assert.equal(panel.service.toasts.size, 0);
});

test('values that come while it rings replace the toast once, and its taking away rejects nobody', async () => {
  const panel = new Panel();
  await panel.see(ringing());
  await panel.see(ringing({attributes: known(id)}));
  assert.equal(panel.service.toasts.size, 1);
  assert.equal(panel.service.calls('notifyEvent').at(-1)[0].templateParameters.customerName, 'Martina Sommerfeld');
  await panel.see(ringing({attributes: known(id, {ms_customer_name: 'Somebody Else'})}));
  assert.equal(panel.service.calls('notifyEvent').length, 2);
  assert.deepEqual(panel.asked, []);
});

test('a snapshot without news leaves the toast as it is', async () => {
  const panel = new Panel();
  for (let round = 0; round < 3; round += 1) await panel.see(ringing({attributes: {other: `${round}`}}));
  await panel.pass(3);
  assert.equal(panel.service.calls('notifyEvent').length, 1);
});

test('a yes that crosses the replacing of its toast counts, once', async () => {
  const panel = new Panel();
  await panel.see(ringing());
  const [[, old]] = [...panel.service.toasts];
  panel.service.cancelEvent = async (token) => token; // on its way; the agent is faster
  await panel.see(ringing({attributes: known(id)}));
  old.resolve(JSON.stringify({actionName: 'Accept', responseReason: 'Accept'}));
  await settled();
  const renewed = [...panel.service.toasts.values()].at(-1);
  renewed.resolve(JSON.stringify({actionName: 'Accept', responseReason: 'Accept'}));
  await settled();
  assert.deepEqual(panel.asked, [['accept', id]]);
});

test('a toast that cannot be taken away is not joined by a second one', async () => {
  const panel = new Panel();
  await panel.see(ringing());
  panel.service.refusals.set('cancelEvent', ['RejectAfterClientError']);
  await panel.see(ringing({attributes: known(id)}));
  assert.equal(panel.service.toasts.size, 1);
  assert.equal(panel.service.calls('notifyEvent').length, 1);
});

test('two contacts have a toast each, and each answer reaches its own', async () => {
  const other = '22222222-2222-4222-8222-222222222222';
  const panel = new Panel();
  await panel.see(ringing(), ringing({id: other, channel: 'chat'}));
  assert.deepEqual([...panel.service.toasts.values()].map(({templateName}) => templateName), ['connect_voice_search', 'connect_chat_search']);
  panel.service.answer('Accept', 'Accept');
  panel.service.answer('Reject', 'DeclinedByAgent');
  await settled();
  assert.deepEqual(panel.asked, [['accept', id], ['reject', other]]);
});

test('a template that is not there is named to the agent, and the softphone goes on', async () => {
  const panel = new Panel();
  panel.service.unknown.add('connect_voice_search');
  await panel.see(ringing());
  assert.equal(panel.troubles.get('template'), 'connect_voice_search');
  assert.deepEqual(panel.asked, []);
});

test('an answer that the softphone refuses is told to the agent', async () => {
  const panel = new Panel();
  panel.refuses = true;
  await panel.see(ringing());
  panel.service.answer('Accept', 'Accept');
  await settled();
  assert.ok(panel.troubles.has('answer'));
  await panel.see(ringing({state: 'accepted'})); // the agent answered there
  assert.equal(panel.troubles.has('answer'), false);
});

test('an answer whose success gets lost is not told as refused once the contact is on', async () => {
  const panel = new Panel();
  let late = () => undefined;
  panel.toasts.host.accept = () => new Promise((_resolve, reject) => { late = reject; });
  await panel.see(ringing());
  panel.service.answer('Accept', 'Accept');
  await settled();
  await panel.see(contact({state: 'connected'}));
  late(new Error('the softphone does not answer'));
  await settled();
  assert.equal(panel.troubles.has('answer'), false);
});

test('calls that the agent makes have no toast; callbacks that they are given have one', async () => {
  const panel = new Panel();
  await panel.see(ringing({inbound: false}));
  assert.equal(panel.service.toasts.size, 0);
  await panel.see(ringing({id: '22222222-2222-4222-8222-222222222222', inbound: false, callback: true}));
  assert.equal(panel.service.toasts.size, 1);
});

test('a call that an agent monitors has no toast and no session', async () => {
  const panel = new Panel();
  await panel.see(contact({monitoring: true, attributes: null}));
  await panel.pass(2);
  assert.equal(panel.service.calls('notifyEvent').length + panel.service.calls('createSession').length, 0);
});

for (const store of ['kept', 'forbidden']) {
  test(`a panel reloaded while it rings shows one toast, which answers (storage ${store})`, async () => {
    const before = new Panel();
    await before.see(ringing());
    const after = new Panel({service: before.service, store: store === 'kept' ? before.store : noStorage(), idle: false});
    await after.see(ringing());
    assert.equal(after.service.toasts.size, 1);
    after.service.answer('Accept', 'Accept');
    await settled();
    assert.deepEqual(after.asked, [['accept', id]]);
  });
}

test('a contact that was missed and rings again has a toast again', async () => {
  const panel = new Panel();
  await panel.see(ringing());
  await panel.see(ringing({state: 'missed'}));
  await panel.see(ringing());
  assert.equal(panel.service.toasts.size, 1);
});
