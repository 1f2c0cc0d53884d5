import assert from 'node:assert/strict';
import {test} from 'node:test';

import {guid, href, parse, searchText, tableName} from '../../../worker/desktop/pages/core/address.js';
import {RECORD, random} from './support/samples.js';

const DYNAMICS = {url: 'https://org.crm4.dynamics.com', appId: 'd1d2d3d4-0000-4000-8000-000000000001'};
const PAGE = `pagetype=entityrecord&etn=phonecall&id=${RECORD}`;

test('the address of a record is read', () => {
  assert.deepEqual(
    parse(`https://org.crm4.dynamics.com/main.aspx?appid=x&${PAGE}`, DYNAMICS),
    {kind: 'record', table: 'phonecall', id: RECORD},
  );
});

test('the address of a search is read', () => {
  assert.deepEqual(
    parse('https://org.crm4.dynamics.com/main.aspx?pagetype=search&searchText=%2B49%20301&searchType=1', DYNAMICS),
    {kind: 'search', text: '+49 301', type: 1},
  );
});

const READ = {
  'a GUID in braces and capitals': `pagetype=entityrecord&etn=phonecall&id=%7B${RECORD.toUpperCase()}%7D`,
  'names of parameters in capitals': `PageType=entityrecord&ETN=phonecall&ID=${RECORD}`,
  'parameters that do not matter': `${PAGE}&navbar=off&cmdbar=false&extraqs=x&extraqs=y`,
  'a fragment': `${PAGE}#//elsewhere`,
};
for (const [what, query] of Object.entries(READ)) {
  test(`${what}: the address is read`, () => {
    assert.deepEqual(
      parse(`https://org.crm4.dynamics.com/main.aspx?${query}`, DYNAMICS),
      {kind: 'record', table: 'phonecall', id: RECORD},
    );
  });
}

const REFUSED = [
  ['scheme', 'javascript:alert(1)'],
  ['scheme', `javascript://org.crm4.dynamics.com/main.aspx?${PAGE}%0aalert(1)`],
  ['scheme', 'data:text/html,<script>alert(1)</script>'],
  ['scheme', `http://org.crm4.dynamics.com/main.aspx?${PAGE}`],
  ['scheme', `ftp://org.crm4.dynamics.com/main.aspx?${PAGE}`],
  ['scheme', `blob:https://org.crm4.dynamics.com/main.aspx?${PAGE}`],
  ['host', `https://evil.example/main.aspx?${PAGE}`],
  ['host', `https://org.crm4.dynamics.com.evil.example/main.aspx?${PAGE}`],
  ['host', `https://evil.example\\@org.crm4.dynamics.com/main.aspx?${PAGE}`],
  ['host', `https://org.crm4.dynamics.com@evil.example/main.aspx?${PAGE}`],
  ['host', `https://user@org.crm4.dynamics.com/main.aspx?${PAGE}`],
  ['host', `https://user:secret@org.crm4.dynamics.com/main.aspx?${PAGE}`],
  ['host', `https://org.crm4.dynamics.com:8443/main.aspx?${PAGE}`],
  ['host', `https://оrg.crm4.dynamics.com/main.aspx?${PAGE}`], // a Cyrillic o
  ['host', `https://other.crm4.dynamics.com/main.aspx?${PAGE}`],
  ['host', `https:/\\evil.example/main.aspx?${PAGE}`],
  ['host', `https:////evil.example/main.aspx?${PAGE}`],
  ['path', `https://org.crm4.dynamics.com/?${PAGE}`],
  ['path', `https://org.crm4.dynamics.com/main.aspx/x?${PAGE}`],
  ['path', `https://org.crm4.dynamics.com//main.aspx?${PAGE}`],
  ['path', `https://org.crm4.dynamics.com/MAIN.ASPX?${PAGE}`],
  ['path', `https://org.crm4.dynamics.com/api/data/v9.2/contacts?${PAGE}`],
  ['path', `https://org.crm4.dynamics.com/WebResources/main.aspx?${PAGE}`],
  ['path', `https://org.crm4.dynamics.com/%6dain.aspx?${PAGE}`],
  ['page', ''],
  ['page', 'main.aspx?pagetype=entityrecord'],
  ['page', `//org.crm4.dynamics.com/main.aspx?${PAGE}`],
  ['page', 'https://org.crm4.dynamics.com/main.aspx'],
  ['page', `https://org.crm4.dynamics.com/main.aspx?pagetype=webresource&etn=phonecall&id=${RECORD}`],
  ['page', `https://org.crm4.dynamics.com/main.aspx?pagetype=entityrecord&etn=phonecall`],
  ['page', `https://org.crm4.dynamics.com/main.aspx?pagetype=entityrecord&etn=phone'call&id=${RECORD}`],
  ['page', `https://org.crm4.dynamics.com/main.aspx?pagetype=entityrecord&etn=1phonecall&id=${RECORD}`],
  ['page', 'https://org.crm4.dynamics.com/main.aspx?pagetype=entityrecord&etn=phonecall&id=new'],
  ['page', `https://org.crm4.dynamics.com/main.aspx?pagetype=entityrecord&etn=phonecall&id=${RECORD}x`],
  ['page', `https://org.crm4.dynamics.com/main.aspx?${PAGE}&id=${RECORD}`],
  ['page', `https://org.crm4.dynamics.com/main.aspx?${PAGE}&ID=${RECORD}`],
  ['page', `https://org.crm4.dynamics.com/main.aspx?${PAGE}&etn=contact`],
  ['page', `https://org.crm4.dynamics.com/main.aspx?${PAGE}&pagetype=search`],
  ['page', 'https://org.crm4.dynamics.com/main.aspx?pagetype=search&searchText='],
  ['page', `https://org.crm4.dynamics.com/main.aspx?${PAGE}&padding=${'x'.repeat(2048)}`],
];
for (const [why, text] of REFUSED) {
  test(`refused for its ${why}: ${text.slice(0, 110)}`, () => {
    assert.deepEqual(parse(text, DYNAMICS), {refused: why});
  });
}

