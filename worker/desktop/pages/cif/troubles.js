/** What can be wrong in the panel: a sentence for the agent, one for the administrator, and a button. */

/** @import {Trouble} from '../agent/troubles.js' */

import {TROUBLES as AGENT} from '../agent/troubles.js';

/**
 * @typedef {'library' | 'frame' | 'login' | 'popup' | 'session' | 'other-page' | 'denied' | 'config' | 'attributes'
 *   | 'address' | 'cif' | 'sessions' | 'template' | 'refused' | 'toast' | 'answer' | 'dial' | 'record' | 'companion'
 *   | 'window'} Kind
 */

const HIDE = 'Hide this notice';

/** @type {Readonly<Record<Kind, Trouble>>} */
export const TROUBLES = {
  library: AGENT.library,
  frame: {
    ...AGENT.frame,
    text: 'The softphone does not appear inside Dynamics. Use it in a window of its own; toasts and sessions still come here.',
    hint: 'For the administrator: add this page’s origin and the Dynamics organization’s to the approved origins of the '
      + 'Amazon Connect instance, and allow its third-party cookies.',
  },
  login: AGENT.login,
  popup: AGENT.popup,
  session: AGENT.session,
  'other-page': AGENT['other-page'],
  denied: AGENT.denied,
  config: AGENT.config,
  attributes: {
    text: 'Nothing has been heard of the customer yet. The contact’s session has a search.',
    button: 'Show its session',
  },
  address: AGENT.address,
  cif: {
    text: 'Dynamics does not answer this panel. Calls work; toasts and sessions do not appear by themselves.',
    hint: 'For the administrator: the channel provider, its trusted domain, and whether the agent is signed in to this organization.',
    button: 'Try again',
  },
  sessions: {
    text: 'Customer Service has no room for another session. Close one, then open this contact’s.',
    button: 'Open it now',
  },
  template: {
    text: 'Dynamics does not know a template that this contact needs.',
    button: HIDE,
  },
  refused: {
    text: 'Dynamics did not open the session or a tab of this contact.',
    button: 'Try again',
  },
  toast: {
    text: 'Dynamics did not show the toast. Answer in the softphone.',
    button: HIDE,
  },
  answer: {
    grave: true,
    text: 'Your answer did not reach the softphone. Answer there.',
    button: HIDE,
  },
  dial: {
    text: 'This number was not called.',
    button: HIDE,
  },
  record: {
    text: 'The activity of a contact has not appeared in Dynamics yet.',
    button: 'Look again',
  },
  companion: {
    grave: true,
    text: 'The softphone runs in a window of its own, which is not open.',
    button: 'Open the softphone',
  },
  window: {
    grave: true,
    text: 'The softphone’s window was blocked, or is kept apart from this panel. If it did open, take calls there; '
      + 'toasts and sessions do not appear by themselves then.',
    hint: 'For the administrator: allow pop-ups for Dynamics and for this page.',
    button: 'Open the softphone',
  },
};

/** The notices of the panel, in the order in which they came up. */
export class Troubles {
  /**
   * @param {HTMLElement} region
   * @param {(kind: Kind) => void} onButton
   */
  constructor(region, onButton) {
    this.region = region;
    this.onButton = onButton;
    /** @type {Map<Kind, HTMLElement>} */
    this.shown = new Map();
  }

  /**
   * @param {Kind} kind
   * @param {boolean} wrong  whether there is that trouble now
   * @param {string} [text]  another sentence than the usual one
   * @param {string} [hint]  what exactly, for the administrator
   */
  set(kind, wrong, text = TROUBLES[kind].text, hint = TROUBLES[kind].hint ?? '') {
    const before = this.shown.get(kind);
    if (wrong && before?.firstChild?.firstChild?.textContent === text) return;
    before?.remove();
    this.shown.delete(kind);
    if (!wrong) return;
    const element = this.#drawn(kind, text, hint);
    this.shown.set(kind, element);
    this.region.append(element);
  }

  /**
   * @param {Kind} kind
   * @param {string} text
   * @param {string} hint
   */
  #drawn(kind, text, hint) {
    const {button, grave} = TROUBLES[kind];
    const element = document.createElement('div');
    element.dataset.trouble = kind;
    element.setAttribute('role', grave ? 'alert' : 'status');
    const words = document.createElement('p');
    words.append(text);
    if (hint) {
      const small = document.createElement('small');
      small.textContent = hint;
      words.append(small);
    }
    const press = document.createElement('button');
    press.type = 'button';
    press.textContent = button;
    press.addEventListener('click', () => this.onButton(kind));
    element.append(words, press);
    return element;
  }
}
