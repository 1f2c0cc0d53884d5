/** Windows as far as the panel's modules use them: messages with origin and source, timers, scripts. */

const PAGE = 'https://desktop.example';

/** A window of our origin, unless another is named. */
export class FakeWindow extends EventTarget {
  constructor(origin = PAGE) {
    super();
    this.location = {origin, href: `${origin}/cif.html`};
    this.opener = null;
    this.closed = false;
    this.focusCount = 0;
    this.opened = [];
    this.ticks = [];
    this.scripts = [];
    const window = this;
    this.document = {
      createElement: () => Object.assign(new EventTarget(), {
        attributes: {},
        setAttribute(name, value) { this.attributes[name] = value; },
        remove() { window.scripts.splice(window.scripts.indexOf(this), 1); },
      }),
      head: {append: (script) => this.scripts.push(script)},
    };
    this.setTimeout = setTimeout;
    this.clearTimeout = clearTimeout;
  }

  /** Let another window's message arrive; `from` is its window. */
  receive(data, from, {origin = from.location.origin, ports = []} = {}) {
    const event = Object.assign(new Event('message'), {data, origin, source: from.seenAs ?? from, ports});
    this.dispatchEvent(event);
  }

  setInterval(run) {
    this.ticks.push(run);
    return this.ticks.length;
  }

  tick() {
    for (const run of this.ticks) run();
  }

  focus() {
    this.focusCount += 1;
  }
}

/** One window as another holds it: what is posted to it says who posted. */
export function reference(target, from) {
  return {
    postMessage: (data, options) => {
      const wanted = typeof options === 'string' ? options : options.targetOrigin;
      if (wanted !== target.location.origin) return;
      target.receive(data, from, {ports: options.transfer ?? []});
    },
    focus: () => target.focus(),
    get closed() { return target.closed; },
  };
}
