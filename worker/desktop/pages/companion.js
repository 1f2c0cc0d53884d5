/** The softphone in a window of its own, for the panel inside Dynamics where it cannot be framed. */

import {configuration} from './agent/configuration.js';
import {offered} from './cif/link.js';
import {TROUBLES, Troubles} from './cif/troubles.js';
import {startSoftphone} from './softphone.js';

/** @import {Config} from './core/types.js' */
/** @import {Softphone} from './cif/link.js' */
/** @import {Kind} from './cif/troubles.js' */

const region = document.getElementById('trouble') ?? document.body;
const container = document.getElementById('softphone') ?? document.body;

/** @param {Config} config */
function start(config) {
  /** @type {Softphone | null} */
  let softphone = null;
  const missing = () => Promise.reject(new Error('the softphone has not started'));
  const panel = offered(window, {
    accept: (contactId) => softphone?.accept(contactId) ?? missing(),
    reject: (contactId) => softphone?.reject(contactId) ?? missing(),
    dial: (number) => softphone?.dial(number) ?? missing(),
    signIn: () => softphone?.signIn(),
  });
  const troubles = new Troubles(region, (kind) => pressed(kind));
  const pressed = (/** @type {Kind} */ kind) => {
    if (kind === 'other-page') troubles.set(kind, false);
    else if (kind === 'frame' || kind === 'library' || kind === 'denied') location.reload();
    else softphone?.signIn();
  };
  softphone = startSoftphone({
    connect: Reflect.get(globalThis, 'connect'),
    container, config,
    onSeen: (seen) => panel.onSeen(seen),
    onAgent: (agent) => panel.onAgent(agent),
    onView: (contactId) => panel.onView(contactId),
    onTrouble: (kind) => {
      say(troubles, kind, true);
      panel.onTrouble(kind);
    },
    onWell: (kind) => {
      say(troubles, kind, false);
      panel.onWell(kind);
    },
    now: Date.now,
  });
}

/**
 * @param {Troubles} troubles
 * @param {Kind} kind
 * @param {boolean} wrong
 */
function say(troubles, kind, wrong) {
  const text = kind === 'frame' ? 'The softphone does not appear. Sign in to Amazon Connect, then load this window again.' : undefined;
  troubles.set(kind, wrong, text);
}

const note = document.getElementById('note');
if (note && !window.opener) note.textContent = 'This window is not connected to Dynamics: calls work, notifications and sessions do not appear.';

const answer = await configuration(fetch, window.isSecureContext);
if ('config' in answer) {
  start(answer.config);
} else {
  const troubles = new Troubles(region, () => location.reload());
  troubles.set('config', true, TROUBLES.config.text, `For the administrator: ${answer.wrong}.`);
}
