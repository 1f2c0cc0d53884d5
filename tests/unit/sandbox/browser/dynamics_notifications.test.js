// @ts-check
/** Notifications of the sandbox's workspace. */

import assert from "node:assert/strict";
import { test } from "node:test";

import { Notifications } from "../../../../worker/sandbox/browser/dynamics/static/workspace/notifications.js";

const TEMPLATE = {
  title: "Call from {customerName}",
  fields: [{ title: "Queue", value: "{queue}" }],
  ...{ accept: "Accept", reject: "Reject", rejectShown: true },
  ...{ countdownS: 120, countdownShown: true, autoAccept: false },
};
const INPUT = { templateName: "cdyn_voice", templateParameters: { customerName: "Ana" } };

/** @param {{shown?: number, countdownS?: number|null, template?: Partial<typeof TEMPLATE>}} [changes] */
function queue({ shown = 3, countdownS = null, template = {} } = {}) {
  /** @type {{at: number, run: () => void}[]} */
  const timers = [];
  const clock = { now: 0 };
  const notifications = new Notifications(
    () => ({ cdyn_voice: { ...TEMPLATE, ...template } }),
    {
      shown: () => shown,
      countdownS: () => countdownS,
      now: () => clock.now,
      after: (ms, run) => void timers.push({ at: clock.now + ms, run }),
    },
    () => {},
  );
  /** @param {number} ms */
  const pass = (ms) => {
    clock.now += ms;
    for (const timer of timers.splice(0)) {
      if (timer.at <= clock.now) timer.run();
      else timers.push(timer);
    }
  };
  return { notifications, pass };
}

test("a notification shows its template's title and fields, with slugs replaced", () => {
  const { notifications } = queue();
  void notifications.notify(INPUT);
  const shown = notifications.shown[0];
  assert.equal(shown?.title, "Call from Ana");
  assert.deepEqual(shown?.fields, [{ title: "Queue", value: "{queue}" }]);
});

test("what the agent presses is the answer", async () => {
  const { notifications } = queue();
  const accepted = notifications.notify(INPUT);
  const rejected = notifications.notify(INPUT);
  const [first, second] = notifications.shown;
  notifications.accept(first?.id ?? "");
  notifications.reject(second?.id ?? "");
  assert.deepEqual(await accepted, { actionName: "Accept", responseReason: "Accept" });
  assert.deepEqual(await rejected, { actionName: "Reject", responseReason: "DeclinedByAgent" });
  assert.deepEqual(notifications.queue, []);
});

test("a template that is not known is refused", () => {
  const { notifications } = queue();
  const unknown = { ...INPUT, templateName: "cdyn_no" };
  assert.throws(() => notifications.notify(unknown), /^Refusal: NotificationTemplateNotFoundError$/);
});

test("after the countdown a notification that was shown has timed out", async () => {
  const { notifications, pass } = queue();
  const answer = notifications.notify(INPUT);
  pass(119_999);
  assert.equal(notifications.shown.length, 1);
  pass(1);
  assert.deepEqual(await answer, { actionName: "Timeout", responseReason: "DisplayTimeout" });
});

test("a countdown of the sandbox's own wins over the template's", async () => {
  const { notifications, pass } = queue({ countdownS: 2 });
  const answer = notifications.notify(INPUT);
  pass(2000);
  assert.equal((await answer).actionName, "Timeout");
});

test("a notification that waited too long behind others is rejected", async () => {
  const { notifications, pass } = queue({ shown: 1 });
  void notifications.notify(INPUT);
  pass(1);
  const answer = notifications.notify(INPUT);
  notifications.limits.shown = () => 0;
  pass(120_000);
  const responseReason = "NotificationQueueTimeLimitExceeded";
  assert.deepEqual(await answer, { actionName: "Reject", responseReason });
});

test("ten notifications wait, the eleventh is rejected", async () => {
  const { notifications } = queue();
  for (let count = 0; count < 10; count += 1) void notifications.notify(INPUT);
  const responseReason = "NotificationQueueLimitExceeded";
  assert.deepEqual(await notifications.notify(INPUT), { actionName: "Reject", responseReason });
  assert.deepEqual([notifications.queue.length, notifications.shown.length], [10, 3]);
});

test("a notification is taken away by its token alone", () => {
  const { notifications } = queue();
  void notifications.notify({ ...INPUT, cancellationToken: "one" });
  void notifications.notify({ ...INPUT, cancellationToken: "two" });
  assert.equal(notifications.cancel("one"), "one");
  assert.deepEqual(
    notifications.queue.map(({ token }) => token),
    ["two"],
  );
  assert.throws(() => notifications.cancel(""), /RejectAfterClientError/);
  assert.equal(notifications.queue.length, 1);
});

test("a template that accepts by itself shows nothing", async () => {
  const { notifications } = queue({ template: { autoAccept: true } });
  const answer = await notifications.notify(INPUT);
  assert.deepEqual(answer, { actionName: "Accept", responseReason: "AutoAccept" });
  assert.deepEqual(notifications.queue, []);
});
