/**
 * Amazon Connect's softphone in a frame, by amazon-connect-streams: its snapshots as the core takes
 * them, what the agent may do, and what is the matter with it.
 *
 * Ids are kept, never the library's contact objects: those are views of the newest snapshot, and
 * throw once the contact is gone.
 *
 * @import {Config, Seen} from './core/types.js'
 * @import {Answered, Snapshot} from './core/seen.js'
 *
 * @typedef {'library'|'frame'|'login'|'popup'|'session'|'other-page'|'denied'} Trouble
 *   library: the script is not there, or cannot start. login: the agent has to sign in. popup: the
 *   browser has blocked the window to sign in with. frame: the softphone does not answer, although
 *   the agent had the time to sign in: it may not be framed here. session: the agent was signed out
 *   in mid-work. other-page: another page of this browser runs the softphone too. denied: Amazon
 *   Connect refuses the agent.
 *
 * @typedef {object} Surroundings
 * @property {typeof connect|undefined} connect   The library, undefined if it was not loaded.
 * @property {HTMLElement} container   Where its frame goes; at least 320 by 460 pixels.
 * @property {Config} config
 * @property {(seen: Seen[]) => void} onSeen   All contacts, at each of the softphone's snapshots.
 * @property {(agent: {name: string, state: string, dialable: string[]}) => void} onAgent
 *   The agent, when one of these has changed; dialable: countries as two lower-case letters.
 * @property {(id: string) => void} onView   The contact that the agent has chosen, '' for none.
 * @property {(kind: Trouble) => void} onTrouble   Something has begun to be the matter.
 * @property {(kind: Trouble) => void} onWell   It no longer is.
 * @property {() => number} now   The time in ms since 1970.
 * @property {(url: string, name: string, features: string) => Window|null} [popup]
 *   Opens a window; `window.open` if there is none.
 *
 * @typedef {object} Controls   All reject with an Error whose message is for developers.
 * @property {(id: string) => Promise<void>} accept
 * @property {(id: string) => Promise<void>} reject
 * @property {(number: string) => Promise<void>} dial   An E.164 number, see ./core/dial.js.
 * @property {() => void} signIn   To be called out of a click, so that no window is blocked.
 */

import {look} from './core/seen.js';
import {SignIn} from './signin.js';
import {onlyFrom} from './origin.js';

/** How long the softphone may take to answer a request (ms). */
const ANSWER_MS = 10_000;

/**
 * Put the softphone in its place and follow it. To be called once for a page.
 *
 * @param {Surroundings} around
 * @returns {Controls}
 */
export function startSoftphone(around) {
  if (!around.connect?.core?.initCCP) return withoutLibrary(around);
  const troubles = new Troubles(around);
  const softphone = new Softphone(around.connect, around, troubles);
  try {
    softphone.start();
  } catch {
    // The library checks what it is given, and says so by throwing.
    return withoutLibrary(around);
  }
  return {
    accept: (id) => softphone.accept(id),
    reject: (id) => softphone.reject(id),
    dial: (number) => softphone.dial(number),
    signIn: () => softphone.signIn.open(),
  };
}

/**
 * @param {Surroundings} around
 * @returns {Controls}
 */
function withoutLibrary(around) {
  around.onTrouble('library');
  const missing = () => Promise.reject(new Error('the softphone was not loaded'));
  return {accept: missing, reject: missing, dial: missing, signIn: () => undefined};
}

/** What is the matter now; each kind is told once when it begins and once when it ends. */
class Troubles {
  /** @param {Pick<Surroundings, 'onTrouble'|'onWell'>} around */
  constructor(around) {
    this.around = around;
    /** @type {Set<Trouble>} */
    this.now = new Set();
  }

  /** @param {Trouble} kind */
  begin(kind) {
    if (this.now.has(kind)) return;
    this.now.add(kind);
    this.around.onTrouble(kind);
  }

  /** @param {...Trouble} kinds */
  end(...kinds) {
    for (const kind of kinds) {
      if (this.now.delete(kind)) this.around.onWell(kind);
    }
  }
}

class Softphone {
  /**
   * @param {typeof connect} connect
   * @param {Surroundings} around
   * @param {Troubles} troubles
   */
  constructor(connect, around, troubles) {
    this.connect = connect;
    this.around = around;
    this.troubles = troubles;
    this.signIn = new SignIn(connect, around, troubles);
    /** @type {Snapshot|null} */
    this.snapshot = null;
    /** @type {Answered} */
    this.answered = {offered: [], accepted: []};
    this.agent = '';
  }

  start() {
    const {connect, around: {config, container}} = this;
    // Its log tells numbers, names and attributes; they have no place in a browser's console.
    connect.getLog().setEchoLevel(connect.LogLevel.CRITICAL);
    onlyFrom(new URL(config.connect.ccpUrl).origin, container);
    this.signIn.watch();
    connect.core.initCCP(container, {
      ccpUrl: config.connect.ccpUrl,
      region: config.connect.region,
      loginPopup: true,
      loginPopupAutoClose: true,
      loginOptions: {autoClose: true, width: 480, height: 640, top: 40, left: 40},
      softphone: {allowFramedSoftphone: config.connect.softphone},
      ...(config.connect.loginUrl ? {loginUrl: config.connect.loginUrl} : {}),
    });
    this.subscribe();
  }

