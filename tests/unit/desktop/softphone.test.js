import assert from 'node:assert/strict';
import {afterEach, beforeEach, mock, test} from 'node:test';

import {startSoftphone} from '../../../worker/desktop/pages/softphone.js';
import {Browser} from './support/browser.js';
import {CONTACT, NOW, OTHER, configuration} from './support/samples.js';

let browser;
let told;
let softphone;

beforeEach(() => mock.timers.enable({apis: ['setTimeout', 'setInterval', 'Date'], now: NOW}));
afterEach(() => mock.timers.reset());

function start(given = {}) {
  browser = new Browser();
  told = {seen: [], agents: [], views: [], troubles: [], now: new Set()};
  softphone = startSoftphone({
    connect: browser.connect, container: browser.container, config: configuration(),
    onSeen: (seen) => told.seen.push(seen),
    onAgent: (agent) => told.agents.push(agent),
    onView: (id) => told.views.push(id),
    onTrouble: (kind) => { told.troubles.push(kind); told.now.add(kind); },
    onWell: (kind) => { told.troubles.push(`${kind} over`); told.now.delete(kind); },
    now: () => Date.now(),
    popup: (url, name, features) => browser.open(url, name, features),
    ...given,
  });
}

function signedIn(...contacts) {
  start();
  browser.say('acknowledge', {id: 'port'});
  update(...contacts);
}

function update(...contacts) {
  browser.say('agent::update', {
    snapshot: {
      state: {name: 'Available', type: 'routable', startTimestamp: new Date(NOW)},
      contacts, skew: 0, snapshotTimestamp: new Date(NOW), localTimestamp: NOW,
    },
    configuration: {
      name: 'Grace Agent', softphoneEnabled: true, dialableCountries: ['DE', 'us'],
      routingProfile: {
        routingProfileId: 'arn:aws:connect:eu-central-1:1:instance/i/routing-profile/r',
        defaultOutboundQueue: {queueARN: 'arn:queue'},
      },
    },
  });
}

function call(given = {}) {
  return {
    contactId: CONTACT, initialContactId: CONTACT, type: 'voice', initiationMethod: 'inbound',
    state: {type: 'connecting', timestamp: new Date(NOW)}, queue: {name: 'Sales'}, attributes: {},
    connections: [
      {connectionId: 'a', type: 'agent', initial: false, endpoint: {type: 'agent'}, state: {type: 'connecting'}},
      {
        connectionId: 'c', type: 'inbound', initial: true, state: {type: 'connected'},
        endpoint: {type: 'phone_number', phoneNumber: '+4930123456'},
      },
    ],
    ...given,
  };
}

const pass = async (ms) => {
  for (let done = 0; done < ms; done += 500) {
    mock.timers.tick(500);
    await Promise.resolve();
    await Promise.resolve();
  }
};

test('a call that rings is told with its number, queue and attributes', () => {
  signedIn(call({attributes: {CallReason: {name: 'CallReason', value: 'Invoice'}}}));
  const [seen] = told.seen.at(-1);
  assert.equal(seen.state, 'ringing');
  assert.deepEqual(
    [seen.id, seen.number, seen.queue, seen.attributes], [CONTACT, '+4930123456', 'Sales', {CallReason: 'Invoice'}],
  );
  assert.deepEqual(told.troubles, []);
});

test('attributes are read again at each snapshot', () => {
  signedIn(call());
  update(call({attributes: {ms_id: {name: 'ms_id', value: CONTACT}}}));
  assert.deepEqual(told.seen.at(-1)[0].attributes, {ms_id: CONTACT});
});

test('nothing is told before the first snapshot, so that no contact seems to be gone', () => {
  start();
  browser.say('acknowledge', {id: 'port'});
  assert.deepEqual(told.seen, []);
});

test('the agent and the countries that may be called are told once', () => {
  signedIn();
  update();
  assert.deepEqual(told.agents, [{name: 'Grace Agent', state: 'Available', dialable: ['de', 'us']}]);
});

