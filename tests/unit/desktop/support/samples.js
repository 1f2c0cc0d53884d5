/** Contacts and a configuration for tests, with everything ordinary unless a test says otherwise. */

import fs from 'node:fs';

export const CONTACT = '3d1c7f8e-54a2-4f0b-9c11-7c0d4a5e9b10';
export const OTHER = '8a2b6c1d-1111-4222-8333-94445555aaaa';
export const CUSTOMER = '0b9f5a10-2c3d-4e5f-8a6b-7c8d9e0f1a2b';
export const RECORD = '5e6f7a8b-9c0d-5e1f-8a2b-3c4d5e6f7a8b';
export const NOW = Date.UTC(2026, 10, 29, 12);

const names = (table) => JSON.parse(fs.readFileSync(
  new URL(`../../../../worker/desktop/tables/${table}.json`, import.meta.url), 'utf8',
));

export function configuration(table = 'connect') {
  return {
    version: 1,
    connect: {ccpUrl: 'https://softphone.example/ccp-v2/', loginUrl: '', region: 'eu-central-1', softphone: true},
    dynamics: {url: 'https://org.crm4.dynamics.com', appId: 'd1d2d3d4-0000-4000-8000-000000000001'},
    open: {
      tab: true, urlAttribute: 'DynamicsUrl', tabAttribute: 'DynamicsTab', urlChannels: [],
      recordAfterMs: 4000, searchAfterMs: 20000,
    },
    namespace: '5f0c7c5e-7a3b-5d0e-9c53-1d6f6a4e2b10',
    records: {
      voice: {table: 'phonecall', set: 'phonecalls', pipeline: 'timeline', step: 'PHONECALL'},
      chat: {table: 'task', set: 'tasks', pipeline: 'timeline', step: 'TASK'},
      task: {table: 'task', set: 'tasks', pipeline: 'timeline', step: 'TASK'},
      email: {table: 'email', set: 'emails', pipeline: 'timeline', step: 'EMAIL'},
    },
    dial: {enabled: true, countries: []},
    names: names(table),
  };
}

export function contact(given = {}) {
  return {
    id: CONTACT, initialId: '', channel: 'voice', state: 'connected', inbound: true,
    callback: false, monitoring: false, number: '+4930123456', queue: 'Sales', attributes: {},
    since: NOW, ...given,
  };
}

/** Attributes as the worker and the flow module write them for a customer who was found. */
export function found(given = {}) {
  return {
    ms_id: CONTACT, LookupStatus: 'SingleMatch', ms_contact_id: CUSTOMER,
    ms_customer_entity_name: 'contact', ms_customer_name: 'Ada Example',
    ms_entityrecord_entity_name: 'phonecall', ms_entityrecord_record_id: RECORD, ...given,
  };
}

/** A seeded source of random numbers, so that what a test has tried can be tried again. */
export function random(seed) {
  let state = seed;
  const next = () => {
    state = (state + 0x6d2b79f5) | 0;
    let mixed = Math.imul(state ^ (state >>> 15), 1 | state);
    mixed = (mixed + Math.imul(mixed ^ (mixed >>> 7), 61 | mixed)) ^ mixed;
    return ((mixed ^ (mixed >>> 14)) >>> 0) / 4294967296;
  };
  return {
    below: (count) => Math.floor(next() * count),
    one: (list) => list[Math.floor(next() * list.length)],
    chance: (part) => next() < part,
  };
}
