/** Steps in Dynamics one after the other: a tab opens in the focused session, so nothing may move the focus meanwhile. */
export class Queue {
  /** @param {(error: unknown) => void} onFault  a step that failed in a way nobody foresaw; the next ones go on */
  constructor(onFault) {
    this.onFault = onFault;
    this.last = Promise.resolve();
  }

  /**
   * @param {() => Promise<void>} step
   * @returns {Promise<void>} when it is done, well or not
   */
  add(step) {
    this.last = this.last.then(step).catch(this.onFault);
    return this.last;
  }
}

/**
 * @param {number} ms
 * @returns {Promise<void>}
 */
export function pause(ms) {
  return new Promise((resolve) => {
    setTimeout(resolve, ms);
  });
}