test('a contact accepted in the softphone is told at once, before it is connected', () => {
  signedIn(call());
  browser.say('contact::accepted', {contactId: CONTACT});
  assert.equal(told.seen.at(-1)[0].state, 'accepted');
  update(call());
  assert.equal(told.seen.at(-1)[0].state, 'accepted');
  update(call({state: {type: 'connected', timestamp: new Date(NOW)}}));
  assert.equal(told.seen.at(-1)[0].state, 'connected');
});

test('the contact that the agent chooses in the softphone is told', () => {
  signedIn(call());
  browser.say('contact::view', {contactId: CONTACT});
  browser.say('contact::view', {});
  assert.deepEqual(told.views, [CONTACT, '']);
});

test('accepting here is a request to the softphone, and done when it says so', async () => {
  signedIn(call());
  const accepted = softphone.accept(CONTACT);
  assert.deepEqual(browser.answer('acceptContact', {}).contactId, CONTACT);
  await accepted;
});

test('rejecting here is a request to the softphone', async () => {
  signedIn(call());
  const rejected = softphone.reject(CONTACT);
  assert.deepEqual(browser.answer('rejectContact', {}).contactId, CONTACT);
  await rejected;
});

test('a refused answer is an error that names nobody', async () => {
  signedIn(call());
  const accepted = softphone.accept(CONTACT);
  browser.answer('acceptContact', null, {message: '+4930123456 is gone'});
  await assert.rejects(accepted, {message: 'the softphone refuses'});
});

test('an answer that is lost is an error after ten seconds', async () => {
  signedIn(call());
  const accepted = softphone.accept(CONTACT);
  mock.timers.tick(10_000);
  await assert.rejects(accepted, {message: 'the softphone does not answer'});
});

test('a contact that is gone cannot be accepted', async () => {
  signedIn(call());
  await assert.rejects(softphone.accept(OTHER), {message: 'the contact is no longer there'});
});

test('a dialled number goes out by the default outbound queue', async () => {
  signedIn();
  const dialled = softphone.dial('+4989123');
  const {endpoint, queueARN} = browser.answer('createOutboundContact', {});
  assert.deepEqual([endpoint.phoneNumber, endpoint.type, queueARN], ['+4989123', 'phone_number', 'arn:queue']);
  await dialled;
});

test('nothing that the softphone or the library says gets into the console or storage', async () => {
  signedIn(call({attributes: {ms_customer_name: {name: 'ms_customer_name', value: 'Ada Example'}}}));
  browser.say('log', {
    level: 'ERROR', text: 'call of Ada Example', time: new Date(NOW), exception: null, objects: [],
    component: 'ccp', loggerId: 'x', tabId: 't', contextLayer: 'CCP',
  });
  await assert.rejects(softphone.accept(OTHER));
  const kept = [...browser.window.localStorage.kept, ...browser.window.sessionStorage.kept];
  assert.doesNotMatch(JSON.stringify([browser.said, kept]), /Ada|4930123456|Grace/);
});

test('without the library there is a trouble, and no exception', async () => {
  start({connect: undefined});
  assert.deepEqual(told.troubles, ['library']);
  await assert.rejects(softphone.accept(CONTACT), {message: 'the softphone was not loaded'});
  softphone.signIn();
});

test('a library that cannot start is a trouble, and no exception', () => {
  start({container: null});
  assert.deepEqual(told.troubles, ['library']);
});

test('signed out: the library opens its window after five seconds, and the agent is told', async () => {
  start();
  await pass(5000);
  assert.equal(browser.popups.length, 1);
  assert.equal(browser.popups[0].url, 'https://softphone.example/ccp-v2/');
  assert.deepEqual(told.troubles, ['login']);
});

test('after signing in the window is closed and nothing is the matter', async () => {
  start();
  await pass(5000);
  await pass(7000);
  browser.say('acknowledge', {id: 'port'});
  update();
  assert.deepEqual([...told.now], []);
  assert.equal(browser.popups[0].closed, true);
});

