/**
 * As much of a browser as amazon-connect-streams needs, around the library as it was released. The
 * softphone's frame is played by the test, which says what it sends and sees what it is sent.
 */

import fs from 'node:fs';
import vm from 'node:vm';

const LIBRARY = new URL(
  '../../../../.venv/desktop/node_modules/amazon-connect-streams/release/connect-streams.js',
  import.meta.url,
);
const script = new vm.Script(fs.readFileSync(LIBRARY, 'utf8'));

class Element extends EventTarget {
  constructor(name, view) {
    super();
    Object.assign(this, {name: '', nodeName: name, style: {}, dataset: {}, children: []});
    this.ownerDocument = {defaultView: view};
  }

  appendChild(child) {
    this.children.push(child);
    child.parentNode = this;
    return child;
  }

  removeChild(child) {
    this.children = this.children.filter((one) => one !== child);
  }

  querySelectorAll() {
    return this.children;
  }

  getClientRects() {
    return [];
  }
}

function storage() {
  const kept = new Map();
  return {
    getItem: (key) => kept.get(key) ?? null,
    setItem: (key, value) => kept.set(key, String(value)),
    removeItem: (key) => kept.delete(key),
    kept,
  };
}

export class Browser {
  constructor() {
    const window = new EventTarget();
    this.window = window;
    this.sent = [];
    this.popups = [];
    this.popupsBlocked = false;
    this.said = [];
    this.container = new Element('div', window);
    const element = (name) => this.element(name);
    const say = (...words) => this.said.push(words.join(' '));
    Object.assign(window, {
      // Late, so that a test's clock counts.
      setTimeout: (...given) => setTimeout(...given), clearTimeout: (id) => clearTimeout(id),
      setInterval: (...given) => setInterval(...given), clearInterval: (id) => clearInterval(id),
      console: {log: say, info: say, warn: say, error: say, debug: say},
      document: {
        createElement: element, cookie: '', readyState: 'complete', addEventListener() {},
        getElementsByTagName: () => this.container.children,
      },
      navigator: {
        userAgent: 'test',
        locks: {request: async (name, options, act) => act({name})},
      },
      location: {href: 'https://pages.example/agent.html', origin: 'https://pages.example'},
      open: (url, name, features) => this.open(url, name, features),
      getComputedStyle: () => ({display: 'block'}),
      localStorage: storage(), sessionStorage: storage(),
      BroadcastChannel: class { postMessage() {} addEventListener() {} close() {} },
      URL, Promise, performance, crypto, structuredClone, atob, btoa, TextEncoder, TextDecoder,
      Event, EventTarget, MessageChannel,
    });
    for (const name of ['window', 'self', 'globalThis', 'top', 'parent']) window[name] = window;
    script.runInContext(vm.createContext(window));
    this.connect = window.connect;
  }

  element(name) {
    const element = new Element(name, this.window);
    element.contentWindow = {postMessage: (message) => this.sent.push(message)};
    return element;
  }

  open(url, name, features) {
    const popup = {
      url, name, features, closed: false, focused: 0,
      close() { this.closed = true; }, focus() { this.focused += 1; },
    };
    if (this.popupsBlocked) return null;
    this.popups.push(popup);
    return popup;
  }

  get frame() {
    return this.container.children.at(-1);
  }

  /** What the softphone's frame says to the page. */
  say(event, data, origin = 'https://softphone.example') {
    const message = new Event('message');
    Object.assign(message, {source: this.frame.contentWindow, origin, data: {event, data}});
    this.window.dispatchEvent(message);
  }

  /** Answer the newest request of this method. */
  answer(method, data, err = null) {
    const request = this.sent.findLast((message) => (
      message.event === 'api_request' && message.data.method === method
    ));
    this.say('api_response', {requestId: request.data.requestId, data, err});
    return request.data.params;
  }
}