  subscribe() {
    const {AgentEvents, ContactEvents, EventType} = this.connect;
    this.on(AgentEvents.UPDATE, (data) => this.update(data));
    this.on(ContactEvents.ACCEPTED, (data) => this.acceptedSomewhere(String(data?.contactId ?? '')));
    this.on(ContactEvents.VIEW, (data) => this.around.onView(String(data?.contactId ?? '')));
    this.on(EventType.UPDATE_CONNECTED_CCPS, (data) => this.pages(Number(data?.length ?? 0)));
    this.on(EventType.ACKNOWLEDGE, () => this.signIn.answered());
    this.on(EventType.ACK_TIMEOUT, () => this.signIn.unanswered());
    this.on(EventType.IFRAME_RETRIES_EXHAUSTED, () => this.signIn.exhausted());
    this.on(EventType.ACCESS_DENIED, () => this.troubles.begin('denied'));
    for (const lost of SESSION_LOST) this.on(lost, () => this.troubles.begin('session'));
  }

  /**
   * Subscribe to what comes from the softphone. The library catches what a subscriber throws and
   * keeps it to itself, so errors are thrown where the browser reports them.
   *
   * @param {string} event
   * @param {(data: any) => void} act
   */
  on(event, act) {
    this.connect.core.getEventBus().subscribe(event, (/** @type {any} */ data) => {
      try {
        act(data);
      } catch (error) {
        setTimeout(() => { throw error; }, 0);
      }
    });
  }

  /** @param {{snapshot: Snapshot, configuration?: any}} data */
  update(data) {
    // Only a softphone with a session has news of the agent.
    this.troubles.end('session', 'denied');
    this.signIn.answered();
    this.snapshot = data.snapshot;
    this.tellAgent(data);
    this.tell();
  }

  tell() {
    if (!this.snapshot) return;
    const {seen, answered} = look(this.snapshot, this.answered, this.around.now());
    this.answered = answered;
    this.around.onSeen(seen);
  }

  /** @param {{snapshot: any, configuration?: any}} data */
  tellAgent({snapshot, configuration}) {
    const countries = Array.isArray(configuration?.dialableCountries)
      ? configuration.dialableCountries : [];
    const agent = {
      name: String(configuration?.name ?? ''),
      state: String(snapshot?.state?.name ?? ''),
      dialable: countries.map((/** @type {unknown} */ country) => String(country).toLowerCase()),
    };
    const text = JSON.stringify(agent);
    if (text === this.agent) return;
    this.agent = text;
    this.around.onAgent(agent);
  }

  /** @param {string} id   Of a contact that was accepted in this page, or in another. */
  acceptedSomewhere(id) {
    if (!id || this.answered.accepted.includes(id)) return;
    this.answered = {...this.answered, accepted: [...this.answered.accepted, id]};
    this.tell();
  }

  /** @param {number} count   How many pages of this browser run the softphone. */
  pages(count) {
    if (count > 1) this.troubles.begin('other-page');
    else this.troubles.end('other-page');
  }

  /** @param {string} id */
  accept(id) {
    return this.answer((callbacks) => this.contact(id).accept(callbacks));
  }

  /** @param {string} id */
  reject(id) {
    return this.answer((callbacks) => this.contact(id).reject(callbacks));
  }

  /** @param {string} number */
  dial(number) {
    const {Agent, Endpoint} = this.connect;
    return this.answer((callbacks) => {
      const options = {...callbacks, timeout: ANSWER_MS};
      new Agent().connect(Endpoint.byPhoneNumber(number), options);
    });
  }

  /** @param {string} id */
  contact(id) {
    const contacts = new this.connect.Agent().getContacts();
    const found = contacts.find((contact) => contact.getContactId() === id);
    if (!found) throw new Error('the contact is no longer there');
    return found;
  }

  /**
   * Ask something of the softphone. Its answers can get lost, so they are not waited for for ever.
   *
   * @param {(callbacks: {success: () => void, failure: (why?: unknown) => void}) => void} ask
   * @returns {Promise<void>}
   */
  answer(ask) {
    return new Promise((resolve, reject) => {
      const late = setTimeout(() => reject(new Error('the softphone does not answer')), ANSWER_MS);
      const settle = (/** @type {() => void} */ how) => () => {
        clearTimeout(late);
        how();
      };
      try {
        ask({
          success: settle(resolve),
          // What it says may name numbers.
          failure: settle(() => reject(new Error('the softphone refuses'))),
        });
      } catch (error) {
        settle(() => reject(error))();
      }
    });
  }
}

/** Events that say that the agent's session is over; connect.EventType by their values. */
const SESSION_LOST = [
  'auth_fail', 'terminated', 'authorize_retries_exhausted', 'cti_authorize_retries_exhausted',
];