test('http is accepted where the configured organization is on this machine, and only there', () => {
  const local = {url: 'http://127.0.0.1:8080', appId: ''};
  assert.equal(parse(`http://127.0.0.1:8080/main.aspx?${PAGE}`, local).kind, 'record');
  assert.deepEqual(parse(`https://127.0.0.1:8080/main.aspx?${PAGE}`, local), {refused: 'scheme'});
  assert.deepEqual(parse(`http://127.0.0.1:8081/main.aspx?${PAGE}`, local), {refused: 'host'});
});

test('an address is built of the organization, the app and the page alone', () => {
  assert.equal(
    href({kind: 'record', table: 'phonecall', id: RECORD}, DYNAMICS),
    `https://org.crm4.dynamics.com/main.aspx?appid=${DYNAMICS.appId}&${PAGE}`,
  );
  assert.equal(
    href({kind: 'search', text: '+49 30&x=1#', type: 0}, {...DYNAMICS, appId: ''}),
    'https://org.crm4.dynamics.com/main.aspx?pagetype=search&searchText=%2B49%2030%26x%3D1%23&searchType=0',
  );
});

test('whatever is given, what is opened is a page of the organization (10,000 made-up texts)', () => {
  const {below, one, chance} = random(12);
  const parts = [
    'https:', 'http:', 'javascript:', 'data:', '//', '/', '\\', '@', ':', '?', '&', '#', '%2f', '%00', '\n', '\t', ' ',
    'org.crm4.dynamics.com', 'evil.example', '.', 'main.aspx', 'MAIN.aspx', '..', 'pagetype=', 'entityrecord', 'search',
    'etn=', 'phonecall', 'id=', RECORD, `{${RECORD}}`, 'searchText=', 'searchType=1', '<script>', '"', "'", 'ö', '\u202e',
  ];
  let read = 0;
  for (let round = 0; round < 10_000; round += 1) {
    const noise = Array.from({length: below(12)}, () => one(parts)).join('');
    const good = `https://org.crm4.dynamics.com/main.aspx?${PAGE}`;
    const at = below(good.length + 1);
    const text = chance(0.3) ? noise : good.slice(0, at) + one([noise, one(parts), '']) + good.slice(chance(0.7) ? at : below(good.length));
    const page = parse(text, DYNAMICS);
    if ('refused' in page) continue;
    read += 1;
    const opened = new URL(href(page, DYNAMICS));
    assert.equal(opened.origin + opened.pathname, 'https://org.crm4.dynamics.com/main.aspx', text);
    assert.deepEqual(parse(opened.href, DYNAMICS), page, text);
    if (page.kind === 'record') assert.match(`${page.table} ${page.id}`, /^[a-z][a-z0-9_]* [0-9a-f-]{36}$/, text);
  }
  assert.ok(read > 500, `only ${read} of them could be read`);
});

test('names of tables, GUIDs and texts to search for are cleaned, or are empty', () => {
  assert.deepEqual([tableName('Contact '), tableName('x y'), tableName(undefined)], ['contact', '', '']);
  assert.deepEqual([guid(` {${RECORD}} `), guid(`{${RECORD}`), guid(undefined)], [RECORD, '', '']);
  assert.equal(searchText('  Ada\r\n\u0000Example\u2028 '), 'Ada Example');
  assert.equal(searchText('x'.repeat(500)).length, 200);
});

test('words do not turn the direction of writing round, and keep the marks that names are spelled with', () => {
  assert.equal(searchText('\u202eAda\u202d\u2066B\u2069'), 'Ada B');
  assert.equal(searchText('\u05d0\u200f\u05d1'), '\u05d0\u200f\u05d1');
});
