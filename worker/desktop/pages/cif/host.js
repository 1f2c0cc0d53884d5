/** The panel inside Dynamics put together: softphone, framework, and what is shown. */

/** @import {Config} from '../core/types.js' */
/** @import {Listener, Softphone} from './link.js' */
/** @import {Line} from './desk.js' */
/** @import {Kind} from './troubles.js' */
/** @import {Dynamics} from './dynamics.js' */

import {Awaited} from './awaited.js';
import {clickedRecord} from './clicked.js';
import {Desk} from './desk.js';
import {Dialling} from './dialling.js';
import {attempted, Refused} from './dynamics.js';
import {Panel} from './panel.js';
import {Sessions} from './sessions.js';
import {sessionStore} from './storage.js';
import {Toasts} from './toasts.js';
import {Troubles} from './troubles.js';

const NOTICES = {
  format: 'This number is not called: it needs its country code, such as +49.',
  country: 'This number is not called: calls to its country are not allowed.',
  disabled: 'Numbers in Dynamics are not called from here: dialling is switched off.',
  failed: 'The softphone did not make the call. Try again, or dial there.',
  several: 'More than one record has this number, so a call will be bound to none of them.',
  ambiguous: 'Two calls to this number began at once, so neither was bound to the record that you clicked.',
  lost: 'No call to this number appeared, so none was bound to the record that you clicked.',
};

/** The panel, without what loads the library and the softphone. */
export class Host {
  /**
   * @param {Window} page
   * @param {Config} config
   * @param {(kind: Kind) => void} onButton  a trouble's button that is not the panel's own business
   */
  constructor(page, config, onButton) {
    this.page = page;
    this.config = config;
    this.appId = config.dynamics.appId;
    this.onButton = onButton;
    /** @type {Softphone | null} */
    this.softphone = null;
    /** @type {Dynamics | null} */
    this.dynamics = null;
    /** @type {Set<Kind>} notices that the agent hid, until their cause is over */
    this.hidden = new Set();
    this.store = sessionStore(page);
    this.troubles = new Troubles(this.#part('trouble'), (kind) => this.#pressed(kind));
    this.panel = new Panel(page.document, {
      onChoose: (contactId) => this.desk.openSession(contactId),
      onCall: () => void this.dialling.confirm(),
      onCancel: () => this.dialling.cancel(),
    });
    this.dialling = this.#newDialling();
    this.desk = this.#newDesk();
    page.setInterval(() => this.desk.tick(), 1000);
  }

  /**
   * Where the softphone tells its news.
   *
   * @returns {Listener}
   */
  get listener() {
    return {
      onSeen: (seen) => {
        this.dialling.seen(seen); // first: a call that the agent made opens the record they clicked
        this.desk.seen(seen);
      },
      onAgent: ({dialable}) => {
        this.dialling.allowed = dialable;
      },
      onView: (contactId) => this.desk.view(contactId),
      onTrouble: (kind) => this.trouble(/** @type {Kind} */ (kind), true),
      onWell: (kind) => this.trouble(/** @type {Kind} */ (kind), false),
    };
  }

  /**
   * The framework is there. Toasts and sessions need nothing but a Dynamics that answers at all: whatever else it refuses,
   * or leaves open, is done without.
   *
   * @param {Dynamics} dynamics
   * @throws {Refused} it answers nothing
   */
  async connect(dynamics) {
    this.dynamics = dynamics;
    const sessions = this.#newSessions(dynamics);
    const toasts = this.#newToasts(dynamics);
    const awaited = new Awaited({
      exists: (record, key) => dynamics.exists(record, key),
      onThere: () => this.desk.refresh(),
      onLate: () => this.trouble('record', true),
      onWell: () => this.trouble('record', false),
    });
    this.#listen(dynamics, sessions);
    await this.#reach(dynamics, sessions);
    const showPanel = () => void dynamics.showPanel().catch(() => undefined); // it is seen already, or cannot be moved
    this.sessions = sessions;
    this.awaited = awaited;
    this.desk.connect({sessions, toasts, awaited, showPanel});
  }

  /**
   * @param {Kind} kind
   * @param {boolean} wrong
   * @param {string} [text]
   * @param {string} [hint]
   */
  trouble(kind, wrong, text, hint) {
    if (!wrong) this.hidden.delete(kind);
    this.troubles.set(kind, wrong && !this.hidden.has(kind), text, hint);
  }

  /**
   * @param {Dynamics} dynamics
   * @param {Sessions} sessions
   */
  #listen(dynamics, sessions) {
    const on = (/** @type {string} */ event, /** @type {Parameters<Dynamics['on']>[1]} */ handler) => {
      void attempted(dynamics.on(event, handler));
    };
    on('onSessionSwitched', (event) => void sessions.switched(event));
    on('onSessionClosed', (event) => sessions.closed(event));
    on('onmodechanged', (event) => {
      this.page.document.body.dataset.mode = String(event.value ?? event.mode ?? '');
    });
    if (!this.config.dial.enabled) return;
    on('onclicktoact', (event) => {
      void dynamics.showPanel().catch(() => undefined); // as above
      this.trouble('dial', false);
      this.dialling.click(event);
    });
  }

