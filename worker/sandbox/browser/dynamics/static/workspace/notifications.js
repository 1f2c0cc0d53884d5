// @ts-check
/**
 * Notifications of conversations that come in: some are shown, the rest wait, each for so long.
 *
 * @typedef {import("./templates.js").NotificationTemplate} NotificationTemplate
 * @typedef {{actionName: 'Accept'|'Reject'|'Timeout', responseReason: string}} Response
 * @typedef {{id: string, token: string, template: NotificationTemplate, title: string,
 *   fields: {title: string, value: string}[], endsAt: number,
 *   answer: (response: Response) => void}} Notification
 */

import { Refusal } from "./refusal.js";
import { fill } from "./templates.js";

export const QUEUE = 10;

export class Notifications {
  /**
   * @param {() => Record<string, NotificationTemplate>} templates
   * @param {{shown: () => number, countdownS: () => number|null, now: () => number,
   *   after: (ms: number, run: () => void) => void}} limits
   * @param {() => void} changed
   */
  constructor(templates, limits, changed) {
    this.templates = templates;
    this.limits = limits;
    this.changed = changed;
    this.count = 0;
    /** @type {Notification[]} */
    this.queue = [];
  }

  /** Those that are shown. */
  get shown() {
    return this.queue.slice(0, this.limits.shown());
  }

  /**
   * Show a notification; what the agent does with it.
   *
   * @param {any} input  {templateName, templateParameters, cancellationToken}
   * @returns {Promise<Response>}
   */
  notify(input) {
    const template = this.templates()[input?.templateName];
    if (!template) throw new Refusal("NotificationTemplateNotFoundError");
    const given = input.templateParameters ?? {};
    if (template.autoAccept) {
      return Promise.resolve({ actionName: "Accept", responseReason: "AutoAccept" });
    }
    if (this.queue.length >= QUEUE) {
      const responseReason = "NotificationQueueLimitExceeded";
      return Promise.resolve({ actionName: "Reject", responseReason });
    }
    return new Promise((answer) => this.add(template, given, input.cancellationToken, answer));
  }

  /**
   * Take a notification away. Its promise stays open: what it gives then is not documented.
   *
   * @param {string} token
   */
  cancel(token) {
    if (typeof token !== "string" || !token) throw new Refusal("RejectAfterClientError");
    this.queue = this.queue.filter((notification) => notification.token !== token);
    this.changed();
    return token;
  }

  /** @param {string} id */
  accept(id) {
    this.end(id, { actionName: "Accept", responseReason: "Accept" });
  }

  /** @param {string} id */
  reject(id) {
    this.end(id, { actionName: "Reject", responseReason: "DeclinedByAgent" });
  }

  /**
   * @param {NotificationTemplate} template
   * @param {Record<string, any>} given
   * @param {string} token
   * @param {(response: Response) => void} answer
   */
  add(template, given, token, answer) {
    const lasts = (this.limits.countdownS() ?? template.countdownS) * 1000;
    const id = `notification-${++this.count}`;
    const fields = template.fields.map((field) => ({
      title: fill(field.title, given),
      value: fill(field.value, given),
    }));
    const title = fill(template.title, given);
    const endsAt = this.limits.now() + lasts;
    this.queue.push({ id, token: token ?? "", template, title, fields, endsAt, answer });
    this.limits.after(lasts, () => this.expire(id));
    this.changed();
  }

  /** @param {string} id */
  expire(id) {
    const shown = this.shown.some((notification) => notification.id === id);
    this.end(
      id,
      shown
        ? { actionName: "Timeout", responseReason: "DisplayTimeout" }
        : { actionName: "Reject", responseReason: "NotificationQueueTimeLimitExceeded" },
    );
  }

  /**
   * @param {string} id
   * @param {Response} response
   */
  end(id, response) {
    const notification = this.queue.find((candidate) => candidate.id === id);
    if (!notification) return;
    this.queue = this.queue.filter((candidate) => candidate !== notification);
    this.changed();
    notification.answer(response);
  }
}
