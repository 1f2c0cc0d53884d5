/**
 * The softphone in a window of its own, and the panel that commands it, both of our origin.
 *
 * The panel lives in a frame of Dynamics, so the two have partitioned storage and channels: what reaches is the window
 * that was opened and a message port between them. All of it is in memory; nothing is stored.
 *
 * The window says that it is there, each second, to whoever opened it; the panel answers with a port, once for each load
 * of either. So both may be reloaded.
 */

/** @import {Seen} from '../core/types.js' */

const HERE = 'connect-dynamics:softphone-here';
const PORT = 'connect-dynamics:softphone-port';
const NAME = 'connect-dynamics-softphone';
const FEATURES = 'popup,width=400,height=640';
const EACH_MS = 1000;

/**
 * @typedef {object} Agent
 * @property {string} name
 * @property {string} state
 * @property {string[]} dialable  countries that may be called
 *
 * @typedef {object} Softphone
 * @property {(contactId: string) => Promise<unknown>} accept
 * @property {(contactId: string) => Promise<unknown>} reject
 * @property {(number: string) => Promise<unknown>} dial
 * @property {() => void} signIn
 *
 * @typedef {object} Listener
 * @property {(seen: Seen[]) => void} onSeen
 * @property {(agent: Agent) => void} onAgent
 * @property {(contactId: string) => void} onView
 * @property {(kind: string) => void} onTrouble
 * @property {(kind: string) => void} onWell
 *
 * @typedef {{command: 'accept' | 'reject' | 'dial' | 'signIn', argument: string, number: number}} Command
 * @typedef {{reply: number, done: boolean}} Reply
 * @typedef {{event: keyof Listener, data: unknown}} News
 */

/**
 * In the softphone's window: offer the softphone to the panel.
 *
 * @param {Window} page
 * @param {Softphone} softphone
 * @returns {Listener} to tell the panel by
 */
export function offered(page, softphone) {
  const id = crypto.randomUUID();
  /** @type {MessagePort | null} */
  let port = null;
  /** @type {Map<keyof Listener, unknown>} the latest of each, for a panel that comes later */
  const latest = new Map();
  const tell = (/** @type {keyof Listener} */ event) => (/** @type {unknown} */ data) => {
    latest.set(event, data);
    port?.postMessage({event, data});
  };
  page.addEventListener('message', ({data, origin, source, ports}) => {
    if (origin !== page.location.origin || source !== page.opener || data?.type !== PORT || data.id !== id) return;
    port?.close();
    port = ports[0] ?? null;
    if (!port) return;
    port.onmessage = async (message) => port?.postMessage(await carriedOut(softphone, message.data));
    for (const [event, known] of latest) port.postMessage({event, data: known});
  });
  const say = () => page.opener?.postMessage({type: HERE, id}, page.location.origin);
  page.setInterval(say, EACH_MS);
  say();
  return {
    onSeen: tell('onSeen'), onAgent: tell('onAgent'), onView: tell('onView'), onTrouble: tell('onTrouble'),
    onWell: tell('onWell'),
  };
}

/**
 * @param {Softphone} softphone
 * @param {Command} command
 * @returns {Promise<Reply>}
 */
async function carriedOut(softphone, {command, argument, number}) {
  try {
    if (command === 'signIn') softphone.signIn();
    else if (command === 'accept' || command === 'reject' || command === 'dial') await softphone[command](argument);
    else return {reply: number, done: false};
    return {reply: number, done: true};
  } catch {
    return {reply: number, done: false}; // why is for the softphone to show; the panel has a sentence of its own
  }
}

/** In the panel: a softphone in a window of its own. */
export class Companion {
  /**
   * @param {Window} page
   * @param {Listener} listener
   * @param {(here: boolean) => void} onHere  whether the window is there
   */
  constructor(page, listener, onHere) {
    this.page = page;
    this.listener = listener;
    this.onHere = onHere;
    this.id = '';
    /** @type {Window | null} */
    this.window = null;
    /** @type {MessagePort | null} */
    this.port = null;
    this.count = 0;
    /** @type {Map<number, {resolve: () => void, reject: (error: Error) => void}>} */
    this.replies = new Map();
    page.addEventListener('message', (message) => this.#heard(message));
    page.setInterval(() => this.#look(), EACH_MS);
  }

  /**
   * Open the window, or bring it to the front. It is never loaded again, which would end a call: the address has a
   * fragment, so for a window that shows it already this is a move within its page.
   *
   * @param {string} address  of companion.html
   * @returns {boolean} whether there is a window that can be reached from here
   */
  open(address) {
    if (!this.window || this.window.closed) this.window = this.page.open(`${address}#softphone`, NAME, FEATURES);
    this.window?.focus();
    return this.window !== null;
  }

  /** @returns {Softphone} */
  get softphone() {
    return {
      accept: (contactId) => this.#command('accept', contactId),
      reject: (contactId) => this.#command('reject', contactId),
      dial: (number) => this.#command('dial', number),
      signIn: () => {
        this.window?.focus();
        void this.#command('signIn', '').catch(() => this.onHere(false));
      },
    };
  }

  /** @param {MessageEvent} message */
  #heard({data, origin, source}) {
    if (origin !== this.page.location.origin || data?.type !== HERE || typeof data.id !== 'string') return;
    if (!source || source === this.page || data.id === this.id) return;
    if (this.window && !this.window.closed && source !== this.window) return; // one softphone at a time
    this.#close();
    this.id = data.id;
    this.window = /** @type {Window} */ (source);
    const {port1, port2} = new MessageChannel();
    this.port = port1;
    port1.onmessage = (answer) => this.#told(answer.data);
    this.window.postMessage({type: PORT, id: data.id}, {targetOrigin: origin, transfer: [port2]});
    this.onHere(true);
  }

  /** @param {Reply | News} told */
  #told(told) {
    if ('reply' in told) {
      const waiting = this.replies.get(told.reply);
      this.replies.delete(told.reply);
      if (told.done) waiting?.resolve();
      else waiting?.reject(new Error('the softphone refused'));
    } else if (Object.hasOwn(this.listener, told.event)) {
      /** @type {(data: never) => void} */ (this.listener[told.event])(/** @type {never} */ (told.data));
    }
  }

  /**
   * @param {Command['command']} command
   * @param {string} argument
   * @returns {Promise<void>}
   */
  #command(command, argument) {
    const number = ++this.count;
    return new Promise((resolve, reject) => {
      if (!this.port) return reject(new Error('the softphone is not there'));
      this.replies.set(number, {resolve, reject});
      this.port.postMessage({command, argument, number});
    });
  }

  #look() {
    if (!this.window?.closed) return;
    this.window = null;
    this.id = '';
    this.#close();
    this.onHere(false);
  }

  #close() {
    this.port?.close();
    this.port = null;
    for (const {reject} of this.replies.values()) reject(new Error('the softphone is gone'));
    this.replies.clear();
  }
}
