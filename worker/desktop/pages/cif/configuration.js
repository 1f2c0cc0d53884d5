/**
 * The panel's configuration: config.json beside the page. Where that names the Dynamics organization alone, the rest are
 * the channel provider's custom parameters, which Dynamics hands out once its library runs.
 */

/** @import {Config} from '../core/types.js' */

import {checked} from '../core/config.js';

/**
 * What config.json says.
 *
 * @typedef {{config: Config} | {organization: string} | {wrong: string}} Found
 */

/**
 * @param {(path: string, options: RequestInit) => Promise<Pick<Response, 'ok' | 'status' | 'text'>>} get  fetch
 * @returns {Promise<Found>}
 */
export async function configuration(get) {
  let response;
  try {
    response = await get('config.json', {cache: 'no-store', credentials: 'same-origin'});
  } catch {
    return {wrong: 'config.json cannot be fetched from the server of this page'};
  }
  if (!response.ok) return {wrong: `the server answers ${response.status} for config.json`};
  const text = await response.text();
  const answer = checked(text);
  if ('config' in answer) return answer;
  const organization = organizationAlone(text);
  return organization ? {organization} : {wrong: `config.json: ${answer.wrong}`};
}

/**
 * The configuration in the provider's custom parameters. It cannot lead to another organization than the one that the
 * panel's own server names.
 *
 * @param {string} parameters  JSON
 * @param {string} organization
 * @returns {{config: Config} | {wrong: string}}
 */
export function fromProvider(parameters, organization) {
  const answer = checked(parameters);
  if ('wrong' in answer) return {wrong: `the provider's custom parameters: ${answer.wrong}`};
  if (answer.config.dynamics.url === organization) return answer;
  return {wrong: "the provider's custom parameters name another organization than config.json"};
}

/**
 * @param {string} text
 * @returns {string} the organization's origin if the text is nothing but that, else empty
 */
function organizationAlone(text) {
  let json;
  try {
    json = JSON.parse(text);
  } catch {
    return '';
  }
  const url = json?.connect === undefined ? json?.dynamics?.url : undefined;
  if (typeof url !== 'string' || !URL.canParse(url)) return '';
  const {origin, protocol, hostname} = new URL(url);
  const isLocal = protocol === 'http:' && ['localhost', '127.0.0.1', '[::1]'].includes(hostname);
  return protocol === 'https:' || isLocal ? origin : '';
}
