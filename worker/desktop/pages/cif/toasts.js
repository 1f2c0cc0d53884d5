/**
 * Notifications of ringing contacts: one per contact, and each contact is answered once.
 *
 * The softphone rings whatever becomes of its toast. Only the agent's own yes or no is carried over: a toast that ran
 * out or found no room says nothing about the call.
 */

/** @import {Plan} from './types.js' */
/** @import {Dynamics} from './dynamics.js' */

import {carried, Refused} from './dynamics.js';
import {pause} from './queue.js';

/**
 * @typedef {object} Toast
 * @property {string} token  of the toast on screen; '' if there is none
 * @property {string} shows  what it shows, to tell whether later values differ
 * @property {boolean} replaced
 * @property {boolean} answered
 * @property {boolean} over  the contact rings no longer
 *
 * @typedef {object} ToastHost
 * @property {Dynamics} dynamics
 * @property {(contactId: string) => Promise<unknown>} accept
 * @property {(contactId: string) => Promise<unknown>} reject
 * @property {(kind: 'template' | 'answer' | 'toast', name: string) => void} onTrouble  `name` of the template
 * @property {(kind: 'answer' | 'toast') => void} onWell
 * @property {(contactId: string) => void} [onShown]
 */

const PREFIX = 'connect-dynamics-';
const TOKENS = ['first', 'renewed']; // made of the contact's id, so that a panel can take away what one before it showed
const KINDS = /** @type {const} */ (['answer', 'toast']); // troubles that end with the ringing
const PATIENCE_MS = 1000; // a ringing contact is not kept waiting for the taking away of an older toast

/** The toasts of all ringing contacts. */
export class Toasts {
  /** @param {ToastHost} host */
  constructor(host) {
    this.host = host;
    /** @type {Map<string, Toast>} */
    this.toasts = new Map();
  }

  /**
   * Show a ringing contact.
   *
   * @param {string} contactId
   * @param {Plan} plan
   * @param {boolean} again  a panel before this one may have shown it: nobody hears what that toast answers
   */
  async ring(contactId, plan, again) {
    if (this.toasts.has(contactId)) return;
    const toast = {token: '', shows: appearance(plan), replaced: false, answered: false, over: false};
    this.toasts.set(contactId, toast);
    if (again) {
      const cancelled = TOKENS.map((shown) => this.#cancel(`${PREFIX}${contactId}-${shown}`));
      await Promise.race([Promise.all(cancelled), pause(PATIENCE_MS)]);
    }
    if (!toast.over) await this.#show(contactId, toast, plan);
  }

  /**
   * Values that came while it rings: the toast is replaced by one that shows them, once, so that it does not flicker.
   *
   * @param {string} contactId
   * @param {Plan} plan
   */
  async renew(contactId, plan) {
    const toast = this.toasts.get(contactId);
    if (!toast || !toast.token || toast.replaced || toast.answered || toast.shows === appearance(plan)) return;
    toast.replaced = true;
    toast.shows = appearance(plan);
    const old = toast.token;
    toast.token = ''; // what the old one answers from here on, but for a yes, is our own cancelling
    if (!(await this.#cancel(old))) {
      toast.token = old;
      return;
    }
    if (!toast.over && !toast.answered) await this.#show(contactId, toast, plan);
  }

  /**
   * The contact rings no longer: its toast goes.
   *
   * @param {string} contactId
   */
  async over(contactId) {
    const toast = this.toasts.get(contactId);
    if (!toast) return;
    this.toasts.delete(contactId);
    toast.over = true;
    if (this.toasts.size === 0) for (const kind of KINDS) this.host.onWell(kind);
    if (toast.token) await this.#cancel(toast.token);
  }

  /**
   * @param {string} contactId
   * @param {Toast} toast
   * @param {Plan} plan
   */
  async #show(contactId, toast, plan) {
    const token = `${PREFIX}${contactId}-${TOKENS[toast.replaced ? 1 : 0]}`;
    toast.token = token;
    const {notificationTemplate: template, parameters} = plan;
    try {
      const answer = this.host.dynamics.notify(template, parameters, token);
      this.host.onShown?.(contactId);
      const {action, reason} = await answer;
      const current = toast.token === token;
      if (current) toast.token = '';
      if (action === 'Accept') await this.#answer(contactId, toast, this.host.accept);
      else if (current && reason === 'DeclinedByAgent') await this.#answer(contactId, toast, this.host.reject);
    } catch (error) {
      if (!(error instanceof Refused)) throw error;
      if (toast.over || toast.token !== token) return; // we took it away ourselves
      toast.token = '';
      this.host.onTrouble(/TemplateNotFound/.test(error.why) ? 'template' : 'toast', template);
    }
  }

  /**
   * @param {string} contactId
   * @param {Toast} toast
   * @param {(contactId: string) => Promise<unknown>} how
   */
  async #answer(contactId, toast, how) {
    if (toast.answered || toast.over) return;
    toast.answered = true;
    try {
      await how(contactId);
    } catch {
      if (toast.over) return; // it was answered all the same, or is gone
      this.host.onTrouble('answer', ''); // whatever the softphone said: the agent can still answer there
    }
  }

  /**
   * @param {string} token
   * @returns {Promise<boolean>} whether it is off the screen
   */
  #cancel(token) {
    return carried(this.host.dynamics.cancel(token));
  }
}

/**
 * @param {Plan} plan
 * @returns {string}
 */
function appearance({notificationTemplate, parameters}) {
  const {customerName, CallReason, number} = parameters;
  return JSON.stringify([notificationTemplate, customerName, CallReason, number]);
}
