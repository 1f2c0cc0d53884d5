// @ts-check
/** The softphone's page: shows the agent's state and speaks amazon-connect-streams' protocol. */

import { show } from './view.js';

/** Members of a snapshot that the library takes as Dates. */
const MOMENTS = new Set(['startTimestamp', 'timestamp', 'timeStamp', 'snapshotTimestamp', 'queueTimestamp', 'joinTime']);

const agent = document.documentElement.dataset.agent ?? '';
const root = `/agents/${encodeURIComponent(agent)}`;
const id = crypto.randomUUID();
const framed = window.parent !== window;

/** Whether the page around has been greeted. */
let greeted = false;
/** Whether there still is a session. */
let alive = true;

/**
 * @param {string} event
 * @param {unknown} data
 */
function tell(event, data) {
  if (framed) window.parent.postMessage({ event, data }, '*');
}

/**
 * @param {string} method
 * @param {unknown} params
 * @returns {Promise<{data?: unknown, err?: string}>}
 */
async function ask(method, params) {
  const body = JSON.stringify({ method, params: params ?? {} });
  const headers = { 'content-type': 'application/json' };
  let answer;
  try {
    answer = await fetch(`${root}/requests`, { method: 'POST', headers, body });
  } catch (error) {
    return { err: String(error) }; // the server is gone: whoever asked is told
  }
  if (answer.status === 401) {
    lose('auth_fail');
    return { err: 'UnauthorizedException' };
  }
  return answer.json();
}

/** @param {string} event */
function lose(event) {
  if (!alive) return;
  alive = false;
  stream.close();
  tell(event, {});
  document.body.textContent = 'You are signed out.';
}

/**
 * @param {string} name
 * @param {unknown} value
 */
function revived(name, value) {
  return MOMENTS.has(name) && typeof value === 'number' ? new Date(value) : value;
}

/** @param {{snapshot: any, configuration: any}} told */
function update({ snapshot, configuration }) {
  snapshot.localTimestamp = Date.now();
  snapshot.skew = snapshot.snapshotTimestamp - snapshot.localTimestamp;
  if (!greeted) {
    greeted = true;
    tell('acknowledge', { id });
  }
  tell('agent::update', { snapshot, configuration });
  show(snapshot, configuration, ask);
}

/** What the page around says, by event. @type {Record<string, (data: any) => void>} */
const heard = {
  synchronize: () => tell('acknowledge', { id }),
  broadcast: (data) => void ask('broadcast', data),
  api_request: async (data) => {
    const { data: given = null, err = null } = await ask(data.method, data.params);
    // The library's worker sends errors as JSON.
    tell('api_response', { event: 'api_response', requestId: data.requestId, data: given, err: err && JSON.stringify(err) });
  },
  master_request: (data) => {
    const { topic } = data.params;
    const mine = data.method === 'becomeMaster' ? { masterId: id, takeOver: false, topic } : { masterId: id, isMaster: true, topic };
    tell('master_response', { event: 'master_response', requestId: data.requestId, data: mine, err: null });
  },
  terminate: () => void fetch(`${root}/logout`, { method: 'POST' }),
};

window.addEventListener('message', (message) => {
  if (!framed || message.source !== window.parent || !alive) return;
  heard[message.data?.event]?.(message.data.data);
});

document.querySelector('#logout')?.addEventListener('click', () => heard.terminate?.(null));

const stream = new EventSource(`${root}/events`);
stream.addEventListener('message', ({ data }) => {
  const told = JSON.parse(data, revived);
  if (told.kind === 'update') update(told);
  else if (told.kind === 'broadcast') tell(told.event, told.data);
  else lose(told.event);
});
