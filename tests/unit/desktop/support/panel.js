/** The panel's parts put together as its page does, without a page. */

import {Awaited} from '../../../../worker/desktop/pages/cif/awaited.js';
import {clickedRecord} from '../../../../worker/desktop/pages/cif/clicked.js';
import {Desk} from '../../../../worker/desktop/pages/cif/desk.js';
import {Dialling} from '../../../../worker/desktop/pages/cif/dialling.js';
import {Dynamics} from '../../../../worker/desktop/pages/cif/dynamics.js';
import {Sessions} from '../../../../worker/desktop/pages/cif/sessions.js';
import {Toasts} from '../../../../worker/desktop/pages/cif/toasts.js';
import {configured} from './agent_page.js';
import {CustomerService} from './customer_service.js';

/** Storage that a reload keeps. */
export function storage() {
  const kept = new Map();
  return {kept, read: (key) => kept.get(key) ?? null, write: (key, text) => kept.set(key, text)};
}

/** Storage that a browser refuses to framed pages: each page has its own. */
export function noStorage() {
  return storage();
}

export class Panel {
  constructor({service = new CustomerService(), store = storage(), config = configured(), start = true, idle = true, patienceMs = 50} = {}) {
    this.service = service;
    this.store = store;
    this.config = config;
    this.now = 1_000_000;
    this.patienceMs = patienceMs;
    this.asked = []; // of the softphone
    this.refuses = false; // the softphone does
    this.troubles = new Map();
    this.lines = [];
    this.marks = [];
    this.questions = [];
    this.notices = [];
    this.faults = [];
    this.dialling = this.#dialling();
    this.desk = new Desk({
      config, store,
      now: () => this.now,
      show: (lines) => { this.lines = lines; },
      onTrouble: (kind, wrong) => this.#trouble(kind, wrong),
      mark: (name) => this.marks.push(name),
      clickedFor: (id) => this.dialling.customer(id),
    });
    if (start) this.connect();
    if (idle) this.desk.seen([]); // the softphone had no contact when the page was loaded
  }

  connect() {
    const dynamics = new Dynamics(this.service.framework, {limitMs: 200});
    this.dynamics = dynamics;
    this.toasts = new Toasts({
      dynamics,
      accept: (id) => this.#softphone('accept', id),
      reject: (id) => this.#softphone('reject', id),
      onTrouble: (kind, name) => this.#trouble(kind, true, name),
      onWell: (kind) => this.#trouble(kind, false),
    });
    this.sessions = new Sessions({
      dynamics, store: this.store, patienceMs: this.patienceMs,
      onTrouble: (kind, name) => this.#trouble(kind, true, name),
      onWell: (kind) => this.#trouble(kind, false),
      onChange: () => this.desk.refresh(),
      onOpened: (id) => this.marks.push(`opened:${id}`),
      onFault: (error) => this.faults.push(error),
    });
    this.awaited = new Awaited({
      exists: (record, key) => dynamics.exists(record, key),
      onThere: () => this.desk.refresh(),
      onLate: () => this.#trouble('record', true),
      onWell: () => this.#trouble('record', false),
    });
    void dynamics.on('onSessionSwitched', (event) => void this.sessions.switched(event));
    void dynamics.on('onSessionClosed', (event) => this.sessions.closed(event));
    void dynamics.on('onclicktoact', (event) => this.dialling.click(event));
    const showPanel = () => void dynamics.showPanel();
    this.desk.connect({toasts: this.toasts, sessions: this.sessions, awaited: this.awaited, showPanel});
  }

  /** The softphone shows these contacts; everything that follows at once has followed. */
  async see(...contacts) {
    this.dialling.seen(contacts);
    this.desk.seen(contacts);
    await settled();
  }

  async pass(seconds) {
    for (let second = 0; second < seconds; second += 1) {
      this.now += 1000;
      this.desk.tick();
      await settled();
    }
  }

  line(id) {
    return this.lines.find(({seen}) => seen.id === id);
  }

  #dialling() {
    return new Dialling({
      enabled: this.config.dial.enabled,
      countries: this.config.dial.countries,
      dial: (number) => this.#softphone('dial', number),
      find: (click) => clickedRecord(click, this.dynamics),
      text: async (record, column) => (await this.dynamics?.text(record, column)) ?? '',
      now: () => this.now,
      ask: (question) => this.questions.push(question),
      onNotice: (notice) => this.notices.push(notice),
      onBound: () => this.desk.refresh(),
    });
  }

  async #softphone(what, argument) {
    this.asked.push([what, argument]);
    if (this.refuses) throw new Error('refused');
  }

  #trouble(kind, wrong, name = '') {
    if (wrong) this.troubles.set(kind, name);
    else this.troubles.delete(kind);
  }
}

/** Everything that waits for nothing but other promises is done. */
export async function settled() {
  for (let round = 0; round < 12; round += 1) await new Promise(setImmediate);
}
