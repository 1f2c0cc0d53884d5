// @ts-check
/** What the agent sees of the softphone, and the buttons there are. */

const STATES = ['Available', 'Break', 'Offline'];
const RINGING = new Set(['incoming', 'connecting']);
const TALKING = new Set(['connected', 'paused']);

/** @typedef {(method: string, params: unknown) => Promise<{err?: string}>} Ask */

/** @param {string} selector @returns {HTMLElement} */
function at(selector) {
  const found = document.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`no ${selector}`);
  return found;
}

/** @param {string} text @param {() => Promise<{err?: string}>} act @param {string} [label] */
function button(text, act, label) {
  const made = document.createElement('button');
  made.type = 'button';
  made.textContent = text;
  if (label) made.setAttribute('aria-label', label);
  made.addEventListener('click', () => void said(act()));
  return made;
}

/** @param {Promise<{err?: string}>} answer */
async function said(answer) {
  const { err } = await answer;
  at('#error').textContent = err ?? '';
}

/** @param {any} contact */
function who(contact) {
  const customer = contact.connections.find((/** @type {any} */ connection) => connection.initial);
  return contact.name ?? customer?.endpoint.phoneNumber ?? contact.customerEndpoint?.address ?? customer?.chatMediaInfo?.customerName ?? '';
}

/** @param {any} contact @param {Ask} ask */
function buttons(contact, ask) {
  const contactId = contact.contactId;
  const state = contact.state.type;
  const agent = contact.connections[0];
  const accepted = agent.state.type !== 'connecting';
  const made = [];
  if (RINGING.has(state) && !accepted) {
    made.push(button('Accept', () => ask('acceptContact', { contactId })));
    made.push(button('Reject', () => ask('rejectContact', { contactId })));
  }
  if (TALKING.has(state) || (RINGING.has(state) && accepted)) {
    made.push(button('End', () => ask('destroyConnection', { contactId })));
    made.push(...helpers(contact, ask));
  }
  if (!RINGING.has(state) && !TALKING.has(state)) {
    made.push(button('Close contact', () => ask('clearContact', { contactId })));
  }
  made.push(button('View', () => ask('broadcast', { event: 'contact::view', data: { contactId } })));
  return made;
}

/** @param {any} contact @param {Ask} ask */
function helpers(contact, ask) {
  const contactId = contact.contactId;
  if (contact.type !== 'voice') return [];
  const held = contact.connections.some((/** @type {any} */ connection) => connection.state.type === 'hold');
  const hold = held
    ? button('Resume', () => ask('resumeConnection', { contactId }))
    : button('Hold', () => ask('holdConnection', { contactId }));
  return [hold, button('Ask a colleague', () => ask('createAdditionalConnection', { contactId, endpoint: { type: 'agent', name: '' } }))];
}

/** @param {any} contact @param {Ask} ask */
function item(contact, ask) {
  const made = document.createElement('li');
  made.dataset.contact = contact.contactId;
  made.dataset.state = contact.state.type;
  const text = document.createElement('p');
  text.textContent = `${contact.type} ${who(contact)} · ${contact.queue.name} · ${contact.state.type}`;
  made.append(text, ...buttons(contact, ask));
  return made;
}

/** What is shown, as text: buttons that have the focus are not drawn anew for nothing. */
let drawn = '';

/**
 * Show a snapshot.
 * @param {any} snapshot
 * @param {any} configuration
 * @param {Ask} ask
 */
export function show(snapshot, configuration, ask) {
  const told = JSON.stringify([snapshot.state, snapshot.agentAvailabilityState, snapshot.contacts]);
  if (told === drawn) return;
  drawn = told;
  at('#agent').textContent = configuration.name;
  at('#state').textContent = snapshot.state.name;
  at('#contacts').replaceChildren(...snapshot.contacts.map((/** @type {any} */ contact) => item(contact, ask)));
  const chosen = snapshot.agentAvailabilityState.state;
  at('#states').replaceChildren(
    ...STATES.map((name) => {
      const made = button(name, () => ask('putAgentState', { state: { name } }));
      made.setAttribute('aria-pressed', String(name === chosen));
      return made;
    }),
  );
  const form = at('#dial');
  if (!(form instanceof HTMLFormElement)) throw new Error('#dial is no form');
  form.onsubmit = (event) => {
    event.preventDefault();
    const phoneNumber = String(new FormData(form).get('number') ?? '').replaceAll(' ', '');
    void said(ask('createOutboundContact', { endpoint: { type: 'phone_number', phoneNumber } }));
  };
}
