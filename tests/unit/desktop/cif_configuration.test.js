/** Where the panel's configuration comes from, and what it may not say. */

import assert from 'node:assert/strict';
import {test} from 'node:test';

import {configuration, fromProvider} from '../../../worker/desktop/pages/cif/configuration.js';
import {sessionStore} from '../../../worker/desktop/pages/cif/storage.js';
import {configured, ORGANIZATION} from './support/agent_page.js';

const answering = (text, status = 200) => async () => ({ok: status === 200, status, text: async () => text});

test('config.json is enough by itself', async () => {
  const found = await configuration(answering(JSON.stringify(configured())));
  assert.equal(found.config.dynamics.url, ORGANIZATION);
});

test('config.json may name the organization alone; the provider then says the rest', async () => {
  const text = JSON.stringify({version: 1, dynamics: {url: `${ORGANIZATION}/`}});
  assert.deepEqual(await configuration(answering(text)), {organization: ORGANIZATION});
  assert.equal(fromProvider(JSON.stringify(configured()), ORGANIZATION).config.dynamics.url, ORGANIZATION);
});

test('the provider cannot lead to another organization', () => {
  assert.match(fromProvider(JSON.stringify(configured()), 'https://other.crm4.dynamics.com').wrong, /another organization/);
});

test('custom parameters that are no configuration are told', () => {
  for (const text of ['', 'text', '{}', 'null']) assert.ok(fromProvider(text, ORGANIZATION).wrong);
});

test('an organization that is not safe is none', async () => {
  for (const url of ['http://org.example', 'javascript:alert(1)', '', 'org']) {
    assert.ok((await configuration(answering(JSON.stringify({dynamics: {url}})))).wrong);
  }
});

test('a configuration that is missing, broken or half is told', async () => {
  assert.match((await configuration(answering('', 404))).wrong, /404/);
  assert.ok((await configuration(answering('{'))).wrong);
  assert.ok((await configuration(answering(JSON.stringify({...configured(), names: {}})))).wrong);
  const failing = async () => { throw new TypeError('offline'); };
  assert.match((await configuration(failing)).wrong, /cannot be fetched/);
});

test('storage that the browser refuses is replaced by memory', () => {
  const store = sessionStore({get sessionStorage() { throw new Error('SecurityError'); }});
  store.write('contacts', '1');
  assert.equal(store.read('contacts'), '1');
  assert.equal(store.read('sessions'), null);
});

test('storage that the browser allows outlives the page', () => {
  const kept = new Map();
  const page = {sessionStorage: {getItem: (key) => kept.get(key) ?? null, setItem: (key, text) => kept.set(key, text)}};
  sessionStore(page).write('contacts', '1');
  assert.equal(sessionStore(page).read('contacts'), '1');
});
