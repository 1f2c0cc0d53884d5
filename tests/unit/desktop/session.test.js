import assert from 'node:assert/strict';
import {test} from 'node:test';

import {session} from '../../../worker/desktop/pages/core/session.js';
import {target} from '../../../worker/desktop/pages/core/target.js';
import {CONTACT, CUSTOMER, NOW, OTHER, RECORD, configuration, contact, found} from './support/samples.js';

const OWN = '11111111-2222-5333-8444-555555555555';

function ask(given = {}, table = 'connect', recordId = OWN) {
  const config = configuration(table);
  const seen = contact(given);
  return session(seen, target(seen, config, NOW, {recordId}), config);
}

test('a single match: title with the name, the customer\'s tab first, then the activity', () => {
  const it = ask({attributes: found({CallReason: 'Invoice'})});
  assert.deepEqual(
    [it.title, it.sessionTemplate, it.notificationTemplate], ['Voice-Ada Example', 'connect_voice_match', 'connect_voice_match'],
  );
  assert.deepEqual(it.tabs, [
    {template: 'connect_customer', what: 'customer'}, {template: 'connect_activity', what: 'activity'},
  ]);
  assert.deepEqual(it.parameters, {
    customerName: 'Ada Example', customerEntityName: 'contact', customerRecordId: CUSTOMER,
    ms_entityrecord_entity_name: 'phonecall', ms_entityrecord_record_id: RECORD,
    ms_search_type: '', ms_search_text: '', CallReason: 'Invoice', number: '+4930123456', queue: 'Sales',
    channel: 'voice',
  });
});

for (const [attributes, what] of [
  [{ms_id: CONTACT, LookupStatus: 'NoMatch'}, 'no match'],
  [found({LookupStatus: 'MultiMatch'}), 'several matches'],
  [found({ms_id: OTHER}), 'attributes of the leg before'],
  [{}, 'nothing said yet'],
]) {
  test(`${what}: the search first, the number in the title, and nobody's data in the parameters`, () => {
    const it = ask({attributes});
    assert.deepEqual([it.title, it.sessionTemplate, it.tabs[0]], [
      'Voice-+4930123456', 'connect_voice_search', {template: 'connect_search', what: 'search'},
    ]);
    assert.deepEqual([it.parameters.ms_search_type, it.parameters.ms_search_text], ['0', '+4930123456']);
    assert.deepEqual([it.parameters.customerRecordId, it.parameters.customerName], ['', '+4930123456']);
    assert.doesNotMatch(JSON.stringify(it), new RegExp(`Ada|${CUSTOMER}`));
  });
}

for (const [channel, title] of [['chat', 'Chat-'], ['task', 'Task-'], ['email', 'Email-']]) {
  test(`a ${channel} has its own title and templates`, () => {
    const it = ask({channel, attributes: found()});
    assert.deepEqual(
      [it.title, it.sessionTemplate, it.notificationTemplate],
      [`${title}Ada Example`, `connect_${channel}_match`, `connect_${channel}_match`],
    );
  });
}

test('a withheld number without a match is unknown', () => {
  assert.equal(ask({number: ''}).title, 'Voice-unknown');
});

test('CornerstoneCX\' names: the identified session, one notification, its spelling of the search', () => {
  const match = ask({attributes: found()}, 'cornerstonecx');
  assert.deepEqual(
    [match.sessionTemplate, match.notificationTemplate, match.title],
    ['extn_voice_identified_session', 'extn_voice_notification', 'Voice-Ada Example'],
  );
  const none = ask({attributes: {ms_id: CONTACT, LookupStatus: 'NoMatch', ms_searchText: 'Ada', ms_searchType: '1'}}, 'cornerstonecx');
  assert.deepEqual(
    [none.sessionTemplate, none.notificationTemplate], ['extn_voice_unidentified_session', 'extn_voice_notification'],
  );
  assert.deepEqual([none.parameters.ms_searchText, none.parameters.ms_searchType], ['Ada', '1']);
});

test('templates that this contact\'s attributes name win', () => {
  const it = ask({attributes: found({ms_session_template: 'acme_vip_Session', ms_notify_template: 'acme_vip'})});
  assert.deepEqual([it.sessionTemplate, it.notificationTemplate], ['acme_vip_Session', 'acme_vip']);
});

for (const name of ['vip', 'a_b', 'ACME_x', 'acme_', 'acme_x y', 'acme_{customerName}', 'toolongprefix_x', `acme_${'x'.repeat(91)}`]) {
  test(`a template that cannot be one (${name.slice(0, 30)}) does not`, () => {
    const it = ask({attributes: found({ms_session_template: name, ms_notify_template: name})});
    assert.deepEqual([it.sessionTemplate, it.notificationTemplate], ['connect_voice_match', 'connect_voice_match']);
  });
}

test('templates that another contact\'s attributes name do not', () => {
  const it = ask({attributes: found({ms_id: OTHER, ms_session_template: 'acme_vip'})});
  assert.equal(it.sessionTemplate, 'connect_voice_search');
});

test('a name that looks like a placeholder or a pattern is only a name', () => {
  assert.equal(ask({attributes: found({ms_customer_name: '$& {customerName} $1'})}).title, 'Voice-$& {customerName} $1');
});

test('without an activity there is no tab for one', () => {
  const attributes = {ms_id: CONTACT, LookupStatus: 'NoMatch'};
  assert.deepEqual(ask({attributes}, 'connect', '').tabs, [{template: 'connect_search', what: 'search'}]);
});
