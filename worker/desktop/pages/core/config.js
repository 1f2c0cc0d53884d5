/**
 * The configuration of the pages: config.json, or a provider's custom parameters of the same form.
 *
 * @import {AttributeKey, Channel, Config, Names, Pair, RecordOf} from './types.js'
 */

import {guid, tableName} from './address.js';

const CHANNELS = /** @type {const} */ (['voice', 'chat', 'task', 'email']);
const ATTRIBUTES = /** @type {const} */ ([
  'id', 'contactId', 'accountId', 'customerName', 'customerTable', 'activityId', 'recordTable',
  'recordId', 'sessionTemplate', 'notificationTemplate', 'searchType', 'searchText', 'reason',
  'status',
]);
const LOOPBACK = ['localhost', '127.0.0.1', '[::1]'];

/** How long a wait may be configured to be (ms). */
const LONGEST_WAIT = 600_000;

/** Says where the configuration is wrong, in words for who wrote it. */
class Wrong extends Error {}

/**
 * Check a configuration and fill in what may be left out.
 *
 * @param {unknown} json   The parsed JSON, or its text.
 * @returns {{config: Config}|{wrong: string}}   wrong: which part, and what it should be.
 */
export function checked(json) {
  try {
    return {config: configuration(new Part('', typeof json === 'string' ? JSON.parse(json) : json))};
  } catch (error) {
    if (error instanceof SyntaxError) return {wrong: 'the configuration is not JSON'};
    if (error instanceof Wrong) return {wrong: error.message};
    throw error;
  }
}

/**
 * @param {Part} all
 * @returns {Config}
 */
function configuration(all) {
  if (all.value.version !== 1) throw new Wrong('version should be 1');
  const connect = all.part('connect');
  const dynamics = all.part('dynamics');
  const open = all.part('open', true);
  const dial = all.part('dial', true);
  return {
    version: 1,
    connect: {
      ccpUrl: connect.address('ccpUrl').href,
      loginUrl: connect.text('loginUrl', '') && connect.address('loginUrl').href,
      region: connect.text('region', ''),
      softphone: connect.flag('softphone', true),
    },
    dynamics: {url: organization(dynamics), appId: dynamics.guid('appId', '')},
    open: {
      tab: open.flag('tab', true),
      urlAttribute: open.text('urlAttribute', 'DynamicsUrl'),
      tabAttribute: open.text('tabAttribute', 'DynamicsTab'),
      urlChannels: open.channels('urlChannels'),
      recordAfterMs: open.wait('recordAfterMs', 4_000),
      searchAfterMs: open.wait('searchAfterMs', 20_000),
    },
    namespace: all.guid('namespace'),
    records: records(all.part('records', true)),
    dial: {enabled: dial.flag('enabled', true), countries: dial.countries('countries')},
    names: names(all.part('names')),
  };
}

/** @param {Part} dynamics */
function organization(dynamics) {
  const url = dynamics.address('url');
  if (url.pathname !== '/' || url.search || url.hash) {
    throw new Wrong('dynamics.url should have no path: https://organization.crm4.dynamics.com');
  }
  return url.origin;
}

/**
 * @param {Part} part
 * @returns {Config['records']}
 */
function records(part) {
  /** @type {Partial<Record<Channel, RecordOf>>} */
  const all = {};
  for (const channel of CHANNELS) {
    if (part.value[channel] == null) continue;
    const record = part.part(channel);
    const table = record.text('table');
    if (tableName(table) !== table) throw new Wrong(`${record.at('table')} should be a table's name`);
    all[channel] = {
      table, set: record.text('set'), pipeline: record.text('pipeline'), step: record.text('step'),
    };
  }
  return all;
}

/**
 * @param {Part} part
 * @returns {Names}
 */
function names(part) {
  const attributes = part.part('attributes');
  const tabs = part.part('tabs');
  const titles = part.part('titles');
  return {
    attributes: of(ATTRIBUTES, (/** @type {AttributeKey} */ key) => attributes.text(key)),
    session: pairs(part.part('session')),
    notification: pairs(part.part('notification')),
    tabs: of(/** @type {const} */ (['customer', 'activity', 'search']), (key) => tabs.text(key)),
    titles: of(CHANNELS, (channel) => titles.text(channel)),
  };
}

