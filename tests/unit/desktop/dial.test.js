import assert from 'node:assert/strict';
import {test} from 'node:test';

import {BIND_MS, bind, dialable} from '../../../worker/desktop/pages/core/dial.js';
import {CONTACT, NOW, OTHER, contact} from './support/samples.js';

for (const value of ['+4930123456', ' +49 (30) 12-34.56 ', '\t+4930123456\n', '+49\u00a030\u00a0123456']) {
  test(`${JSON.stringify(value)} is dialled as +4930123456`, () => {
    assert.deepEqual(dialable(value, []), {number: '+4930123456'});
  });
}

for (const value of [
  '', '+', '030 123456', '0049 30 123456', '+0930123456', '+49301', `+${'1'.repeat(16)}`, '+49 30 123456 ext 7',
  '+4930123456;123', '+4930123456,1', 'tel:+4930123456', 'sip:+4930123456@evil.example', '+４９30123456', '+49/30123456',
  '+4930123456\n+4930999999', 'javascript:alert(1)',
]) {
  test(`${JSON.stringify(value)} is not dialled: nothing is guessed`, () => {
    assert.deepEqual(dialable(value, []), {refused: 'format'});
  });
}

for (const [number, countries, allowed] of [
  ['+4930123456', ['de'], true], ['+4930123456', ['DE'], true], ['+4930123456', ['at', 'us'], false],
  ['+12125550100', ['us'], true], ['+12125550100', ['ca'], true], ['+18765550100', ['us'], false],
  ['+18765550100', ['jm'], true], ['+447911123456', ['gb'], true], ['+8835100000000', ['us'], false],
  ['+35312345678', ['ie'], true], ['+35312345678', ['fr', 'de'], false],
]) {
  test(`${number} ${allowed ? 'may' : 'may not'} be dialled where ${countries} may`, () => {
    assert.deepEqual(dialable(number, countries), allowed ? {number} : {refused: 'country'});
  });
}

const pending = {number: '+4930123456', at: NOW, before: []};
const made = (given = {}) => contact({inbound: false, state: 'accepted', since: NOW + 500, ...given});

test('the contact that comes of a call is the outbound one with its number', () => {
  const others = [contact({id: OTHER}), made({id: 'x', number: '+4989'})];
  assert.deepEqual(bind(pending, [...others, made()], NOW + 1000), {contact: CONTACT});
});

for (const [what, given] of [
  ['an inbound one', {inbound: true}], ['one that was there before', {id: OTHER}],
  ['another number', {number: '+4930999999'}], ['one from before the click', {since: NOW - 5000}],
  ['one half a minute later', {since: NOW + BIND_MS + 1}], ['a queued callback', {callback: true}],
  ['one that is only listened to', {monitoring: true}],
]) {
  test(`${what} is not the one`, () => {
    assert.deepEqual(bind({...pending, before: [OTHER]}, [made(given)], NOW + 1000), {wait: true});
  });
}

test('of two that it may be, it is neither', () => {
  assert.deepEqual(bind(pending, [made(), made({id: OTHER})], NOW + 1000), {ambiguous: [CONTACT, OTHER]});
});

test('it is awaited for half a minute', () => {
  assert.deepEqual(bind(pending, [], NOW + BIND_MS), {wait: true});
  assert.deepEqual(bind(pending, [], NOW + BIND_MS + 1), {wait: false});
});
