import assert from 'node:assert/strict';
import {test} from 'node:test';

import {remembering, target} from '../../../worker/desktop/pages/core/target.js';
import {
  CONTACT, CUSTOMER, NOW, OTHER, RECORD, configuration, contact, found, random,
} from './support/samples.js';

const CONFIG = configuration();
const OWN = '11111111-2222-5333-8444-555555555555';
const url = (table, id, host = 'org.crm4.dynamics.com') => (
  `https://${host}/main.aspx?appid=a&pagetype=entityrecord&etn=${table}&id=${id}`
);
const look = (seen, after = 0, known = {recordId: OWN}, config = CONFIG) => (
  target(seen, config, NOW + after, known)
);
const own = {kind: 'record', table: 'phonecall', id: OWN};

test('the address that a flow or the worker wrote for this contact is opened', () => {
  const it = look(contact({attributes: found({DynamicsUrl: url('incident', CUSTOMER)})}));
  assert.deepEqual(it.page, {kind: 'record', table: 'incident', id: CUSTOMER});
  assert.deepEqual([it.proven, it.awaiting, it.refused, it.match], [true, '', '', 'single']);
});

test('without an address it is the record that the attributes name', () => {
  const it = look(contact({attributes: found()}));
  assert.deepEqual(it.page, {kind: 'record', table: 'phonecall', id: RECORD});
  assert.deepEqual(it.activity, {table: 'phonecall', id: RECORD});
  assert.deepEqual(it.customer, {table: 'contact', id: CUSTOMER, name: 'Ada Example'});
  assert.deepEqual([it.proven, it.awaiting, it.search], [true, '', null]);
});

test('where an address is to come, the record that attributes name is not opened before it', () => {
  const config = configuration();
  config.open.urlChannels = ['voice'];
  const awaited = (seen, after = 0) => look(contact({attributes: found(), ...seen}), after, {recordId: OWN}, config).awaiting;
  assert.equal(awaited({}), 'record');
  assert.equal(awaited({}, 1_499), 'record');
  assert.equal(awaited({}, 1_500), '');
  assert.equal(awaited({state: 'accepted'}), 'record');
  assert.equal(awaited({channel: 'chat'}), '');
  assert.equal(awaited({attributes: found({DynamicsUrl: url('incident', CUSTOMER)})}), '');
});

test('the contact id counts in any case', () => {
  assert.equal(look(contact({attributes: found({ms_id: ` ${CONTACT.toUpperCase()} `})})).match, 'single');
});

test('attributes of the leg before do not count: neither customer nor record nor address', () => {
  const before = found({ms_id: OTHER, DynamicsUrl: url('phonecall', RECORD), DynamicsTab: 'false', ms_search_text: 'Ada'});
  const it = look(contact({initialId: OTHER, attributes: before}), 4000);
  assert.deepEqual(it.page, own);
  assert.deepEqual([it.customer, it.match, it.refused, it.tab], [null, 'unknown', 'contact', true]);
  assert.deepEqual(it.search, {type: 0, text: '+4930123456'});
});

for (const ms_id of [undefined, '', 'x', OTHER, `${CONTACT}x`]) {
  test(`somebody else's customer is not shown for ms_id ${ms_id}`, () => {
    const it = look(contact({attributes: {...found(), ms_id}}));
    assert.deepEqual([it.customer, it.page, it.activity], [null, own, {table: 'phonecall', id: OWN}]);
  });
}

test('an address that names the contact\'s own record needs no ms_id', () => {
  const it = look(contact({attributes: {DynamicsUrl: url('phonecall', OWN.toUpperCase()), DynamicsTab: 'false'}}));
  assert.deepEqual(it.page, own);
  assert.deepEqual([it.proven, it.awaiting, it.tab, it.match], [true, 'customer', false, 'unknown']);
});

test('the own id under another table is not the own record', () => {
  const it = look(contact({attributes: {DynamicsUrl: url('contact', OWN)}}));
  assert.deepEqual([it.page, it.proven, it.refused], [own, false, 'contact']);
});

