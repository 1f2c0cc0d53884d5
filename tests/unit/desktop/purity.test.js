import assert from 'node:assert/strict';
import fs from 'node:fs';
import {test} from 'node:test';

const CORE = new URL('../../../worker/desktop/pages/core/', import.meta.url);
const COMMENTS = /\/\*[\s\S]*?\*\/|\/\/[^\n]*/g;
const OUTSIDE = /\b(document|window|navigator|localStorage|sessionStorage|fetch|console|setTimeout|setInterval|Math\.random|Date\.now|new Date\(\)|globalThis|innerHTML)\b/;

for (const name of fs.readdirSync(CORE)) {
  test(`core/${name} knows no page, network, console, chance or clock`, () => {
    const code = fs.readFileSync(new URL(name, CORE), 'utf8').replace(COMMENTS, '');
    assert.doesNotMatch(code, OUTSIDE);
    for (const [, from] of code.matchAll(/from '([^']+)'/g)) assert.match(from, /^\.\/[a-z]+\.js$/);
  });
}
