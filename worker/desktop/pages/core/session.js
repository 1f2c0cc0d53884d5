/**
 * What Customer Service is asked for on behalf of a contact: names of templates and their values.
 *
 * @import {Config, Seen, Session, Target} from './types.js'
 */

import {searchText} from './address.js';
import {counting} from './target.js';

/** Unique names of templates: a publisher's prefix, and a name. */
const TEMPLATE = /^[a-z0-9]{3,8}_[A-Za-z0-9_]{1,90}$/;

/**
 * @param {Seen} seen
 * @param {Target} target   Of the same moment.
 * @param {Config} config
 * @returns {Session}
 */
export function session(seen, target, config) {
  const {names} = config;
  const told = counting(seen, config) ?? (() => '');
  const pair = target.customer ? 'match' : 'search';
  return {
    title: titled(names.titles[seen.channel], seen, target),
    sessionTemplate: template(told('sessionTemplate'), names.session[seen.channel][pair]),
    notificationTemplate:
      template(told('notificationTemplate'), names.notification[seen.channel][pair]),
    parameters: parameters(seen, target, config, searchText(told('reason'))),
    tabs: tabs(target, config),
  };
}

/**
 * @param {string} named
 * @param {string} otherwise
 */
function template(named, otherwise) {
  return TEMPLATE.test(named) ? named : otherwise;
}

/**
 * @param {string} title
 * @param {Seen} seen
 * @param {Target} target
 */
function titled(title, seen, target) {
  return title.replaceAll('{customerName}', () => shownName(seen, target));
}

/**
 * @param {Seen} seen
 * @param {Target} target
 */
function shownName(seen, target) {
  return target.customer?.name || searchText(seen.number) || 'unknown';
}

/**
 * @param {Seen} seen
 * @param {Target} target
 * @param {Config} config
 * @param {string} reason
 * @returns {Record<string, string>}
 */
function parameters(seen, target, config, reason) {
  const {attributes} = config.names;
  const search = {
    type: target.search ? String(target.search.type) : '', text: target.search?.text ?? '',
  };
  return {
    customerName: shownName(seen, target),
    customerEntityName: target.customer?.table ?? '',
    customerRecordId: target.customer?.id ?? '',
    ms_entityrecord_entity_name: target.activity?.table ?? '',
    ms_entityrecord_record_id: target.activity?.id ?? '',
    ms_search_type: search.type,
    ms_search_text: search.text,
    // Templates that were made for other spellings find their slugs too.
    [attributes.searchType]: search.type,
    [attributes.searchText]: search.text,
    CallReason: reason,
    number: seen.number,
    queue: seen.queue,
    channel: seen.channel,
  };
}

/**
 * @param {Target} target
 * @param {Config} config
 * @returns {Session['tabs']}
 */
function tabs(target, config) {
  const {names} = config;
  /** @type {Session['tabs']} */
  const all = target.customer
    ? [{template: names.tabs.customer, what: 'customer'}]
    : [{template: names.tabs.search, what: 'search'}];
  if (target.activity) all.push({template: names.tabs.activity, what: 'activity'});
  return all;
}
