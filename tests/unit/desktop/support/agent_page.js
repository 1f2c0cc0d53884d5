/** Contacts and a configuration for the tests of the agent page. */

import {readFileSync} from 'node:fs';
import {checked} from '../../../../worker/desktop/pages/core/config.js';

export const ORGANIZATION = 'https://org.crm4.dynamics.com';
export const RECORD = '33333333-3333-4333-8333-333333333333';
export const OWN = '55555555-5555-4555-8555-555555555555';

const names = JSON.parse(
  readFileSync(new URL('../../../../worker/desktop/tables/connect.json', import.meta.url), 'utf8'),
);

export function configured(open = {}) {
  const voice = {table: 'phonecall', set: 'phonecalls', pipeline: 'timeline', step: 'PHONECALL'};
  const answer = checked({
    version: 1,
    connect: {ccpUrl: 'https://example.my.connect.aws/ccp-v2/'},
    dynamics: {url: ORGANIZATION},
    open: {tab: true, recordAfterMs: 4000, searchAfterMs: 20000, ...open},
    namespace: '6b1f2c1e-6a1d-4a52-9a3d-2d9b6d6f1c11',
    records: {voice},
    names,
  });
  if ('wrong' in answer) throw new Error(answer.wrong);
  return answer.config;
}

export function contact(changes = {}) {
  return {
    id: '11111111-1111-4111-8111-111111111111', initialId: '', channel: 'voice',
    state: 'connected', inbound: true, callback: false, monitoring: false,
    number: '+4915112345678', queue: 'Service', attributes: {}, since: 1000, ...changes,
  };
}

/** Attributes by which a contact's record and customer are known. */
export function known(id, changes = {}) {
  return {
    ms_id: id, ms_contact_id: RECORD, ms_customer_name: 'Martina Sommerfeld',
    ms_customer_entity_name: 'contact', LookupStatus: 'SingleMatch',
    ms_entityrecord_entity_name: 'phonecall', ms_entityrecord_record_id: RECORD, ...changes,
  };
}

export function recordPage(id, table = 'phonecall') {
  return `${ORGANIZATION}/main.aspx?pagetype=entityrecord&etn=${table}&id=${id}`;
}
