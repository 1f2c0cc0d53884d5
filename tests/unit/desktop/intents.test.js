import assert from 'node:assert/strict';
import {test} from 'node:test';

import {empty, follow, restored} from '../../../worker/desktop/pages/core/intents.js';
import {CONTACT, NOW, OTHER, contact, random} from './support/samples.js';

/** A page: follows one snapshot after the other, and may be loaded again. */
class Page {
  constructor(memory = empty()) {
    this.memory = memory;
    this.now = NOW;
  }

  see(...contacts) {
    this.now += 1000;
    const {memory, intents} = follow(this.memory, contacts, this.now);
    this.memory = memory;
    return intents;
  }

  kinds(...contacts) {
    return this.see(...contacts).map(({kind, again}) => (again ? `${kind} again` : kind));
  }

  reload() {
    this.memory = restored(JSON.stringify(this.memory));
  }
}

const at = (state, given = {}) => contact({state, ...given});

test('a call rings, is accepted, connected, worked up and gone', () => {
  const page = new Page();
  assert.deepEqual(page.kinds(at('ringing')), ['ring']);
  assert.deepEqual(page.kinds(at('accepted')), ['accepted']);
  assert.deepEqual(page.kinds(at('connected')), ['connected']);
  assert.deepEqual(page.kinds(at('after')), ['after']);
  const [gone] = page.see();
  assert.deepEqual([gone.kind, gone.missed, gone.contact.id], ['gone', false, CONTACT]);
  assert.deepEqual(page.kinds(), []);
});

test('a snapshot without a step is a change, in which attributes may have come', () => {
  const page = new Page();
  page.see(at('connected'));
  const [intent] = page.see(at('connected', {attributes: {ms_id: CONTACT}}));
  assert.deepEqual([intent.kind, intent.contact.attributes], ['changed', {ms_id: CONTACT}]);
});

test('a step that the softphone did not show is not made up', () => {
  const page = new Page();
  page.see(at('ringing'));
  assert.deepEqual(page.kinds(at('connected')), ['connected']);
});

test('a page that is opened in mid-call shows the call as new', () => {
  assert.deepEqual(new Page().kinds(at('connected')), ['connected']);
});

test('a reload shows every contact again and opens none', () => {
  const page = new Page();
  page.see(at('connected'), at('ringing', {id: OTHER}));
  page.reload();
  assert.deepEqual(page.kinds(at('connected'), at('ringing', {id: OTHER})), ['connected again', 'ring again']);
  assert.deepEqual(page.kinds(at('connected'), at('connected', {id: OTHER})), ['changed', 'connected']);
});

test('what happened while the page was loading is new', () => {
  const page = new Page();
  page.see(at('ringing'));
  page.reload();
  assert.deepEqual(page.kinds(at('connected')), ['connected']);
});

test('a contact that a reload found gone is told by its id', () => {
  const page = new Page();
  page.see(at('connected'));
  page.reload();
  const [gone] = page.see();
  assert.deepEqual([gone.kind, gone.contact.id, gone.missed], ['gone', CONTACT, false]);
});

test('a contact that vanished for a snapshot is shown again and opened no second time', () => {
  const page = new Page();
  page.see(at('connected'));
  assert.deepEqual(page.kinds(), ['gone']);
  assert.deepEqual(page.kinds(at('connected')), ['connected again']);
});

test('a missed contact is gone, once, although the softphone shows it until it is cleared', () => {
  const page = new Page();
  page.see(at('ringing'));
  const [gone] = page.see(at('missed'));
  assert.deepEqual([gone.kind, gone.missed, gone.contact.number], ['gone', true, '+4930123456']);
  assert.deepEqual(page.kinds(at('missed')), []);
  assert.deepEqual(page.kinds(), []);
});

test('a caller who hangs up while it rings is missed', () => {
  const page = new Page();
  page.see(at('ringing'));
  const [gone] = page.see();
  assert.deepEqual([gone.kind, gone.missed], ['gone', true]);
});

test('a missed contact that the page never saw ring is nothing', () => {
  assert.deepEqual(new Page().kinds(at('missed')), []);
});

test('a missed contact that is offered to the same agent again rings again', () => {
  const page = new Page();
  page.see(at('ringing'));
  page.see(at('missed'));
  assert.deepEqual(page.kinds(at('ringing', {since: page.now + 500})), ['ring']);
  assert.deepEqual(page.kinds(at('connected')), ['connected']);
});

test('so does one that was missed while the page was away', () => {
  const page = new Page();
  page.see(at('ringing'));
  page.reload();
  page.now += 60_000;
  assert.deepEqual(page.kinds(at('ringing', {since: page.now - 3000})), ['ring']);
});

test('a ring that began in the same second as it was last seen is the same one', () => {
  const page = new Page();
  page.see(at('ringing'));
  page.reload();
  assert.deepEqual(page.kinds(at('ringing', {since: page.now - 1000 + 500})), ['ring again']);
});

