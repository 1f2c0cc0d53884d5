/**
 * The panel inside Dynamics (Channel Integration Framework 2): softphone, toasts and sessions.
 *
 * Softphone and framework start side by side, and neither waits for the other: without Dynamics the agent can still take
 * calls.
 */

/** @import {Config} from './core/types.js' */
/** @import {Framework} from './cif/types.js' */
/** @import {Kind} from './cif/troubles.js' */

import {configuration, fromProvider} from './cif/configuration.js';
import {Dynamics, Refused} from './cif/dynamics.js';
import {Host} from './cif/host.js';
import {loadLibrary} from './cif/library.js';
import {Companion} from './cif/link.js';
import {TROUBLES, Troubles} from './cif/troubles.js';
import {startSoftphone} from './softphone.js';

const COMPANION = new URL('companion.html', location.href).href;

/** The parts that one page has once. */
class Page {
  /**
   * @param {Config} config
   * @param {() => void} retryLibrary
   */
  constructor(config, retryLibrary) {
    this.config = config;
    this.retryLibrary = retryLibrary;
    this.host = new Host(window, config, (kind) => this.pressed(kind));
    /** @type {Companion | null} */
    this.companion = null;
    document.getElementById('show-softphone')?.addEventListener('click', () => this.openCompanion());
  }

  /** The softphone in this page, or in the window that the address asks for. */
  start() {
    if (new URLSearchParams(location.search).get('companion') === '1') this.useCompanion();
    else this.frame();
  }

  frame() {
    const {listener} = this.host;
    // A softphone that is replaced by a window is left alone from then on.
    const isCurrent = () => this.companion === null;
    this.host.softphone = startSoftphone({
      connect: Reflect.get(globalThis, 'connect'),
      container: part('softphone'),
      config: this.config,
      onSeen: (seen) => isCurrent() && listener.onSeen(seen),
      onAgent: (agent) => isCurrent() && listener.onAgent(agent),
      onView: (contactId) => isCurrent() && listener.onView(contactId),
      onTrouble: (kind) => isCurrent() && listener.onTrouble(kind),
      onWell: (kind) => isCurrent() && listener.onWell(kind),
      now: Date.now,
      popup: (address, name, features) => window.open(address, name, features),
    });
  }

  /** From now on the softphone runs in a window of its own. */
  useCompanion() {
    if (this.companion) return;
    const {host} = this;
    const {listener} = host;
    const own = (/** @type {string} */ kind) => kind === 'login' || kind === 'session' || kind === 'denied';
    this.companion = new Companion(window, {
      ...listener,
      // Of its other troubles the window tells the agent itself.
      onTrouble: (kind) => own(kind) && listener.onTrouble(kind),
      onWell: (kind) => own(kind) && listener.onWell(kind),
    }, (here) => {
      part('phone').dataset.window = here ? 'here' : 'away';
      host.trouble('companion', !here);
      if (here) host.trouble('window', false);
    });
    host.softphone = this.companion.softphone;
    part('softphone').replaceWith(emptySoftphone());
    part('phone').dataset.window = 'away';
    for (const kind of /** @type {Kind[]} */ (['frame', 'login', 'popup', 'session'])) host.trouble(kind, false);
    host.trouble('companion', true);
  }

  openCompanion() {
    if (!this.companion) return;
    const reached = this.companion.open(COMPANION);
    this.host.trouble('window', !reached);
    if (!reached) this.host.trouble('companion', false);
  }

  /** @param {Kind} kind */
  pressed(kind) {
    if (kind === 'cif') {
      this.host.trouble('cif', false);
      this.retryLibrary();
      return;
    }
    this.useCompanion();
    this.openCompanion();
  }
}

/**
 * @param {string} id
 * @returns {HTMLElement}
 */
function part(id) {
  const element = document.getElementById(id);
  if (!element) throw new Error(`cif.html has no element #${id}`);
  return element;
}

/** @returns {HTMLElement} */
function emptySoftphone() {
  const element = document.createElement('div');
  element.id = 'softphone';
  element.hidden = true;
  return element;
}

/**
 * @param {string} wrong  for the administrator
 */
function sayWrong(wrong) {
  const troubles = new Troubles(part('trouble'), () => location.reload());
  troubles.set('config', true, TROUBLES.config.text, `For the administrator: ${wrong}.`);
}

/**
 * @param {Page} page
 * @param {Framework} framework
 */
async function connect(page, framework) {
  try {
    await page.host.connect(new Dynamics(framework));
    page.host.trouble('cif', false);
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    page.host.trouble('cif', true);
    page.retryLibrary = () => void connect(page, framework);
  }
}

/** The page starts without a configuration of its own: the provider's is asked for first. */
async function startByProvider(/** @type {string} */ organization) {
  const troubles = new Troubles(part('trouble'), () => library.retry());
  const library = loadLibrary(window, organization, () => troubles.set('cif', true));
  const framework = await library.ready;
  troubles.set('cif', false);
  const {customParameters} = await new Dynamics(framework).environment();
  const answer = fromProvider(customParameters, organization);
  if ('wrong' in answer) return sayWrong(answer.wrong);
  const page = new Page(answer.config, () => undefined);
  page.start();
  await connect(page, framework);
}

async function main() {
  const found = await configuration((path, options) => fetch(path, options));
  if ('wrong' in found) return sayWrong(found.wrong);
  if ('organization' in found) return startByProvider(found.organization);
  const library = loadLibrary(window, found.config.dynamics.url, () => page.host.trouble('cif', true));
  const page = new Page(found.config, () => library.retry());
  page.start();
  await connect(page, await library.ready);
}

await main();
