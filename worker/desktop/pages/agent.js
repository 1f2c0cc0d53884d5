/**
 * The agent page: Amazon Connect's softphone beside the Dynamics record of its contact. The record
 * opens in one browser tab, or in a frame of this page.
 *
 * @import {Config, Seen} from './core/types.js'
 * @import {Kind} from './agent/troubles.js'
 */

import {recordId} from './core/record.js';
import {Contacts, write} from './agent/contacts.js';
import {Desk} from './agent/desk.js';
import {Frames} from './agent/frames.js';
import {configuration} from './agent/configuration.js';
import {keep, recall} from './agent/memory.js';
import {refusal} from './agent/opening.js';
import {idle, left, paint, panel} from './agent/panel.js';
import {RecordTab} from './agent/tab.js';
import {Troubles} from './agent/troubles.js';
import {agentState} from './agent/words.js';
import {startSoftphone} from './softphone.js';

/** How often the page looks whether something has become due, or its tab was closed (ms). */
const LOOK_MS = 500;

/** Window of the softphone where it cannot be framed. */
const SOFTPHONE_WINDOW = 'connect-dynamics-softphone';

class AgentPage {
  /** @param {Config} config */
  constructor(config) {
    this.config = config;
    const store = storage();
    const remembered = recall(store);
    this.tab = new RecordTab((href, name) => window.open(href, name), Date.now, remembered.tab);
    this.frames = new Frames(part('frames'), part('frame-check'));
    const choose = (/** @type {string} */ id) => this.desk.choose(id);
    this.contacts = new Contacts(part('contacts'), part('contact-list'), choose);
    this.troubles = new Troubles(part('trouble'), this.actions());
    /** @type {Set<string>}   Contacts whose notice of a refused address the agent has hidden. */
    this.hidden = new Set();
    /** @type {{signIn: () => void}|null} */
    this.softphone = null;
    this.agent = '';
    this.desk = new Desk(config, remembered, {
      now: Date.now,
      openTab: (_id, href) => this.openTab(href),
      openFrame: (id, href) => this.frames.load(id, href),
      keep: (what) => keep(store, what),
      recordId,
      mark: (name) => { performance.mark(name); },
      changed: () => this.show(),
    });
  }

  start() {
    part('open-tab').addEventListener('click', () => this.openByHand());
    part('second').addEventListener('click', () => this.second());
    document.addEventListener('securitypolicyviolation', (event) => this.violated(event));
    this.softphone = startSoftphone({
      connect: Reflect.get(globalThis, 'connect'),
      container: part('softphone'),
      config: this.config,
      onSeen: (seen) => this.desk.see(seen),
      onAgent: (agent) => this.showAgent(agent),
      onView: (id) => this.desk.choose(id),
      onTrouble: (kind) => this.trouble(kind, true),
      onWell: (kind) => this.trouble(kind, false),
      now: Date.now,
    });
    setInterval(() => this.desk.refresh(), LOOK_MS);
    this.show();
  }

  /** @returns {Record<Kind, () => void>} */
  actions() {
    const signIn = () => this.softphone?.signIn();
    const again = () => location.reload();
    return {
      library: again, denied: again, config: again,
      login: signIn, popup: signIn, session: signIn,
      frame: () => {
        window.open(this.config.connect.ccpUrl, SOFTPHONE_WINDOW, 'width=400,height=640');
      },
      'other-page': () => this.troubles.clear('other-page'),
      tab: () => this.openByHand(),
      'dynamics-frame': () => this.openByHand(),
      attributes: () => this.search(),
      address: () => {
        this.hidden.add(this.desk.inView);
        this.show();
      },
    };
  }

  /** @param {{name: string, state: string}} agent */
  showAgent({name, state}) {
    this.agent = name || 'Agent';
    write(part('agent-name'), this.agent);
    write(part('agent-state'), agentState(state));
    this.show();
  }

  /**
   * @param {Kind} kind
   * @param {boolean} wrong
   */
  trouble(kind, wrong) {
    this.troubles.set(kind, wrong);
    this.show();
  }

  /** @param {string} href  @returns {boolean} */
  openTab(href) {
    const shown = this.tab.show(href);
    this.troubles.set('tab', !shown);
    if (shown) this.desk.remember({tab: true});
    return shown;
  }

  /** The button: the record of the contact in view; else Dynamics itself. */
  openByHand() {
    const entry = this.desk.current;
    const {frames} = this;
    const page = entry ? this.desk.wanted(entry) || entry.page : frames.href(frames.inView);
    if (!page && this.tab.state() === 'ready') this.tab.front();
    else if (this.openTab(page || this.home()) && entry && page) this.desk.note(entry, page);
    this.show();
  }