const HOSTILE = [
  ['scheme', 'javascript:alert(document.domain)'],
  ['scheme', url('phonecall', OWN).replace('https', 'http')],
  ['host', url('phonecall', OWN, 'evil.example')],
  ['host', url('phonecall', OWN, 'a@org.crm4.dynamics.com')],
  ['path', url('phonecall', OWN).replace('main.aspx', 'WebResources/x.html')],
  ['page', url('phonecall', '')],
];
for (const [why, text] of HOSTILE) {
  test(`a hostile address, refused for its ${why}, falls back to the record, even vouched for: ${text}`, () => {
    const it = look(contact({attributes: found({DynamicsUrl: text})}));
    assert.deepEqual([it.page, it.refused], [{kind: 'record', table: 'phonecall', id: RECORD}, why]);
    const unvouched = look(contact({attributes: {DynamicsUrl: text}}));
    assert.deepEqual([unvouched.page, unvouched.refused, unvouched.proven], [own, why, false]);
  });
}

test('the contact\'s own record is not opened before it can be there, lest an empty form opens', () => {
  const seen = contact();
  assert.deepEqual([look(seen, 0).awaiting, look(seen, 3999).awaiting], ['record', 'record']);
  assert.equal(look(seen, 4000).awaiting, 'customer');
  assert.deepEqual([look(seen, 4000).page, look(seen, 4000).proven], [own, false]);
  assert.equal(look(seen, 20_000).awaiting, '');
});

test('it is opened at once where the host has seen it exist', () => {
  const it = look(contact(), 0, {recordId: OWN, exists: true});
  assert.deepEqual([it.page, it.proven, it.awaiting], [own, true, 'customer']);
});

test('while a call rings its own record is awaited, however long it rings', () => {
  assert.equal(look(contact({state: 'ringing'}), 600_000).awaiting, 'record');
});

test('a clock that runs behind does not make anybody wait for ever, or open early', () => {
  assert.equal(look(contact(), -60_000).awaiting, 'record');
});

test('in after-call work no customer is awaited, since attributes come while a contact is on', () => {
  assert.equal(look(contact({state: 'after'}), 4000).awaiting, '');
  assert.equal(look(contact({state: 'after'}), 3999).awaiting, 'record');
});

test('no match: the number is searched for, and the activity is still there', () => {
  const it = look(contact({attributes: {ms_id: CONTACT, LookupStatus: 'NoMatch'}}), 4000);
  assert.deepEqual([it.match, it.customer, it.page, it.awaiting], ['none', null, own, '']);
  assert.deepEqual(it.search, {type: 0, text: '+4930123456'});
});

test('several matches: nobody of them is shown, and the text of the flow is searched for', () => {
  const it = look(contact({attributes: found({
    LookupStatus: 'MultiMatch', ms_search_text: 'Example\nLtd', ms_search_type: '1',
  })}));
  assert.deepEqual([it.match, it.customer], ['several', null]);
  assert.deepEqual(it.search, {type: 1, text: 'Example Ltd'});
});

test('a customer whom the worker found after a flow had not is shown', () => {
  const it = look(contact({attributes: found({LookupStatus: 'NoMatch'})}));
  assert.deepEqual([it.match, it.customer?.id], ['single', CUSTOMER]);
});

test('a record of which only the half is named is none', () => {
  for (const half of [{ms_entityrecord_entity_name: ''}, {ms_entityrecord_record_id: ''}]) {
    assert.deepEqual(look(contact({attributes: found(half)})).page, own);
  }
});

test('a contact whose own id is in capitals is the same contact', () => {
  assert.equal(look(contact({id: CONTACT.toUpperCase(), attributes: found()})).match, 'single');
});

test('a match without a customer, or with no GUID, is no match that can be shown', () => {
  for (const ms_contact_id of ['', 'x', `${CUSTOMER}?x=1`]) {
    const it = look(contact({attributes: found({ms_contact_id})}));
    assert.deepEqual([it.match, it.customer], ['unknown', null]);
    assert.equal(it.search?.text, '+4930123456');
  }
});

test('a customer in a table with an impossible name is not shown', () => {
  const it = look(contact({attributes: found({ms_customer_entity_name: 'contact&id=1'})}));
  assert.deepEqual([it.match, it.customer, it.search?.text], ['unknown', null, '+4930123456']);
});

test('a customer without a table is a contact, as the flow module leaves it', () => {
  assert.equal(look(contact({attributes: found({ms_customer_entity_name: ''})})).customer?.table, 'contact');
});

test('DynamicsTab decides between tab and frame where its address counts', () => {
  const tab = (DynamicsTab) => (
    look(contact({attributes: found({DynamicsUrl: url('phonecall', RECORD), DynamicsTab})})).tab
  );
  assert.deepEqual([tab('true'), tab('false'), tab('False'), tab(''), tab('javascript:')], [true, false, false, true, true]);
});

