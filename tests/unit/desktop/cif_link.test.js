/** The softphone in a window of its own: found, commanded, and heard by its own panel alone. */

import assert from 'node:assert/strict';
import {test} from 'node:test';

import {Companion, offered} from '../../../worker/desktop/pages/cif/link.js';
import {contact} from './support/agent_page.js';
import {FakeWindow, reference} from './support/windows.js';

const ADDRESS = 'https://desktop.example/companion.html';

/** Messages through a port take as long as they take. */
async function until(check) {
  for (const end = Date.now() + 5000; !check() && Date.now() < end;) await new Promise((resolve) => { setTimeout(resolve, 2); });
}

/** Nothing is expected: what would come has come by then. */
const later = () => new Promise((resolve) => { setTimeout(resolve, 50); });

/** A panel and the window it opened. */
function pair(t, {origin} = {}) {
  const page = new FakeWindow();
  const window = new FakeWindow(origin);
  const heard = [];
  const here = [];
  const listen = (name) => (data) => heard.push([name, data]);
  window.opener = reference(page, window);
  window.seenAs = reference(window, page);
  page.seenAs = window.opener;
  page.open = (...given) => {
    page.opened.push(given);
    return window.seenAs;
  };
  const panel = new Companion(page, {
    onSeen: listen('onSeen'), onAgent: listen('onAgent'), onView: listen('onView'), onTrouble: listen('onTrouble'),
    onWell: listen('onWell'),
  }, (is) => here.push(is));
  t.after(() => panel.port?.close()); // it would keep node alive
  const asked = [];
  const softphone = {
    accept: async (id) => { asked.push(['accept', id]); },
    reject: async () => { throw new Error('refused'); },
    dial: async (number) => { asked.push(['dial', number]); },
    signIn: () => asked.push(['signIn']),
  };
  return {page, window, heard, here, panel, asked, softphone};
}

test('the panel hears what the window sees, also what it saw before', async (t) => {
  const both = pair(t);
  const news = offered(both.window, both.softphone);
  news.onSeen([contact()]);
  news.onView('7');
  await until(() => both.heard.length === 2);
  assert.deepEqual(both.here, [true]);
  assert.deepEqual(both.heard, [['onSeen', [contact()]], ['onView', '7']]);
});

test('commands reach the softphone, and what it refuses is refused', async (t) => {
  const both = pair(t);
  offered(both.window, both.softphone);
  await both.panel.softphone.accept('7');
  await both.panel.softphone.dial('+4930123456');
  both.panel.softphone.signIn();
  await until(() => both.asked.length === 3);
  assert.deepEqual(both.asked, [['accept', '7'], ['dial', '+4930123456'], ['signIn']]);
  await assert.rejects(both.panel.softphone.reject('7'));
});

test('a command without a window is refused at once', async (t) => {
  const both = pair(t);
  await assert.rejects(both.panel.softphone.accept('7'));
});

test('a panel that is loaded again finds the window, and is told what it missed', async (t) => {
  const both = pair(t);
  const news = offered(both.window, both.softphone);
  news.onSeen([contact()]);
  const after = pair(t);
  both.window.opener = reference(after.page, both.window);
  both.window.seenAs = reference(both.window, after.page);
  after.page.seenAs = both.window.opener;
  both.window.tick();
  await until(() => after.heard.length === 1);
  assert.deepEqual(after.heard, [['onSeen', [contact()]]]);
  await after.panel.softphone.accept('8');
  assert.deepEqual(both.asked.at(-1), ['accept', '8']);
});

test('pages of other origins are neither heard nor answered', async (t) => {
  const both = pair(t, {origin: 'https://evil.example'});
  offered(both.window, both.softphone);
  both.window.tick();
  both.page.receive({type: 'connect-dynamics:softphone-here', id: 'x'}, new FakeWindow('https://evil.example'));
  await later();
  assert.deepEqual(both.here, []);
});

test('the window takes no port but its opener’s', async (t) => {
  const both = pair(t);
  const stranger = new FakeWindow();
  const {port1, port2} = new MessageChannel();
  const heard = [];
  port1.onmessage = ({data}) => heard.push(data);
  const news = offered(both.window, both.softphone);
  both.window.receive({type: 'connect-dynamics:softphone-port', id: both.panel.id}, stranger, {ports: [port2]});
  news.onSeen([]);
  await later();
  assert.deepEqual(heard, []);
  port1.close();
});

test('a window that was closed is told, and what it was asked is refused', async (t) => {
  const both = pair(t);
  both.softphone.accept = () => new Promise(() => undefined);
  offered(both.window, both.softphone);
  const asked = both.panel.softphone.accept('7');
  both.window.closed = true;
  both.page.tick();
  await assert.rejects(asked);
  assert.deepEqual(both.here, [true, false]);
});

test('opening the window again brings it to the front', (t) => {
  const both = pair(t);
  assert.equal(both.panel.open(ADDRESS), true);
  assert.equal(both.panel.open(ADDRESS), true);
  assert.equal(both.page.opened.length, 1);
  assert.equal(both.window.focusCount, 2);
});

test('the window’s address has a fragment, so that opening it by name never loads it again', (t) => {
  const both = pair(t);
  both.panel.open(ADDRESS);
  const [[address, name]] = both.page.opened;
  assert.equal(address, `${ADDRESS}#softphone`);
  assert.equal(name, 'connect-dynamics-softphone');
});

test('a window that the browser blocks is told', (t) => {
  const both = pair(t);
  both.page.open = () => null;
  assert.equal(both.panel.open(ADDRESS), false);
});

test('news of a kind that the panel does not know is passed over', async (t) => {
  const both = pair(t);
  offered(both.window, both.softphone);
  both.panel.port.onmessage({data: {event: 'constructor', data: 1}});
  await later();
  assert.deepEqual(both.heard, []);
});

test('while a window is open, no other becomes the softphone', async (t) => {
  const both = pair(t);
  offered(both.window, both.softphone);
  const other = new FakeWindow();
  other.seenAs = reference(other, both.page);
  both.page.receive({type: 'connect-dynamics:softphone-here', id: 'other'}, other);
  await both.panel.softphone.accept('7');
  assert.deepEqual(both.asked, [['accept', '7']]);
});
