/**
 * Records framed in the page: one frame for each contact, so that what the agent has typed into a
 * record is still there when they come back to its contact. The one in view has the id `dynamics`.
 */

export class Frames {
  /**
   * @param {HTMLElement} container
   * @param {HTMLElement} check   The self-check, shown once a frame has loaded: a frame that was
   *   refused fires `load` like a good one, and nothing else tells the two apart.
   */
  constructor(container, check) {
    this.container = container;
    this.check = check;
    /** @type {Map<string, HTMLIFrameElement>} */
    this.frames = new Map();
    /** @type {WeakSet<HTMLIFrameElement>} */
    this.loaded = new WeakSet();
    this.inView = '';
  }

  /** @param {string} id   Of a contact.  @returns {string}   Address shown for it, '' none. */
  href(id) {
    return this.frames.get(id)?.src ?? '';
  }

  /**
   * Shows a page for a contact that has none yet, or another one in its place.
   *
   * @param {string} id
   * @param {string} href
   */
  load(id, href) {
    this.frames.get(id)?.remove();
    const frame = document.createElement('iframe');
    frame.title = 'Record in Dynamics';
    frame.hidden = true;
    frame.addEventListener('load', () => {
      this.loaded.add(frame);
      this.view(this.inView);
    });
    frame.src = href;
    this.frames.set(id, frame);
    this.container.append(frame);
    this.view(this.inView);
  }

  /** @param {string} id   The contact whose frame is to be seen; '' none. */
  view(id) {
    this.inView = id;
    for (const [other, frame] of this.frames) {
      frame.hidden = other !== id;
      frame.id = other === id ? 'dynamics' : '';
    }
    const frame = this.frames.get(id);
    this.container.hidden = frame === undefined;
    this.check.hidden = frame === undefined || !this.loaded.has(frame);
  }

  /** @param {(id: string) => boolean} wanted   The frames of other contacts are dropped. */
  keep(wanted) {
    for (const [id, frame] of this.frames) {
      if (wanted(id)) continue;
      frame.remove();
      this.frames.delete(id);
    }
  }
}