test('monitoring: attributes cannot be read, and nothing is believed', () => {
  const it = look(contact({monitoring: true, attributes: found({DynamicsUrl: url('phonecall', OWN)})}));
  assert.deepEqual([it.customer, it.match, it.refused], [null, 'unknown', '']);
  assert.equal(look(contact({attributes: null})).match, 'unknown');
});

test('a channel without a record: customer, else search, once it is said or late enough', () => {
  const config = {...CONFIG, records: {}};
  const none = {recordId: ''};
  const plain = {ms_entityrecord_record_id: '', ms_entityrecord_entity_name: ''};
  const known = look(contact({attributes: found(plain)}), 0, none, config);
  assert.deepEqual([known.page, known.proven], [{kind: 'record', table: 'contact', id: CUSTOMER}, true]);
  const unknown = look(contact(), 0, none, config);
  assert.deepEqual([unknown.page, unknown.proven, unknown.awaiting], [null, false, 'customer']);
  const late = look(contact(), 20_000, none, config);
  assert.deepEqual(
    [late.page, late.proven, late.awaiting], [{kind: 'search', text: '+4930123456', type: 0}, true, ''],
  );
  const said = look(contact({attributes: {ms_id: CONTACT, LookupStatus: 'NoMatch'}}), 0, none, config);
  assert.deepEqual(said.page, {kind: 'search', text: '+4930123456', type: 0});
});

test('a withheld number with nothing to search for opens nothing', () => {
  const it = look(contact({number: ''}), 20_000, {recordId: ''}, {...CONFIG, records: {}});
  assert.deepEqual([it.page, it.proven, it.search, it.awaiting], [null, false, {type: 0, text: ''}, '']);
});

test('names of attributes are the configuration\'s', () => {
  const it = look(contact({attributes: {
    ms_id: CONTACT, LookupStatus: 'MultiMatch', ms_searchType: '1', ms_searchText: 'Example',
  }}), 0, {recordId: OWN}, configuration('cornerstonecx'));
  assert.deepEqual(it.search, {type: 1, text: 'Example'});
});

test('an attribute is not found on an object\'s prototype', () => {
  const config = configuration();
  config.open.urlAttribute = 'constructor';
  config.names.attributes.id = '__proto__';
  const it = look(contact({attributes: {}}), 0, {recordId: OWN}, config);
  assert.deepEqual([it.refused, it.match], ['', 'unknown']);
});

test('whatever attributes say, no customer or foreign record is shown for another contact (5,000 made up)', () => {
  const {one, chance} = random(7);
  const texts = [
    undefined, '', OTHER, CUSTOMER, RECORD, 'SingleMatch', 'MultiMatch', 'contact', 'phonecall', 'javascript:x', 'Ada',
    url('contact', CUSTOMER), url('phonecall', RECORD), url('phonecall', OWN), url('phonecall', OWN, 'evil.example'),
  ];
  const names = Object.values(CONFIG.names.attributes).concat('DynamicsUrl', 'DynamicsTab');
  for (let round = 0; round < 5000; round += 1) {
    const attributes = Object.fromEntries(names.filter(() => chance(0.7)).map((name) => [name, one(texts)]));
    const it = look(contact({attributes}), one([0, 5000, 30_000]));
    assert.deepEqual([it.customer, it.page, it.match], [null, own, 'unknown'], JSON.stringify(attributes));
    assert.equal(it.search?.text, '+4930123456');
  }
});

test('once a contact is transferred, what was said of it stays, and the next leg’s attributes are not taken for its own', () => {
  const before = contact({attributes: found()});
  for (const attributes of [found({ms_id: OTHER, ms_customer_name: 'Else'}), {}, null]) {
    const after = contact({state: 'after', attributes});
    assert.equal(look(remembering(before, after, CONFIG)).customer?.name, 'Ada Example');
    assert.deepEqual(remembering(contact({attributes: {}}), after, CONFIG), after);
    assert.deepEqual(remembering(undefined, after, CONFIG), after);
  }
  const corrected = contact({attributes: found({ms_customer_name: 'Else'})});
  assert.deepEqual(remembering(before, corrected, CONFIG), corrected);
  const monitored = contact({monitoring: true, attributes: null});
  assert.deepEqual(remembering(before, monitored, CONFIG), monitored);
});
