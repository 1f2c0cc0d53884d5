/**
 * What is wrong, each with a sentence for the agent, one for the administrator, and a button.
 *
 * @typedef {'library'|'frame'|'login'|'popup'|'session'|'other-page'|'denied'|'tab'
 *   |'dynamics-frame'|'config'|'attributes'|'address'} Kind
 *
 * @typedef {object} Trouble
 * @property {string} text   For the agent.
 * @property {string} [hint]   For whoever looks after the page.
 * @property {string} button
 * @property {boolean} [grave]   The agent cannot work: it is read out at once.
 */

/** @type {Readonly<Record<Kind, Trouble>>} */
export const TROUBLES = {
  library: {
    grave: true,
    text: 'The softphone could not be loaded.',
    hint: 'For the administrator: connect-streams-min.js is missing from the server or was '
      + 'changed on its way.',
    button: 'Load the page again',
  },
  frame: {
    grave: true,
    text: 'The softphone does not appear in this page. Until it does, use it in a window '
      + 'of its own.',
    hint: 'For the administrator: add this page’s origin to the approved origins of the Amazon '
      + 'Connect instance, and allow its third-party cookies.',
    button: 'Open the softphone in a window',
  },
  login: {
    grave: true,
    text: 'You are not signed in to Amazon Connect.',
    button: 'Sign in',
  },
  popup: {
    grave: true,
    text: 'The browser blocked the window in which you sign in to Amazon Connect.',
    button: 'Open the sign-in window',
  },
  session: {
    grave: true,
    text: 'Your session with Amazon Connect has ended.',
    button: 'Sign in again',
  },
  'other-page': {
    text: 'The softphone is open in another tab or window, too. Sound comes from the one opened'
      + ' first; closing that one ends a call.',
    button: 'Hide this notice',
  },
  denied: {
    grave: true,
    text: 'Amazon Connect does not let you use the softphone.',
    hint: 'For the administrator: the security profile needs access to the Contact Control Panel.',
    button: 'Load the page again',
  },
  tab: {
    text: 'The browser blocked the tab for Dynamics. Open it by this button, and allow pop-ups '
      + 'for this page.',
    button: 'Open in Dynamics',
  },
  'dynamics-frame': {
    text: 'Dynamics cannot be shown inside this page.',
    hint: 'For the administrator: allow this page’s origin under Privacy + Security of the '
      + 'environment, or let records open in a tab.',
    button: 'Open in a tab',
  },
  config: {
    grave: true,
    text: 'This page is not set up yet. Please tell your administrator.',
    button: 'Try again',
  },
  attributes: {
    text: 'Nothing has been heard of the customer yet. You can search while the contact goes on.',
    button: 'Search the customer',
  },
  address: {
    text: 'An address that came with this contact does not belong to your Dynamics environment '
      + 'or to this contact. It was not opened.',
    button: 'Hide this notice',
  },
};

/** The notices at the top of the page. */
export class Troubles {
  /**
   * @param {HTMLElement} region   Where they appear: what keeps the agent from working first.
   * @param {Partial<Record<Kind, () => void>>} actions   What the buttons do.
   */
  constructor(region, actions) {
    this.region = region;
    this.actions = actions;
    /** @type {Map<Kind, HTMLElement>} */
    this.shown = new Map();
  }

  /**
   * Shows a trouble, once.
   *
   * @param {Kind} kind
   * @param {string} [detail]   What exactly is wrong, for the administrator.
   */
  show(kind, detail) {
    if (this.shown.has(kind)) return;
    const element = drawn(kind, detail ?? TROUBLES[kind].hint ?? '', this.actions[kind]);
    this.shown.set(kind, element);
    if (TROUBLES[kind].grave) this.region.prepend(element);
    else this.region.append(element);
  }

  /** @param {Kind} kind   It is over. */
  clear(kind) {
    const element = this.shown.get(kind);
    this.shown.delete(kind);
    element?.remove();
  }

  /** @param {Kind[]} kinds  @returns {boolean}   Whether one of them is shown. */
  any(...kinds) {
    return kinds.some((kind) => this.shown.has(kind));
  }

  /**
   * @param {Kind} kind
   * @param {boolean} wrong   Whether there is that trouble now.
   */
  set(kind, wrong) {
    if (wrong) this.show(kind);
    else this.clear(kind);
  }
}

/**
 * @param {Kind} kind
 * @param {string} hint
 * @param {(() => void)|undefined} action
 * @returns {HTMLElement}
 */
function drawn(kind, hint, action) {
  const {text, button, grave} = TROUBLES[kind];
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
  element.append(words);
  if (action) {
    const press = document.createElement('button');
    press.type = 'button';
    press.textContent = button;
    press.addEventListener('click', action);
    element.append(press);
  }
  return element;
}
