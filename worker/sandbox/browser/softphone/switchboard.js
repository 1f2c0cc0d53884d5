// @ts-check
/** Buttons that let customers call, write and hang up, and what goes on because of them. */

/** How often (ms) the contacts are looked at. */
const LOOK_MS = 1000;

/** @typedef {{id: string, channel: string, customer: string, state: string, over: boolean, answered: boolean}} Contact */
/** @typedef {{callers: string[], ways: Record<string, string>, agents: string[], contacts: Contact[]}} State */

/** What is on the page, as text, so that nothing is drawn anew that has not changed. */
let drawn = '';

/** @param {string} selector @returns {HTMLElement} */
function at(selector) {
  const found = document.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`no ${selector}`);
  return found;
}

/** @param {string} act @param {string} about */
async function press(act, about) {
  const answer = await fetch(`/switchboard/${act}?${new URLSearchParams({ about })}`, { method: 'POST' });
  at('#error').textContent = answer.ok ? '' : 'That contact is over.';
  await look();
}

/** @param {string} text @param {string} act @param {string} about */
function button(text, act, about) {
  const made = document.createElement('button');
  made.type = 'button';
  made.textContent = text;
  made.addEventListener('click', () => void press(act, about));
  return made;
}

/** @param {State} state */
function callers({ callers: kinds, ways }) {
  return kinds.map((kind) => {
    const group = document.createElement('fieldset');
    const name = document.createElement('legend');
    name.textContent = kind;
    group.append(name, ...Object.entries(ways).map(([act, text]) => button(text, act, kind)));
    return group;
  });
}

/** @param {Contact} contact */
function item(contact) {
  const made = document.createElement('li');
  const text = document.createElement('p');
  text.textContent = `${contact.channel}: ${contact.customer} ${contact.state}`;
  made.append(text);
  if (!contact.over) made.append(button('Customer ends it', 'hang_up', contact.id));
  if (!contact.over && contact.answered) made.append(button('Ask for transfer', 'transfer', contact.id));
  return made;
}

async function look() {
  const told = await (await fetch('/switchboard')).text();
  if (told === drawn) return;
  drawn = told;
  /** @type {State} */
  const state = JSON.parse(told);
  at('#agents').textContent = state.agents.length ? `Signed in: ${state.agents.join(', ')}` : 'No agent is signed in.';
  if (!at('#callers').hasChildNodes()) at('#callers').replaceChildren(...callers(state));
  at('#contacts').replaceChildren(...state.contacts.map(item));
}

async function watch() {
  try {
    await look();
  } catch (error) {
    at('#error').textContent = `The sandbox does not answer: ${error}`;
  }
  setTimeout(watch, LOOK_MS);
}

void watch();
