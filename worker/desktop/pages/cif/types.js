/** @import {Session} from '../core/types.js' */

/**
 * The parts of Channel Integration Framework 2 that the panel uses, as documented.
 *
 * Microsoft documents most answers as JSON strings, its samples read some of them as objects or Maps, so an answer is
 * `unknown` here and `answers.js` reads it.
 *
 * @typedef {object} TemplateInput
 * @property {string} templateName  unique name of the template
 * @property {Record<string, string>} templateParameters  values of the template's slugs
 * @property {string} [cancellationToken]  notifications only
 * @property {boolean} [isFocused]  tabs only
 *
 * @typedef {object} Framework  `window.Microsoft.CIFramework`
 * @property {(input: TemplateInput) => Promise<unknown>} notifyEvent
 * @property {(token: string) => Promise<unknown>} cancelEvent
 * @property {() => Promise<unknown>} canCreateSession
 * @property {(input: TemplateInput) => Promise<unknown>} createSession
 * @property {(input: TemplateInput) => Promise<unknown>} createTab
 * @property {(templateName: string) => Promise<unknown>} getTabs  of the focused session
 * @property {() => Promise<unknown>} getAllSessions
 * @property {(sessionId: string) => Promise<unknown>} getSession
 * @property {() => Promise<unknown>} getFocusedSession
 * @property {(sessionId: string) => Promise<unknown>} requestFocusSession
 * @property {(input: Record<string, string>) => Promise<unknown>} setSessionTitle
 * @property {(input: Record<string, string>, sessionId: string) => Promise<unknown>} updateContext
 * @property {(table: string, id: string, options: string) => Promise<unknown>} retrieveRecord
 * @property {(table: string, options: string, searchOnly: boolean) => Promise<unknown>} searchAndOpenRecords
 * @property {(mode: number) => Promise<unknown>} setMode  0 minimised, 1 docked, 2 hidden
 * @property {() => Promise<unknown>} getEnvironment
 * @property {(on: boolean) => Promise<unknown>} setClickToAct
 * @property {(name: string, handler: (data: unknown) => Promise<unknown>) => void | Promise<unknown>} addHandler
 *
 * @typedef {object} Answer  what became of a notification
 * @property {string} action  Accept, Reject or Timeout
 * @property {string} reason  Accept, AutoAccept, DeclinedByAgent, NotificationQueueLimitExceeded, DisplayTimeout, …
 *
 * @typedef {Session} Plan  what a contact's notification and session look like
 *
 * @typedef {object} RecordName  a record of Dynamics
 * @property {string} table  its logical name
 * @property {string} id  a GUID
 *
 * @typedef {object} Click  a phone number that the agent clicked in Dynamics
 * @property {string} value  the number as the form shows it
 * @property {string} table  the table of the record it stood on; '' not told
 * @property {string} column  the column it stood in; '' not told
 * @property {RecordName | null} record  that record, if Dynamics tells it
 */
export {};
