/** Loading Dynamics' script, from the configured organization and nowhere else. */

import assert from 'node:assert/strict';
import {test} from 'node:test';

import {loadLibrary} from '../../../worker/desktop/pages/cif/library.js';
import {FakeWindow} from './support/windows.js';

const ORGANIZATION = 'https://org.crm4.dynamics.com';

function loaded(limitMs = 1000) {
  const page = new FakeWindow();
  const troubles = [];
  const library = loadLibrary(page, ORGANIZATION, (why) => troubles.push(why), limitMs);
  return {page, troubles, library};
}

function ready(page) {
  page.Microsoft = {CIFramework: {setMode: () => undefined}};
  page.dispatchEvent(new Event('CIFInitDone'));
}

test('the script is the organization’s, and names it and itself', async () => {
  const {page, library, troubles} = loaded();
  const [script] = page.scripts;
  assert.equal(script.src, `${ORGANIZATION}/webresources/Widget/msdyn_ciLibrary.js`);
  assert.deepEqual(script.attributes, {'data-crmurl': ORGANIZATION, 'data-cifid': 'CIFMainLibrary'});
  ready(page);
  assert.equal(await library.ready, page.Microsoft.CIFramework);
  assert.deepEqual(troubles, []);
});

test('a script that is refused is told, and asked for again by retry', async () => {
  const {page, library, troubles} = loaded();
  page.scripts[0].dispatchEvent(new Event('error'));
  assert.deepEqual(troubles, ['refused']);
  library.retry();
  assert.equal(page.scripts.length, 1);
  ready(page);
  assert.equal(await library.ready, page.Microsoft.CIFramework);
});

test('a framework that does not get ready is told, and taken up when it does', async () => {
  const {page, library, troubles} = loaded(5);
  await new Promise((resolve) => { setTimeout(resolve, 20); });
  assert.deepEqual(troubles, ['late']);
  ready(page);
  assert.equal(await library.ready, page.Microsoft.CIFramework);
});
