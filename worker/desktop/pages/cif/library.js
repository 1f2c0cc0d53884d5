/** Loading Dynamics' script: from the configured organization only, with both attributes it needs. */

/** @import {Framework} from './types.js' */

const PATH = '/webresources/Widget/msdyn_ciLibrary.js';
const LIMIT_MS = 20_000; // the framework shakes hands with the page around it; it has not come by then if it never does

/**
 * Load the Channel Integration Framework and wait until it is ready.
 *
 * A refused or late script is a trouble, not an end: the promise stays open, since the script may still arrive, and
 * `retry` asks for it again.
 *
 * @param {Window & typeof globalThis} page  the window to load it into
 * @param {string} organization  https origin of the Dynamics organization, out of the configuration
 * @param {(why: 'refused' | 'late') => void} onTrouble
 * @param {number} [limitMs]
 * @returns {{ready: Promise<Framework>, retry: () => void}}
 */
export function loadLibrary(page, organization, onTrouble, limitMs = LIMIT_MS) {
  /** @type {HTMLScriptElement | null} */
  let script = null;
  let timer = 0;
  const ask = () => {
    script?.remove();
    page.clearTimeout(timer);
    timer = page.setTimeout(() => onTrouble('late'), limitMs);
    script = tag(page.document, organization);
    script.addEventListener('error', () => {
      page.clearTimeout(timer);
      onTrouble('refused');
    });
    page.document.head.append(script);
  };
  const ready = new Promise((resolve) => {
    page.addEventListener('CIFInitDone', () => {
      page.clearTimeout(timer);
      resolve(framework(page));
    }, {once: true});
    ask();
  });
  return {ready: /** @type {Promise<Framework>} */ (ready), retry: ask};
}

/**
 * @param {Document} document
 * @param {string} organization
 * @returns {HTMLScriptElement}
 */
function tag(document, organization) {
  const script = document.createElement('script');
  script.src = organization + PATH;
  script.setAttribute('data-crmurl', organization);
  script.setAttribute('data-cifid', 'CIFMainLibrary');
  return script;
}

/**
 * @param {Window} page
 * @returns {Framework}
 */
function framework(page) {
  return /** @type {Window & {Microsoft: {CIFramework: Framework}}} */ (page).Microsoft.CIFramework;
}
