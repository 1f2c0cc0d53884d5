import assert from 'node:assert/strict';
import fs from 'node:fs';
import {test} from 'node:test';

import {recordId} from '../../../worker/desktop/pages/core/record.js';

const VECTOR = JSON.parse(fs.readFileSync(
  new URL('../../samples/desktop/record_ids.json', import.meta.url), 'utf8',
));

for (const {contact, pipeline, step, record} of VECTOR.records) {
  test(`the record of ${contact}/${pipeline}/${step} is the one that the worker makes`, async () => {
    assert.equal(await recordId(VECTOR.namespace, contact, pipeline, step), record);
  });
}
