/**
 * Signing in to the softphone. Its sign-in page is never framed: it comes in a window of its own,
 * while the library loads the frame again every few seconds, ten times, until it answers.
 *
 * @import {Trouble, Surroundings} from './softphone.js'
 */

/** How often to look whether the agent is done (ms). */
const LOOK_MS = 1_000;

/** How long after signing in the frame may take to answer: it is loaded every five seconds (ms). */
const LOADED_MS = 12_000;

/** How long to leave the frame alone when the library has given up (ms). */
const REST_MS = 30_000;

const FEATURES = 'width=480,height=640,top=40,left=40';

/**
 * @typedef {{begin: (kind: Trouble) => void, end: (...kinds: Trouble[]) => void}} Told
 *
 * @typedef {{closed: boolean, focus?: () => void}} Opened   As much of a window as matters here.
 */

export class SignIn {
  /**
   * @param {typeof connect} connect
   * @param {Pick<Surroundings, 'config'|'now'|'popup'>} around
   * @param {Told} troubles
   */
  constructor(connect, around, troubles) {
    this.around = around;
    this.troubles = troubles;
    // What follows is not in the library's types, but the only way to know what has become of the
    // window that it opens, and to go on when it has given up; a test holds it to the release.
    this.library = /** @type {any} */ (connect);
    /** @type {Opened|null} */
    this.window = null;
    this.waiting = false;
    this.blocked = false;
    /** When the library gave up, in ms since 1970; 0 if it did not. */
    this.tiredAt = 0;
    /** When the agent closed the window, in ms since 1970; 0 if they did not. */
    this.closedAt = 0;
    /** @type {ReturnType<typeof setInterval>|undefined} */
    this.timer = undefined;
  }

  /** See every window that the library opens to sign in with, and those that are blocked. */
  watch() {
    const manager = this.library.core.getPopupManager();
    const open = manager.open.bind(manager);
    manager.open = (/** @type {any[]} */ ...given) => this.opened(open(...given));
  }

  /** Nothing has been heard of the frame, or no longer. */
  unanswered() {
    this.waiting = true;
    if (!this.blocked) this.troubles.begin('login');
    this.timer ??= setInterval(() => this.look(), LOOK_MS);
  }

  /** The frame answers, so the agent is signed in. */
  answered() {
    this.waiting = false;
    this.blocked = false;
    this.tiredAt = 0;
    this.closedAt = 0;
    clearInterval(this.timer);
    this.timer = undefined;
    this.troubles.end('login', 'popup', 'frame');
  }

  /** The library no longer loads the frame again. */
  exhausted() {
    this.tiredAt = this.around.now();
    this.waiting = true;
    this.timer ??= setInterval(() => this.look(), LOOK_MS);
    if (!this.isOpen()) this.refused();
  }

  /** Show the window to sign in with, and go on trying. */
  open() {
    if (this.isOpen()) {
      this.window?.focus?.();
    } else {
      const {loginUrl, ccpUrl} = this.around.config.connect;
      const popup = this.around.popup ?? ((url, name, features) => window.open(url, name, features));
      const {LOGIN_POPUP} = this.library.MasterTopics;
      // Under the library's own name for it, so that the two never open one each.
      this.library.core.loginWindow = this.opened(popup(loginUrl || ccpUrl, LOGIN_POPUP, FEATURES));
    }
    this.unanswered();
    this.retry();
  }

  /**
   * @param {Opened|null} opened
   * @returns {Opened|null}
   */
  opened(opened) {
    this.blocked = !opened;
    this.window = opened;
    this.closedAt = 0;
    if (opened) {
      this.troubles.end('popup', 'frame');
      if (this.waiting) this.troubles.begin('login');
    } else {
      this.troubles.end('login');
      this.troubles.begin('popup');
    }
    return opened;
  }

  isOpen() {
    return this.window !== null && !this.window.closed;
  }

  /** Whether the agent has closed the window, and what has come of it. */
  look() {
    const now = this.around.now();
    // They may also sign in elsewhere, and whoever forbids the frame may allow it.
    if (this.tiredAt && now - this.tiredAt > REST_MS) this.retry();
    if (!this.window || this.isOpen()) return;
    if (!this.closedAt) {
      this.closedAt = now;
      this.retry();
    } else if (now - this.closedAt > LOADED_MS) {
      this.refused();
    }
  }

  refused() {
    this.troubles.end('login');
    this.troubles.begin('frame');
  }

  /** Load the frame again, until it answers or the library is tired once more. */
  retry() {
    const {library} = this;
    if (!this.tiredAt && library.core.iframeRefreshTimeout != null) return;
    this.tiredAt = 0;
    // It never resets this itself, and takes it for a sign that it is still at it.
    library.core.iframeRefreshTimeout = null;
    library.core.authenticate(
      {...library.initCCPParams, loginPopup: false}, library.containerDiv, library.core.getUpstream(),
    );
  }
}