  /** The second button: a better page than the one that is framed; else the search. */
  second() {
    const entry = this.desk.current;
    if (!entry) return;
    const better = !entry.target.tab && this.desk.moved(entry);
    this.go(better ? this.desk.wanted(entry) : this.desk.searchPage(entry));
  }

  /** The search for the customer of the contact in view. */
  search() {
    const entry = this.desk.current;
    if (entry) this.go(this.desk.searchPage(entry));
  }

  /** @param {string} page   For the contact in view, where its pages open; '' none. */
  go(page) {
    const entry = this.desk.current;
    if (!entry || !page) return;
    if (!entry.target.tab) this.frames.load(entry.seen.id, page);
    else if (!this.openTab(page)) return;
    this.desk.note(entry, page);
    this.show();
  }

  /** @returns {string}   Address of the environment, where the agent signs in. */
  home() {
    const {url, appId} = this.config.dynamics;
    return appId ? `${url}/main.aspx?appid=${appId}` : `${url}/main.aspx`;
  }

  /** @param {SecurityPolicyViolationEvent} event */
  violated(event) {
    if (event.effectiveDirective !== 'frame-src' || !URL.canParse(event.blockedURI)) return;
    const {origin} = new URL(event.blockedURI);
    if (origin === this.config.dynamics.url) this.troubles.show('dynamics-frame');
  }

  show() {
    const {desk} = this;
    const entry = desk.current;
    this.contacts.show([...desk.entries.values()], desk.inView);
    const late = entry !== null && desk.late(entry);
    const refused = entry !== null && refusal(entry.target, late) !== '';
    this.troubles.set('attributes', late);
    this.troubles.set('address', refused && !this.hidden.has(desk.inView));
    part('agent').hidden = !this.words()[1];
    this.showFrame();
    paint(this.panel(late));
    document.title = title([...desk.entries.values()].map(({seen}) => seen));
  }

  /** A frame stays after its contact is over, until there is another contact. */
  showFrame() {
    const {desk, frames} = this;
    if (desk.inView) frames.view(desk.inView);
    frames.keep((id) => desk.entries.has(id) || id === frames.inView);
  }

  /** @param {boolean} late */
  panel(late) {
    const {desk} = this;
    const entry = desk.current;
    const state = this.tab.state();
    // After a reload, a tab that was lost is not said to be there.
    if (desk.remembered.tab && (state === 'closed' || state === 'cut')) desk.remember({tab: false});
    const framed = this.frames.href(this.frames.inView);
    if (!entry) return framed ? left(framed) : idle(...this.words(), this.config.open.tab, state);
    return panel({
      seen: entry.seen, target: entry.target, reason: desk.reason(entry), late,
      tab: entry.target.tab, opened: desk.opened(entry), refused: entry.refused,
      moved: desk.moved(entry), page: entry.page,
      away: entry.page !== '' && this.tab.href !== entry.page,
    }, state);
  }

  /** @returns {[string, boolean]}   What there is to say without a contact; whether signed in. */
  words() {
    if (this.troubles.any('login', 'popup', 'session')) return ['Sign in to Amazon Connect', false];
    const missing = this.troubles.any('library', 'frame', 'denied');
    if (missing) return ['The softphone is not there', false];
    if (!this.agent) return ['Waiting for the softphone…', false];
    return ['No contact at the moment', true];
  }
}

/**
 * Never a name or a number: titles end up in the browser's history.
 *
 * @param {Seen[]} contacts
 * @returns {string}
 */
function title(contacts) {
  const ringing = contacts.some(({state}) => state === 'ringing');
  return ringing ? 'Ringing – Agent desktop' : 'Agent desktop';
}

/** @returns {Storage|null}   null where the browser forbids it. */
function storage() {
  try {
    return window.sessionStorage;
  } catch {
    return null; // A reload then opens the page of a contact again; everything else works.
  }
}

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
function part(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`agent.html has no element #${id}`);
  return element;
}

async function main() {
  const answer = await configuration(fetch, window.isSecureContext);
  if ('config' in answer) {
    new AgentPage(answer.config).start();
    return;
  }
  const reload = () => location.reload();
  const troubles = new Troubles(part('trouble'), {config: reload});
  troubles.show('config', `For the administrator: ${answer.wrong}.`);
  write(part('customer'), 'This page cannot start');
}

await main();