/**
 * @param {Part} part
 * @returns {Record<Channel, Pair>}
 */
function pairs(part) {
  return of(CHANNELS, (channel) => {
    const pair = part.part(channel);
    return {match: pair.text('match'), search: pair.text('search')};
  });
}

/**
 * @template {string} Key
 * @template Value
 * @param {readonly Key[]} keys
 * @param {(key: Key) => Value} value
 * @returns {Record<Key, Value>}
 */
function of(keys, value) {
  return /** @type {Record<Key, Value>} */ (
    Object.fromEntries(keys.map((key) => [key, value(key)]))
  );
}

/** An object in the configuration, which knows where it stands. */
class Part {
  /**
   * @param {string} place
   * @param {unknown} value
   */
  constructor(place, value) {
    if (typeof value !== 'object' || value === null || Array.isArray(value)) {
      throw new Wrong(`${place || 'the configuration'} should be an object`);
    }
    this.place = place;
    this.value = /** @type {Record<string, unknown>} */ (value);
  }

  /** @param {string} name */
  at(name) {
    return this.place ? `${this.place}.${name}` : name;
  }

  /**
   * @param {string} name
   * @param {boolean} [optional]
   */
  part(name, optional = false) {
    const value = this.value[name];
    return new Part(this.at(name), optional && value === undefined ? {} : value);
  }

  /**
   * @param {string} name
   * @param {string} [otherwise]   Without one, there has to be a text that is not empty.
   * @returns {string}
   */
  text(name, otherwise) {
    const value = this.value[name] ?? otherwise;
    if (typeof value === 'string' && (value || otherwise === '')) return value;
    throw new Wrong(`${this.at(name)} should be a text`);
  }

  /**
   * @param {string} name
   * @param {boolean} otherwise
   */
  flag(name, otherwise) {
    const value = this.value[name] ?? otherwise;
    if (typeof value === 'boolean') return value;
    throw new Wrong(`${this.at(name)} should be true or false`);
  }

  /**
   * @param {string} name
   * @param {number} otherwise
   */
  wait(name, otherwise) {
    const value = this.value[name] ?? otherwise;
    if (typeof value === 'number' && value >= 0 && value <= LONGEST_WAIT) return value;
    throw new Wrong(`${this.at(name)} should be milliseconds, at most ${LONGEST_WAIT}`);
  }

  /**
   * @param {string} name
   * @param {string} [otherwise]
   */
  guid(name, otherwise) {
    const text = this.text(name, otherwise);
    const id = guid(text);
    if (id || text === otherwise) return id;
    throw new Wrong(`${this.at(name)} should be a GUID`);
  }

  /** @param {string} name */
  countries(name) {
    const value = this.value[name] ?? [];
    if (Array.isArray(value) && value.every((one) => /^[A-Za-z]{2}$/.test(String(one)))) {
      return value.map((one) => String(one).toLowerCase());
    }
    throw new Wrong(`${this.at(name)} should be a list of two-letter countries`);
  }

  /** @param {string} name */
  channels(name) {
    const value = this.value[name] ?? [];
    const found = CHANNELS.filter((channel) => Array.isArray(value) && value.includes(channel));
    if (Array.isArray(value) && found.length === value.length) return found;
    throw new Wrong(`${this.at(name)} should be a list of channels: ${CHANNELS.join(', ')}`);
  }

  /** @param {string} name */
  address(name) {
    const text = this.text(name);
    const url = URL.canParse(text) ? new URL(text) : null;
    const safe = url?.protocol === 'https:'
      || (url?.protocol === 'http:' && LOOPBACK.includes(url.hostname));
    if (!url || !safe || url.username || url.password) {
      throw new Wrong(`${this.at(name)} should be an https address`);
    }
    return url;
  }
}
