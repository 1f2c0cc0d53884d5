/** The one browser tab in which records open, named so that it is found again and reused. */

/** Its window name. */
export const NAME = 'connect-dynamics-record';

/**
 * A tab that is lost so soon after an opening was cut off rather than closed by the agent: a
 * record page with Cross-Origin-Opener-Policy severs the handle while it loads.
 */
const SOON_MS = 10_000;

/** @typedef {Pick<Window, 'closed'|'focus'>} Handle */

/**
 * @typedef {'none'|'kept'|'ready'|'closed'|'cut'} TabState
 *   none: never connected; kept: connected before this page was loaded again, and found again by
 *   its name if it lives; ready: open; closed: closed by the agent; cut: it may live, but the
 *   browser has parted it from this page, so that the next record opens in a new tab
 */

export class RecordTab {
  /**
   * @param {(href: string, name: string) => Handle|null} open  window.open
   * @param {() => number} now  in ms
   * @param {boolean} kept  it was connected before this page was loaded again
   */
  constructor(open, now, kept) {
    this.open = open;
    this.now = now;
    /** @type {Handle|null} */
    this.handle = null;
    this.openedAt = 0;
    /** Address that it was last sent to by this page; '' none. */
    this.href = '';
    /** @type {TabState} */
    this.known = kept ? 'kept' : 'none';
  }

  /** How it is now. A handle says "closed" of a tab that it was cut off from, too. */
  state() {
    if (this.known === 'ready' && (this.handle === null || this.handle.closed)) {
      this.known = this.now() - this.openedAt < SOON_MS ? 'cut' : 'closed';
      this.handle = null;
    }
    return this.known;
  }

  /**
   * Shows a page in the tab, opening it if need be.
   * @param {string} href
   * @returns {boolean}  false: the browser refused to open a tab
   */
  show(href) {
    const handle = this.open(href, NAME);
    // Some blockers hand out a window that is closed at once instead of none.
    if (handle === null || handle.closed) return false;
    this.handle = handle;
    this.openedAt = this.now();
    this.known = 'ready';
    this.href = href;
    handle.focus();
    return true;
  }

  /** Brings it to the front, where browsers allow that (after a click). */
  front() {
    if (this.state() === 'ready') this.handle?.focus();
  }
}
