/** The framework's answers, in all the forms in which they are documented and seen. */

import assert from 'node:assert/strict';
import {test} from 'node:test';

import {
  affirmed, clicked, fields, identifier, identifiers, mentions, notified, refusal, rows, unwrapped,
} from '../../../worker/desktop/pages/cif/answers.js';

const ACCEPTED = {actionName: 'Accept', responseReason: 'AutoAccept'};

test('a toast’s answer is read as text, as an object, wrapped in a value, and as a Map', () => {
  const forms = [
    ACCEPTED, {value: ACCEPTED}, JSON.stringify(ACCEPTED), JSON.stringify({value: ACCEPTED}),
    {value: JSON.stringify(ACCEPTED)}, new Map(Object.entries(ACCEPTED)),
  ];
  for (const form of forms) assert.deepEqual(notified(form), {action: 'Accept', reason: 'AutoAccept'});
});

test('an answer that says nothing is neither yes nor no', () => {
  for (const form of [undefined, null, '', 'text', 7, []]) assert.deepEqual(notified(form), {action: '', reason: ''});
});

test('an id is read bare, quoted and as a field', () => {
  for (const form of ['session-1', '"session-1"', {sessionId: 'session-1'}, '{"sessionId":"session-1"}', {value: 'session-1'}]) {
    assert.equal(identifier(form), 'session-1');
  }
  for (const form of [null, 'null', undefined, {}, '{}', 7]) assert.equal(identifier(form), '');
});

test('an id that begins like JSON stays an id', () => {
  assert.equal(identifier('f1a2-nothing'), 'f1a2-nothing');
  assert.equal(identifier('true-session'), 'true-session');
});

test('a list of ids is read as an array, as text and as a field', () => {
  for (const form of [['a', 'b'], '["a","b"]', {value: ['a', 'b']}, [{sessionId: 'a'}, {sessionId: 'b'}]]) {
    assert.deepEqual(identifiers(form), ['a', 'b']);
  }
  for (const form of [null, '', 'a', {}]) assert.deepEqual(identifiers(form), []);
});

test('only yes is yes', () => {
  for (const form of [true, 'true', '"true"', {value: true}, {value: 'True'}]) assert.equal(affirmed(form), true);
  for (const form of [false, 'false', null, undefined, '', {value: false}, {}, 'maybe']) assert.equal(affirmed(form), false);
});

test('why a call was refused is read from objects, texts and texts within objects', () => {
  const why = 'NotificationTemplateNotFoundError';
  for (const form of [why, {message: why}, JSON.stringify({message: why}), new Error(why), {message: JSON.stringify({errorMessage: why})}]) {
    assert.equal(refusal(form), why);
  }
  for (const form of [undefined, null, {}, '']) assert.equal(refusal(form), '');
});

test('a session says whose it is, at whatever depth its context says so', () => {
  const id = 'AAAAAAAA-1111-4111-8111-111111111111';
  const context = JSON.stringify({context: JSON.stringify({templateParameters: {ms_id: id.toLowerCase()}})});
  assert.equal(mentions(context, id), true);
  assert.equal(mentions(new Map([['context', {ms_id: id}]]), id), true);
  assert.equal(mentions(context, 'bbbbbbbb-1111-4111-8111-111111111111'), false);
});

test('a click tells number, table and column, and the record only where its id is one', () => {
  const record = {table: 'contact', id: '33333333-3333-4333-8333-333333333333'};
  const click = {value: '+49 151 1', name: 'telephone1', format: 'phone', entityLogicalName: 'contact'};
  const told = {value: '+49 151 1', table: 'contact', column: 'telephone1'};
  assert.deepEqual(clicked(JSON.stringify({...click, entityId: `{${record.id.toUpperCase()}}`})), {...told, record});
  for (const entityId of [undefined, '', '7', `${record.id}/x`]) assert.deepEqual(clicked({...click, entityId}), {...told, record: null});
});

test('a click’s table and column are names or nothing, for they become part of a query', () => {
  const {table, column, record} = clicked({value: '1', entityLogicalName: 'contact(1)', name: "a eq 1 or 'x'", entityId: '33333333-3333-4333-8333-333333333333'});
  assert.deepEqual([table, column, record], ['', '', null]);
});

test('rows of a search are read as a list, as numbered fields and as a value', () => {
  const row = {contactid: '1'};
  for (const form of [[row], {0: row}, {value: [row]}, JSON.stringify({0: row}), new Map([['0', row]])]) assert.deepEqual(rows(form), [row]);
  for (const form of [null, '', {}]) assert.deepEqual(rows(form), []);
});

test('text that merely looks like JSON stays text', () => {
  assert.equal(unwrapped('nancy'), 'nancy');
  assert.equal(unwrapped('{curly'), '{curly');
  assert.deepEqual(fields('text'), {});
});