test('an accepted call that shows as ringing after a reload does not ring again', () => {
  const page = new Page();
  page.see(at('ringing'));
  page.see(at('accepted'));
  page.reload();
  assert.deepEqual(page.kinds(at('ringing')), ['ring again']);
});

test('several contacts at once are followed one by one', () => {
  const page = new Page();
  assert.deepEqual(page.kinds(at('connected'), at('ringing', {id: OTHER, channel: 'chat'})), ['connected', 'ring']);
  const intents = page.see(at('after'), at('connected', {id: OTHER, channel: 'chat'}));
  assert.deepEqual(intents.map(({kind, contact: {id}}) => [kind, id]), [['after', CONTACT], ['connected', OTHER]]);
});

test('the eleventh contact is followed like the first', () => {
  const all = Array.from({length: 11}, (_, number) => at('connected', {id: `contact-${number}`}));
  assert.equal(new Page().see(...all).filter(({kind}) => kind === 'connected').length, 11);
});

test('a queued callback rings', () => {
  assert.deepEqual(new Page().kinds(at('ringing', {callback: true})), ['ring']);
});

test('a call that the agent makes does not ring', () => {
  const page = new Page();
  assert.deepEqual(page.kinds(at('accepted', {inbound: false})), ['accepted']);
  assert.deepEqual(page.kinds(at('connected', {inbound: false})), ['connected']);
});

for (const state of ['ringing', 'accepted', 'connected', 'after']) {
  test(`monitoring and barge: nothing opens for somebody else's contact (${state})`, () => {
    const page = new Page();
    assert.deepEqual(page.kinds(at(state, {monitoring: true, attributes: null})), ['changed']);
    const [gone] = page.see();
    assert.deepEqual([gone.kind, gone.missed], ['gone', false]);
  });
}

test('an agent who listened and then gets the call is shown it', () => {
  const page = new Page();
  page.see(at('connected', {monitoring: true}));
  assert.deepEqual(page.kinds(at('connected')), ['connected']);
});

test('a transferred call is two contacts, and the second opens for itself', () => {
  const page = new Page();
  page.see(at('connected'));
  assert.deepEqual(
    page.kinds(at('after'), at('ringing', {id: OTHER, initialId: CONTACT})), ['after', 'ring'],
  );
});

test('what is kept is ids and stages: no number, name or attribute', () => {
  const page = new Page();
  page.see(at('connected', {attributes: {ms_customer_name: 'Ada Example'}, queue: 'Sales'}));
  assert.doesNotMatch(JSON.stringify(page.memory), /Ada|4930|Sales/);
  assert.deepEqual(Object.keys(page.memory.contacts), [CONTACT]);
});

test('at most 200 contacts are remembered, those that are still there first', () => {
  const page = new Page();
  const present = at('connected');
  for (let number = 0; number < 500; number += 1) page.see(present, at('connected', {id: `contact-${number}`}));
  const kept = Object.keys(page.memory.contacts);
  assert.equal(kept.length, 200);
  assert.deepEqual(
    [CONTACT, 'contact-499', 'contact-498', 'contact-301', 'contact-0'].map((id) => kept.includes(id)),
    [true, true, true, true, false],
  );
});

for (const text of [null, '', 'null', '[]', '{', '{"contacts":null}', '{"contacts":{"a":1,"b":null}}',
  '{"contacts":{"__proto__":{"at":"ring","reached":"ring"}}}', '{"contacts":{"a":{"at":"x","reached":"ring"}}}',
  '{"contacts":{"<script>":{"at":"ring","reached":"ring","seen":1}}}']) {
  test(`a memory that is none of ours is an empty one: ${text}`, () => {
    assert.deepEqual(restored(text), empty());
  });
}

test('whatever the softphone shows and however often the page is loaded, each call opens once (500 made-up days)', () => {
  for (let seed = 0; seed < 500; seed += 1) {
    const {below, one, chance} = random(seed);
    const page = new Page();
    const opened = new Map();
    const ways = [['ringing', 'accepted', 'connected', 'after'], ['ringing', 'connected', 'after'], ['accepted', 'connected'], ['ringing', 'missed']];
    const calls = Array.from({length: 1 + below(4)}, (_, number) => ({id: `contact-${number}`, way: one(ways), step: -1}));
    for (let round = 0; round < 40; round += 1) {
      const call = one(calls);
      if (call.step < call.way.length) call.step += 1;
      if (chance(0.2)) page.reload();
      const there = calls.filter(({way, step}) => step >= 0 && step < way.length);
      const intents = page.see(...there.map(({id, way, step}) => at(way[step], {id})));
      assert.ok(intents.length <= calls.length);
      for (const {kind, contact: {id}, again} of intents) {
        if (kind === 'connected' && !again) opened.set(id, (opened.get(id) ?? 0) + 1);
      }
    }
    for (const {id, way, step} of calls) {
      const times = step >= way.indexOf('connected') && way.includes('connected') ? 1 : 0;
      assert.equal(opened.get(id) ?? 0, times, `seed ${seed}, ${id}: ${way}`);
    }
  }
});
