/** Bringing an open session to what it should be: slugs at once, title and tabs while it is in front. */

/** @import {Dynamics} from './dynamics.js' */
/** @import {Held, Tab} from './held.js' */

import {attempted, carried, Refused} from './dynamics.js';
import {changed, missing, outstanding} from './held.js';

/**
 * @typedef {object} Completing
 * @property {() => void} onTab  which tabs are open has changed
 * @property {(kind: 'template' | 'refused', name: string) => void} onTrouble  `name` of the template
 */

/**
 * Do what Dynamics allows now. A tab opens in the focused session only, so the rest waits until the agent turns to it.
 *
 * @param {Held} held
 * @param {Dynamics} dynamics
 * @param {Completing} told
 */
export async function complete(held, dynamics, told) {
  const {plan} = held;
  if (held.stage !== 'open' || !plan) return;
  const slugs = changed(plan.parameters, held.told);
  if (slugs && (await carried(dynamics.inform(held.session, slugs)))) held.told = plan.parameters;
  if (!outstanding(held) || held.session !== (await attempted(dynamics.focused()))) return;
  if (plan.title !== held.title && (await carried(dynamics.entitle(held.session, plan)))) held.title = plan.title;
  for (const {template, what} of missing(held)) await openTab(held, template, what, dynamics, told);
}

/**
 * What kind of trouble a refusal is.
 *
 * @param {Refused} error
 * @returns {'template' | 'refused'}
 */
export function kindOf({why}) {
  return /template/i.test(why) ? 'template' : 'refused';
}

/**
 * @param {Held} held
 * @param {string} template
 * @param {Tab} what
 * @param {Dynamics} dynamics
 * @param {Completing} told
 */
async function openTab(held, template, what, dynamics, told) {
  if (!held.plan) return;
  held.tabs.add(what); // before it is asked for: a tab asked for twice may be there twice
  told.onTab();
  if (await dynamics.hasTab(template)) return;
  try {
    await dynamics.openTab(template, held.plan.parameters, what === 'customer');
  } catch (error) {
    if (!(error instanceof Refused)) throw error;
    if (held.session === (await attempted(dynamics.focused()))) told.onTrouble(kindOf(error), template);
    else held.tabs.delete(what); // the agent turned away meanwhile: when they come back
  }
}
