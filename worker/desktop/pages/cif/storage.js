/** What survives a reload of the panel: ids and stages, nothing about people. */

/**
 * @typedef {object} Store
 * @property {(key: string) => string | null} read
 * @property {(key: string, text: string) => void} write
 */

const PREFIX = 'connect-dynamics.';

/**
 * The tab's session storage; memory where the browser refuses storage to framed pages.
 *
 * @param {Window} page
 * @returns {Store}
 */
export function sessionStore(page) {
  /** @type {Map<string, string>} */
  const memory = new Map();
  return {
    read: (key) => {
      try {
        return page.sessionStorage.getItem(PREFIX + key);
      } catch {
        return memory.get(key) ?? null; // third-party storage blocked: a reload then relies on Dynamics' own list
      }
    },
    write: (key, text) => {
      memory.set(key, text);
      try {
        page.sessionStorage.setItem(PREFIX + key, text);
      } catch {
        return; // the same: memory has it
      }
    },
  };
}