test('the sign-in of an identity provider gets the configured address', async () => {
  const config = configuration();
  config.connect.loginUrl = 'https://idp.example/start';
  start({config});
  await pass(5000);
  assert.equal(browser.popups[0].url, 'https://idp.example/start');
  assert.equal(browser.frame.src, 'https://softphone.example/ccp-v2/');
});

test('a blocked window is told as such, and a click opens it', async () => {
  start();
  browser.popupsBlocked = true;
  await pass(5000);
  assert.deepEqual([...told.now], ['popup']);
  browser.popupsBlocked = false;
  softphone.signIn();
  assert.equal(browser.popups.length, 1);
  assert.deepEqual([...told.now], ['login']);
  await pass(6000);
  browser.say('acknowledge', {id: 'port'});
  assert.deepEqual([...told.now], []);
  assert.equal(browser.popups[0].closed, true);
});

test('a click while the window is open brings it to the front, and opens no second one', async () => {
  start();
  await pass(5000);
  softphone.signIn();
  assert.equal(browser.popups.length, 1);
  assert.equal(browser.popups[0].focused, 1);
});

test('signed in, and still no answer of the frame: it may not be framed here', async () => {
  start();
  await pass(5000);
  browser.popups[0].closed = true;
  await pass(8000);
  assert.deepEqual([...told.now], ['login']);
  await pass(8000);
  assert.deepEqual([...told.now], ['frame']);
});

test('an agent who takes two minutes to sign in is still let in', async () => {
  start();
  await pass(120_000);
  assert.deepEqual([...told.now], ['login']);
  const before = browser.frame;
  browser.popups[0].closed = true;
  await pass(8000);
  assert.notEqual(browser.frame, before);
  browser.say('acknowledge', {id: 'port'});
  update();
  assert.deepEqual([...told.now], []);
});

test('a frame that was refused is tried again by itself, and is well once it answers', async () => {
  start();
  browser.popupsBlocked = true;
  await pass(70_000);
  assert.equal(told.now.has('frame'), true);
  await pass(40_000);
  browser.say('acknowledge', {id: 'port'});
  assert.deepEqual([...told.now], []);
});

for (const event of ['auth_fail', 'terminated', 'authorize_retries_exhausted', 'cti_authorize_retries_exhausted']) {
  test(`a session that is lost (${event}) is told, and over with the next snapshot`, () => {
    signedIn(call());
    browser.say(event);
    browser.say('acknowledge', {id: 'port'});
    assert.deepEqual([...told.now], ['session']);
    update(call());
    assert.deepEqual([...told.now], []);
  });
}

test('a lost session opens the sign-in once more', async () => {
  signedIn();
  browser.say('auth_fail');
  await pass(4000);
  assert.equal(browser.popups.length, 1);
});

test('an agent whom Amazon Connect refuses is told so', () => {
  signedIn();
  browser.say('access_denied');
  assert.deepEqual([...told.now], ['denied']);
});

test('a second page with the softphone is told, until it is closed', () => {
  signedIn();
  browser.say('update_connected_ccps', {length: 2});
  assert.deepEqual([...told.now], ['other-page']);
  browser.say('update_connected_ccps', {length: 1});
  assert.deepEqual([...told.now], []);
});

test('a frame that was led to another origin is not listened to', () => {
  signedIn();
  const before = told.seen.length;
  browser.say('agent::update', {snapshot: {contacts: [call()], state: {}}, configuration: {}}, 'https://evil.example');
  assert.equal(told.seen.length, before);
});

test('a bug in a page is reported by the browser and not swallowed by the library', () => {
  start({onSeen: () => { throw new Error('a bug'); }});
  browser.say('acknowledge', {id: 'port'});
  update(call());
  assert.throws(() => mock.timers.tick(1), {message: 'a bug'});
});
