import assert from 'node:assert/strict';
import {test} from 'node:test';

import {checked} from '../../../worker/desktop/pages/core/config.js';
import {configuration} from './support/samples.js';

test('a full configuration is itself, as JSON or as its text', () => {
  assert.deepEqual(checked(configuration()), {config: configuration()});
  assert.deepEqual(checked(JSON.stringify(configuration())), {config: configuration()});
});

for (const table of ['connect', 'cornerstonecx']) {
  test(`the table ${table} is complete`, () => {
    assert.equal('config' in checked(configuration(table)), true);
  });
}

test('what may be left out has a default', () => {
  const {open, dial, records, ...rest} = configuration();
  const {config} = checked({...rest, connect: {ccpUrl: rest.connect.ccpUrl}, dynamics: {url: rest.dynamics.url}});
  assert.deepEqual(config.open, open);
  assert.deepEqual(config.dial, dial);
  assert.deepEqual(config.records, {});
  assert.deepEqual(config.connect, {...rest.connect, region: ''});
  assert.equal(config.dynamics.appId, '');
});

test('an organization may be given with a slash at its end', () => {
  const config = configuration();
  config.dynamics.url += '/';
  assert.equal(checked(config).config.dynamics.url, 'https://org.crm4.dynamics.com');
});

test('waits may be none or ten minutes, and countries in capitals', () => {
  const given = configuration();
  Object.assign(given.open, {recordAfterMs: 0, searchAfterMs: 600_000});
  given.dial.countries = ['DE', 'at'];
  const {config} = checked(given);
  assert.deepEqual([config.open.recordAfterMs, config.open.searchAfterMs], [0, 600_000]);
  assert.deepEqual(config.dial.countries, ['de', 'at']);
});

test('http is for this machine only', () => {
  for (const host of ['localhost:1', '127.0.0.1:8080', '[::1]:80']) {
    const config = configuration();
    config.dynamics.url = `http://${host}`;
    assert.ok('config' in checked(config), host);
  }
  for (const host of ['org.crm4.dynamics.com', 'localhost.evil.example', '127.0.0.2']) {
    const config = configuration();
    config.dynamics.url = `http://${host}`;
    assert.deepEqual(checked(config), {wrong: 'dynamics.url should be an https address'});
  }
});

/** Where, what stands there, and how the message begins. */
const WRONG = [
  [['version'], 2, 'version should be 1'],
  [['connect'], undefined, 'connect should be an object'],
  [['connect', 'ccpUrl'], '', 'connect.ccpUrl should be a text'],
  [['connect', 'ccpUrl'], 'javascript:alert(1)', 'connect.ccpUrl should be an https address'],
  [['connect', 'loginUrl'], 'javascript:alert(1)', 'connect.loginUrl should be an https address'],
  [['connect', 'softphone'], 'yes', 'connect.softphone should be true or false'],
  [['dynamics', 'url'], 'https://org.crm4.dynamics.com/main.aspx', 'dynamics.url should have no path'],
  [['dynamics', 'url'], 'https://a:b@org.crm4.dynamics.com', 'dynamics.url should be an https address'],
  [['dynamics', 'url'], 'https://org.crm4.dynamics.com/?x=1', 'dynamics.url should have no path'],
  [['dynamics', 'url'], 'https://org.crm4.dynamics.com/#x', 'dynamics.url should have no path'],
  [['dynamics', 'url'], 'https://a@org.crm4.dynamics.com', 'dynamics.url should be an https address'],
  [['dynamics', 'url'], 'https://:b@org.crm4.dynamics.com', 'dynamics.url should be an https address'],
  [['dynamics', 'appId'], 'x', 'dynamics.appId should be a GUID'],
  [['open', 'tab'], 1, 'open.tab should be true or false'],
  [['open', 'urlAttribute'], '', 'open.urlAttribute should be a text'],
  [['open', 'urlChannels'], ['voice', 'fax'], 'open.urlChannels should be a list of channels'],
  [['open', 'urlChannels'], 'voice', 'open.urlChannels should be a list of channels'],
  [['open', 'recordAfterMs'], -1, 'open.recordAfterMs should be milliseconds'],
  [['open', 'searchAfterMs'], 1e9, 'open.searchAfterMs should be milliseconds'],
  [['open', 'searchAfterMs'], NaN, 'open.searchAfterMs should be milliseconds'],
  [['namespace'], 'x', 'namespace should be a GUID'],
  [['records', 'voice', 'table'], 'Phone Call', 'records.voice.table should be a table'],
  [['records', 'chat', 'step'], undefined, 'records.chat.step should be a text'],
  [['dial', 'countries'], ['Germany'], 'dial.countries should be a list'],
  [['dial', 'countries'], 'de', 'dial.countries should be a list'],
  [['names', 'attributes', 'id'], '', 'names.attributes.id should be a text'],
  [['names', 'session', 'email'], null, 'names.session.email should be an object'],
  [['names', 'titles', 'voice'], 1, 'names.titles.voice should be a text'],
];
for (const [path, value, message] of WRONG) {
  test(`${path.join('.')} = ${JSON.stringify(value)}: ${message}`, () => {
    const config = configuration();
    const last = path.at(-1);
    path.slice(0, -1).reduce((part, name) => part[name], config)[last] = value;
    assert.ok(checked(config).wrong?.startsWith(message), checked(config).wrong);
  });
}

for (const json of [null, [], 'x', '', 1, '{"version": 1', '[]']) {
  test(`${JSON.stringify(json)} is no configuration, and says so`, () => {
    assert.match(checked(json).wrong, /^the configuration (is not JSON|should be an object)$/);
  });
}
