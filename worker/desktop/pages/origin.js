/** Messages of a frame, only from where the frame belongs. */

/**
 * Stop messages that a frame in this container sends after it has been led to another origin.
 * amazon-connect-streams looks at the window that a message comes from, not at its origin. To be
 * called before the library, so that its own listeners come later.
 *
 * @param {string} origin
 * @param {HTMLElement} container
 */
export function onlyFrom(origin, container) {
  const view = container.ownerDocument.defaultView;
  view?.addEventListener('message', (event) => {
    if (event.origin === origin) return;
    const frames = Array.from(container.querySelectorAll('iframe'));
    if (frames.some((frame) => frame.contentWindow === event.source)) event.stopImmediatePropagation();
  }, true);
}
