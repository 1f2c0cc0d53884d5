import assert from 'node:assert/strict';
import {test} from 'node:test';

import {look} from '../../../worker/desktop/pages/core/seen.js';
import {CONTACT, NOW, OTHER} from './support/samples.js';

const NOBODY = {offered: [], accepted: []};
const customer = (given = {}) => ({
  type: 'inbound', initial: true, endpoint: {type: 'phone_number', phoneNumber: '+4930123456'},
  state: {type: 'connected'}, ...given,
});
const agent = (state = 'connecting') => ({type: 'agent', initial: false, endpoint: {type: 'agent'}, state: {type: state}});

function shown(given = {}, answered = NOBODY, skew = 0) {
  const one = {
    contactId: CONTACT, initialContactId: CONTACT, type: 'voice', initiationMethod: null, attributes: {},
    state: {type: 'connecting', timestamp: new Date(NOW)}, queue: {name: 'Sales'},
    connections: [agent(), customer()], ...given,
  };
  return look({contacts: [one], skew}, answered, NOW + 10_000);
}
const one = (...given) => shown(...given).seen[0];

for (const [type, state] of [
  ['connecting', 'ringing'], ['incoming', 'ringing'], ['pending', 'ringing'], ['connected', 'connected'],
  ['paused', 'connected'], ['ended', 'after'], ['missed', 'missed'], ['rejected', 'missed'], ['error', 'ended'],
  ['something new', 'ringing'],
]) {
  test(`${type} is ${state}`, () => {
    assert.equal(one({state: {type, timestamp: new Date(NOW)}}).state, state);
  });
}

test('a call whose agent is on the line already is accepted', () => {
  assert.equal(one({connections: [agent('connected'), customer()]}).state, 'accepted');
});

test('a call that the agent makes does not ring, whoever says that it is outbound', () => {
  for (const given of [{connections: [agent(), customer({type: 'outbound'})]}, {initiationMethod: 'OUTBOUND'}]) {
    assert.deepEqual([one(given).inbound, one(given).state], [false, 'accepted']);
  }
});

test('a transferred call rings, although the customer was called at first', () => {
  const it = one({initiationMethod: 'transfer', initialContactId: OTHER, connections: [agent(), customer({type: 'outbound'})]});
  assert.deepEqual([it.inbound, it.state, it.initialId], [true, 'ringing', OTHER]);
});

test('a queued callback rings as incoming, and is accepted when it is being connected', () => {
  const callback = {type: 'queue_callback', connections: [agent(), customer({type: 'outbound'})]};
  const first = shown({...callback, state: {type: 'incoming', timestamp: new Date(NOW)}});
  assert.deepEqual([first.seen[0].state, first.seen[0].callback, first.seen[0].channel, first.seen[0].inbound], ['ringing', true, 'voice', true]);
  const second = shown(callback, first.answered);
  assert.equal(second.seen[0].state, 'accepted');
  assert.equal(shown({...callback, state: {type: 'incoming'}}, NOBODY).seen[0].state, 'ringing');
});

test('what was accepted is forgotten when it is connected or gone, so that it can ring again', () => {
  const accepted = {offered: [], accepted: [CONTACT]};
  assert.equal(one({}, accepted).state, 'accepted');
  assert.deepEqual(shown({state: {type: 'connected'}}, accepted).answered.accepted, []);
  assert.deepEqual(look({contacts: []}, accepted, NOW).answered.accepted, []);
});

test('monitoring and barge are somebody else\'s contact, without attributes', () => {
  const supervisor = [{type: 'monitoring', initial: true, endpoint: null, state: {type: 'connected'}}];
  for (const given of [
    {connections: supervisor}, {connections: [...supervisor, customer()]}, {initiationMethod: 'monitor', connections: [agent()]},
    {connections: [...supervisor, agent('connected'), customer()]}, {connections: [agent('silent_monitor'), customer()]},
    {connections: [{...agent('connected'), monitorStatus: 'SILENT_MONITOR'}, customer()]},
    {connections: [{...agent('connected'), monitorStatus: 'BARGE'}, customer()]},
  ]) {
    assert.deepEqual([one(given).monitoring, one(given).attributes], [true, null]);
  }
});

test('an agent who is listened to keeps their contact', () => {
  const barge = {type: 'monitoring', initial: false, endpoint: null, state: {type: 'barge'}, monitorStatus: 'BARGE'};
  assert.equal(one({connections: [agent('connected'), customer(), barge]}).monitoring, false);
});

for (const [given, number] of [
  ['+4930123456', '+4930123456'], ['sip:+4930123456@amazonaws.com', '+4930123456'], ['+49 30 123-456', '+4930123456'],
  ['anonymous', ''], ['Restricted', ''], ['', ''], [null, ''], ['sip:anonymous@anonymous.invalid', ''], ['4711', '4711'],
]) {
  test(`the number of ${JSON.stringify(given)} is ${JSON.stringify(number)}`, () => {
    const connection = customer({endpoint: {type: 'phone_number', phoneNumber: given}});
    assert.equal(one({connections: [agent(), connection]}).number, number);
  });
}

test('an e-mail\'s address is the customer\'s; what is none is nothing', () => {
  assert.equal(one({type: 'email', customerEndpoint: {address: 'ada@example.com'}}).number, 'ada@example.com');
  assert.equal(one({type: 'email', customerEndpoint: {address: 'Ada <x>'}}).number, '');
});

test('channels are those of Dynamics; a kind of contact that is none of them is left out', () => {
  for (const type of ['chat', 'task', 'email']) assert.equal(one({type, connections: []}).channel, type);
  assert.deepEqual(shown({type: 'hologram'}).seen, []);
});

test('attributes are their values, and null where there are none to read', () => {
  assert.deepEqual(one({attributes: {a: {name: 'a', value: 'x'}, b: {name: 'b', value: null}, c: null}}).attributes, {a: 'x', b: '', c: ''});
  assert.equal(one({attributes: null}).attributes, null);
});

test('times are by this machine\'s clock, however Amazon\'s differs or writes them', () => {
  assert.equal(one({state: {type: 'connected', timestamp: new Date(NOW)}}, NOBODY, 90_000).since, NOW - 90_000);
  assert.equal(one({state: {type: 'connected', timestamp: NOW / 1000}}).since, NOW);
  assert.equal(one({state: {type: 'connected', timestamp: new Date(NOW).toISOString()}}).since, NOW);
  assert.equal(one({state: {type: 'connected', timestamp: 'soon'}}).since, NOW + 10_000);
});

test('the first contact of a chain has no initial id but its own', () => {
  for (const initialContactId of [CONTACT, CONTACT.toUpperCase(), null]) assert.equal(one({initialContactId}).initialId, '');
  assert.equal(one({contactId: CONTACT.toUpperCase()}).initialId, '');
  assert.equal(one({initialContactId: OTHER}).initialId, OTHER);
});

test('a snapshot of an agent without contacts is empty', () => {
  assert.deepEqual(look({contacts: []}, NOBODY, NOW).seen, []);
  assert.deepEqual(look({}, NOBODY, NOW).seen, []);
});

test('without a skew, clocks are compared by when the snapshot was made', () => {
  const hour = 3_600_000;
  const state = {type: 'connected', timestamp: new Date(NOW + hour)};
  const contacts = [{contactId: CONTACT, type: 'voice', state, connections: []}];
  const {seen} = look({contacts, snapshotTimestamp: new Date(NOW + hour + 2_000)}, NOBODY, NOW + 2_000);
  assert.equal(seen[0].since, NOW);
});
