// What drivers of other people's clients share: see tests/support/outside.py, which says the same in Python.

import { randomUUID } from "node:crypto";
import { isDeepStrictEqual } from "node:util";
import { pathToFileURL } from "node:url";

export const ground = JSON.parse(process.env.OUTSIDE_GROUND);
export const newId = randomUUID;

const KEPT = 300;
const all = new Map();

/** The library, from where it is installed. */
export async function library(path) {
    const url = pathToFileURL(`${process.env.OUTSIDE_MODULES}/${path}`);
    return import(url);
}

/** Write down an operation. */
export function operation(name, work) {
    if (all.has(name)) throw new Error(name);
    all.set(name, work);
}

class Wrong extends Error {}

/** Throw unless both are equal. */
export function same(got, wanted) {
    if (!isDeepStrictEqual(got, wanted)) throw new Wrong(`${JSON.stringify(got)} instead of ${JSON.stringify(wanted)}`);
}

/** Throw unless it is so. */
export function holds(fact, otherwise) {
    if (!fact) throw new Wrong(otherwise);
}

/** The error that something fails with. */
export async function failure(work) {
    try {
        await work();
    } catch (error) {
        if (error instanceof Wrong) throw error;
        return error;
    }
    throw new Wrong("no refusal");
}

/** What goes wrong where nobody waits for it: it is the running operation's. */
let strayed = () => {};
process.on("uncaughtException", (error) => strayed(error));

/** Carry out all operations, or those that are named; refusal(error) says "status code" of an answer, or "". */
export async function run(refusal) {
    const named = process.argv.slice(2);
    for (const [name, work] of all) {
        if (named.length && !named.includes(name)) continue;
        const began = performance.now();
        let seen = "right";
        try {
            await Promise.race([work(), new Promise((_, reject) => (strayed = reject))]);
        } catch (error) {
            const told = error instanceof Wrong ? "" : refusal(error);
            const message = error?.message ?? String(error);
            seen = error instanceof Wrong ? `wrong: ${message}` : told ? `refused ${told}: ${message}` : `broken: ${message}`;
        }
        const took_s = Math.round(performance.now() - began) / 1000;
        console.log(JSON.stringify({ operation: name, seen: seen.slice(0, KEPT), took_s }));
    }
}