  /**
   * Until Dynamics has answered one question; the other answers are taken as they come.
   *
   * @param {Dynamics} dynamics
   * @param {Sessions} sessions
   */
  async #reach(dynamics, sessions) {
    const focused = async () => {
      const session = await dynamics.focused();
      sessions.focused ||= session; // the agent may have turned to another meanwhile
    };
    const app = async () => {
      const {appId} = await dynamics.environment();
      this.appId ||= appId;
    };
    const clicks = this.config.dial.enabled ? [dynamics.allowClicks()] : [];
    try {
      await Promise.any([focused(), app(), ...clicks]);
    } catch {
      throw new Refused('getFocusedSession', 'no answer'); // each of them was refused
    }
  }

  #newDialling() {
    return new Dialling({
      enabled: this.config.dial.enabled,
      countries: this.config.dial.countries,
      dial: (number) => this.#phone('dial', number),
      find: async (click) => (
        this.dynamics ? clickedRecord(click, this.dynamics) : {record: click.record, several: false}
      ),
      text: async (record, column) => (await this.dynamics?.text(record, column)) ?? '',
      now: Date.now,
      ask: (question) => this.panel.ask(question),
      onNotice: (notice) => this.trouble('dial', true, NOTICES[notice]),
      onBound: () => this.desk.refresh(),
    });
  }

  #newDesk() {
    return new Desk({
      config: this.config,
      store: this.store,
      now: Date.now,
      show: (lines) => this.#show(lines),
      onTrouble: (kind, wrong) => this.trouble(kind, wrong),
      mark: (name) => this.#mark(name),
      clickedFor: (contactId) => this.dialling.customer(contactId),
    });
  }

  /** @param {Dynamics} dynamics */
  #newSessions(dynamics) {
    return new Sessions({
      dynamics,
      store: this.store,
      onTrouble: (kind, name) => this.#refused(kind, name),
      onWell: (kind) => this.trouble(kind, false),
      onChange: () => this.desk.refresh(),
      onOpened: (contactId) => this.#mark(`opened:${contactId}`),
      onFault: (error) => reportError(error),
    });
  }

  /** @param {Dynamics} dynamics */
  #newToasts(dynamics) {
    return new Toasts({
      dynamics,
      accept: (contactId) => this.#phone('accept', contactId),
      reject: (contactId) => this.#phone('reject', contactId),
      onTrouble: (kind, name) => this.#refused(kind, name),
      onWell: (kind) => this.trouble(kind, false),
      onShown: (contactId) => this.#mark(`toast:${contactId}`),
    });
  }

  /**
   * @param {Kind} kind
   * @param {string} name  of a template
   */
  #refused(kind, name) {
    const isTemplate = kind === 'template';
    const text = isTemplate ? `Dynamics has no template named ${name}, which this contact needs.` : undefined;
    const hint = isTemplate ? 'For the administrator: create it, or name the right one in the configuration.' : undefined;
    this.trouble(kind, true, text, hint);
  }

  /**
   * @param {'accept' | 'reject' | 'dial'} what
   * @param {string} argument
   */
  async #phone(what, argument) {
    if (!this.softphone) throw new Error('there is no softphone');
    await this.softphone[what](argument);
  }

  /** @param {Kind} kind */
  #pressed(kind) {
    if (kind === 'login' || kind === 'popup' || kind === 'session') this.softphone?.signIn();
    else if (kind === 'library' || kind === 'denied' || kind === 'config') this.page.location.reload();
    else if (kind === 'sessions' || kind === 'refused') this.#again(kind, () => this.sessions?.retry());
    else if (kind === 'record') this.#again(kind, () => this.awaited?.retry());
    else if (kind === 'frame' || kind === 'companion' || kind === 'window' || kind === 'cif') this.onButton(kind);
    else this.#hide(kind);
  }

  /**
   * @param {Kind} kind
   * @param {() => void} what
   */
  #again(kind, what) {
    this.trouble(kind, false);
    what();
  }

  /** @param {Kind} kind */
  #hide(kind) {
    if (kind === 'attributes') this.desk.showLate();
    if (kind === 'attributes' || kind === 'address') this.hidden.add(kind); // said anew each second while it lasts
    this.troubles.set(kind, false);
  }

  /** @param {Line[]} lines */
  #show(lines) {
    this.panel.show(lines, {...this.config.dynamics, appId: this.appId});
  }

  /** @param {string} name */
  #mark(name) {
    performance.mark(`connect-dynamics:${name}`);
  }

  /** @param {string} id */
  #part(id) {
    const element = this.page.document.getElementById(id);
    if (!element) throw new Error(`cif.html has no element #${id}`);
    return element;
  }
}
