/** The one browser tab for records. */

import assert from 'node:assert/strict';
import {test} from 'node:test';

import {NAME, RecordTab} from '../../../worker/desktop/pages/agent/tab.js';

/** A browser whose windows are plain objects. */
function browser(open = () => ({closed: false, focus() {}})) {
  const world = {calls: [], now: 0, window: null};
  world.tab = new RecordTab((href, name) => {
    world.calls.push([href, name]);
    world.window = open();
    return world.window;
  }, () => world.now, false);
  return world;
}

test('every record opens in the same named tab', () => {
  const world = browser();
  assert.equal(world.tab.show('a'), true);
  assert.equal(world.tab.show('b'), true);
  assert.deepEqual(world.calls, [['a', NAME], ['b', NAME]]);
  assert.equal(world.tab.state(), 'ready');
});

test('a tab that the browser refuses is no tab', () => {
  const world = browser(() => null);
  assert.equal(world.tab.show('a'), false);
  assert.equal(world.tab.state(), 'none');
});

test('a window that is closed at once was refused by a blocker', () => {
  assert.equal(browser(() => ({closed: true, focus() {}})).tab.show('a'), false);
});

test('a tab lost while its page loads was cut off by the page', () => {
  const world = browser();
  world.tab.show('a');
  world.now = 900;
  world.window.closed = true;
  assert.equal(world.tab.state(), 'cut');
});

test('a tab lost later was closed by the agent', () => {
  const world = browser();
  world.tab.show('a');
  world.now = 60_000;
  world.window.closed = true;
  assert.equal(world.tab.state(), 'closed');
});

test('a refused opening leaves the state of the tab that is open', () => {
  const answers = [{closed: false, focus() {}}, null];
  const world = browser(() => answers.shift());
  world.tab.show('a');
  world.tab.show('b');
  assert.equal(world.tab.state(), 'ready');
});

test('after a reload the tab is said to be kept, until the next record shows', () => {
  const tab = new RecordTab(() => ({closed: false, focus() {}}), () => 0, true);
  assert.equal(tab.state(), 'kept');
  tab.show('a');
  assert.equal(tab.state(), 'ready');
});
