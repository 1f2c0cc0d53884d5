/**
 * The shapes that the pages pass to each other. Nothing in here is executed.
 *
 * @typedef {'voice'|'chat'|'task'|'email'} Channel
 *
 * @typedef {'ringing'|'accepted'|'connected'|'after'|'missed'|'ended'} State
 *   accepted: answered by the agent, or called by them, and not connected yet. after: after-call
 *   work. missed: the agent did not answer. ended: over without after-call work.
 *
 * @typedef {object} Seen   One contact, as the softphone shows it now.
 * @property {string} id
 * @property {string} initialId   First contact of its chain; '' if it is that itself.
 * @property {Channel} channel
 * @property {State} state
 * @property {boolean} inbound
 * @property {boolean} callback   A queued callback, which the agent has to accept like a call.
 * @property {boolean} monitoring   The agent listens to, or has barged into, another agent's call.
 * @property {string} number   The customer's, as E.164 or mail address; '' if withheld.
 * @property {string} queue   Name of the queue.
 * @property {Record<string, string>|null} attributes   null: they cannot be read (monitoring).
 * @property {number} since   When its state began, in ms since 1970 by this machine's clock.
 *
 * @typedef {object} Intent   What has become of a contact, for a host to show.
 * @property {'ring'|'accepted'|'connected'|'changed'|'after'|'gone'} kind
 * @property {Seen} contact   Of a contact that has vanished, only its id is known.
 * @property {boolean} [missed]   With gone: the agent did not answer it.
 * @property {boolean} [again]   This page, or the same page before a reload, has seen this stage of
 *   the contact already: show it, and open nothing.
 *
 * @typedef {object} Stage   How far a contact has come, as it is remembered.
 * @property {'ring'|'accepted'|'connected'|'after'|'gone'} at
 * @property {'ring'|'accepted'|'connected'|'after'} reached   The furthest since it last rang.
 * @property {boolean} shown   Whether this page has shown it since it was loaded.
 * @property {number} seen   When it was last seen, in ms since 1970.
 *
 * @typedef {object} Memory   Plain JSON, of contact ids and stages only.
 * @property {Record<string, Stage>} contacts   By contact id, at most 200.
 *
 * @typedef {{kind: 'record', table: string, id: string}
 *   | {kind: 'search', text: string, type?: 0|1}} Address   A page of Dynamics. Of a search, type
 *   is 0 for relevance and 1 for categorised.
 *
 * @typedef {'scheme'|'host'|'path'|'page'} Refusal   Which part of an address was not acceptable.
 *
 * @typedef {object} Target   What there is to open for a contact.
 * @property {'single'|'none'|'several'|'unknown'} match   How many customers were found; unknown:
 *   not said yet, or not about this contact.
 * @property {{table: string, id: string, name: string}|null} customer   Only of a single match.
 * @property {{table: string, id: string}|null} activity   The contact's own record.
 * @property {Address|null} page   What the agent should get to see.
 * @property {boolean} proven   Somebody says that the page's record exists: it can be opened.
 * @property {''|'customer'|'record'} awaiting   record: the page may not exist yet, do not open it.
 *   customer: the page may be opened, the customer's data may still come.
 * @property {{type: 0|1, text: string}|null} search   What to search for without a single match.
 * @property {boolean} tab   Whether a browser tab is wanted (true) or a frame in the page.
 * @property {''|Refusal|'contact'} refused   Why a given address was not believed. contact: it is
 *   not about this contact, which is ordinary while a transferred contact still has the attributes
 *   of the leg before.
 *
 * @typedef {object} Session   What Customer Service is asked for, for one contact.
 * @property {string} title
 * @property {string} sessionTemplate   Unique name.
 * @property {string} notificationTemplate   Unique name.
 * @property {Record<string, string>} parameters   Values of the templates' slugs.
 * @property {{template: string, what: 'customer'|'activity'|'search'}[]} tabs   Application tabs in
 *   their order. The first is the session's anchor tab, which the session template brings itself.
 *
 * @typedef {object} Names   A table of names, such as ../../tables/connect.json.
 * @property {Record<AttributeKey, string>} attributes   Names of contact attributes.
 * @property {Record<Channel, Pair>} session   Unique names of session templates.
 * @property {Record<Channel, Pair>} notification   Unique names of notification templates.
 * @property {{customer: string, activity: string, search: string}} tabs   Unique names of
 *   application tab templates.
 * @property {Record<Channel, string>} titles   Titles of sessions, with {customerName}.
 *
 * @typedef {{match: string, search: string}} Pair   With, and without, a single match.
 *
 * @typedef {'id'|'contactId'|'accountId'|'customerName'|'customerTable'|'activityId'|'recordTable'
 *   |'recordId'|'sessionTemplate'|'notificationTemplate'|'searchType'|'searchText'|'reason'
 *   |'status'} AttributeKey
 *
 * @typedef {object} Dynamics
 * @property {string} url   Origin of the environment, without a slash at its end.
 * @property {string} appId   GUID of the model-driven app, '' for the agent's default.
 *
 * @typedef {object} RecordOf   Which record the worker makes for contacts of a channel.
 * @property {string} table   Logical name.
 * @property {string} set   Name of the entity set.
 * @property {string} pipeline
 * @property {string} step
 *
 * @typedef {object} Config   config.json, checked; see ./config.js.
 * @property {1} version
 * @property {{ccpUrl: string, loginUrl: string, region: string, softphone: boolean}} connect
 * @property {Dynamics} dynamics
 * @property {{tab: boolean, urlAttribute: string, tabAttribute: string, urlChannels: Channel[],
 *   recordAfterMs: number, searchAfterMs: number}} open   urlChannels: where the worker names the page
 *   once an agent has answered.
 * @property {string} namespace   UUID namespace of record ids.
 * @property {Partial<Record<Channel, RecordOf>>} records
 * @property {{enabled: boolean, countries: string[]}} dial   Countries as two lower-case letters.
 * @property {Names} names
 */

export {};
