/** What the agent page remembers over a reload, and the configuration beside it. */

import assert from 'node:assert/strict';
import {test} from 'node:test';

import {configuration} from '../../../worker/desktop/pages/agent/configuration.js';
import {keep, MOST, recall, withId} from '../../../worker/desktop/pages/agent/memory.js';
import {configured} from './support/agent_page.js';

function storage(text = null) {
  const kept = {text};
  return {getItem: () => kept.text, setItem: (_key, value) => { kept.text = value; }, kept};
}

test('what is kept is recalled', () => {
  const store = storage();
  const what = {followed: recall(null).followed, opened: ['a', 'b'], inView: 'b', tab: true};
  keep(store, what);
  assert.deepEqual(recall(store), what);
});

test('a page whose storage is forbidden, full or foreign starts afresh', () => {
  const forbidden = {
    getItem: () => { throw new Error('forbidden'); }, setItem: () => { throw new Error('full'); },
  };
  keep(forbidden, recall(null));
  const foreign = ['no JSON', 'null', '7', '{"opened":{"a":1},"inView":2,"tab":"yes"}'].map(storage);
  for (const store of [null, forbidden, ...foreign]) {
    const afresh = {followed: recall(null).followed, opened: [], inView: '', tab: false};
    assert.deepEqual(recall(store), afresh);
  }
});

test('ids of contacts are bounded, the oldest dropped', () => {
  let ids = [];
  for (let i = 0; i < MOST + 5; i += 1) ids = withId(ids, `${i}`);
  assert.equal(ids.length, MOST);
  assert.equal(ids.at(-1), `${MOST + 4}`);
  assert.equal(ids[0], '5');
  const store = storage(JSON.stringify({opened: ['first', ...ids]}));
  assert.deepEqual(recall(store).opened, ids);
});

function answering(text, status = 200) {
  return async () => ({ok: status < 400, status, text: async () => text});
}

test('config.json is fetched past every cache', async () => {
  let asked;
  await configuration(async (...given) => { asked = given; return answering('{}')(); }, true);
  assert.deepEqual([asked[0], asked[1].cache], ['config.json', 'no-store']);
});

test('a configuration that is right is taken', async () => {
  const answer = await configuration(answering(JSON.stringify(configured())), true);
  assert.deepEqual(answer, {config: configured()});
});

test('a configuration that is missing, broken or wrong is told to the administrator', async () => {
  const wrong = async (get, secure = true) => (await configuration(get, secure)).wrong;
  assert.match(await wrong(answering('', 404)), /404/);
  assert.match(await wrong(answering('<html>')), /JSON/);
  assert.match(await wrong(answering('{"version": 2}')), /version/);
  assert.match(await wrong(async () => { throw new TypeError('network'); }), /cannot be fetched/);
  assert.match(await wrong(answering('{}'), false), /https/);
});
