/**
 * The configuration beside the page.
 *
 * @import {Config} from '../core/types.js'
 */

import {checked} from '../core/config.js';

/** @typedef {Pick<Response, 'ok'|'status'|'text'>} Answer */

/**
 * Fetches and checks config.json.
 *
 * @param {(path: string, options: RequestInit) => Promise<Answer>} get   fetch.
 * @param {boolean} secure   The page is served over https, or from this machine.
 * @returns {Promise<{config: Config}|{wrong: string}>}   wrong: in words for the administrator.
 */
export async function configuration(get, secure) {
  if (!secure) return {wrong: 'serve this page over https; browsers give no microphone without'};
  let response;
  try {
    response = await get('config.json', {cache: 'no-store', credentials: 'same-origin'});
  } catch {
    return {wrong: 'config.json cannot be fetched from the server of this page'};
  }
  if (!response.ok) return {wrong: `the server answers ${response.status} for config.json`};
  const answer = checked(await response.text());
  return 'wrong' in answer ? {wrong: `config.json: ${answer.wrong}`} : answer;
}
