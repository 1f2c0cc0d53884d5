// @ts-check
/**
 * Channel Integration Framework 2 as the sandbox has it: `Microsoft.CIFramework` in the provider's
 * page, every method a message to the workspace that frames the page.
 *
 * As strict as what Microsoft documents: the script must name the organization and itself, and
 * `CIFInitDone` comes once, while the script runs. A method without an answer fails after 10 s.
 */
(function () {
  "use strict";

  const TIMEOUT_MS = 10_000;
  const WAITS = new Set(["notifyEvent"]); // for the agent, however long the notification stays

  const METHODS = [
    ...["notifyEvent", "cancelEvent"],
    ...["canCreateSession", "createSession", "getFocusedSession", "getSession", "getAllSessions"],
    ...["requestFocusSession", "setSessionTitle", "updateContext"],
    ...["createTab", "focusTab", "getTabs", "getFocusedTab", "setTabTitle", "refreshTab"],
    ...["closeTab", "searchAndOpenRecords", "renderSearchPage", "openForm"],
    ...["retrieveRecord", "createRecord", "updateRecord", "deleteRecord"],
    ...["setMode", "getMode", "setWidth", "getWidth", "setPresence", "getPresence"],
    ...["getEnvironment", "setClickToAct", "getClickToAct", "raiseEvent"],
  ];

  /** @typedef {{resolve: (value: any) => void, reject: (error: any) => void}} Waiting */

  const script = document.querySelector('script[data-cifid="CIFMainLibrary"]');
  if (!(script instanceof HTMLScriptElement)) {
    throw new Error('msdyn_ciLibrary: its script needs data-cifid="CIFMainLibrary"');
  }
  const organization = script.dataset.crmurl;
  if (organization !== new URL(script.src).origin) {
    throw new Error("msdyn_ciLibrary: data-crmurl must be the organization's own address");
  }

  /** @type {Map<number, Waiting>} */
  const waiting = new Map();
  /** @type {Map<string, Set<(data: string) => Promise<any>>>} */
  const handlers = new Map();
  let calls = 0;

  /**
   * @param {string} method
   * @param {any[]} args
   */
  function call(method, args) {
    const id = ++calls;
    return new Promise((resolve, reject) => {
      waiting.set(id, { resolve, reject });
      const plain = args.map((value) => (value === undefined ? null : value));
      window.parent.postMessage(
        { cif: "call", id, method, args: JSON.stringify(plain) },
        String(organization),
      );
      if (!WAITS.has(method)) setTimeout(() => expire(id, method), TIMEOUT_MS);
    });
  }

  /**
   * @param {number} id
   * @param {string} method
   */
  function expire(id, method) {
    const call = waiting.get(id);
    waiting.delete(id);
    call?.reject({ message: "Timeout occurred as no response was received", msdyn_name: method });
  }

  /** @param {MessageEvent} event */
  function receive(event) {
    if (event.origin !== organization || event.source !== window.parent) return;
    const message = event.data;
    if (message?.cif === "event") {
      for (const handler of handlers.get(message.name) ?? []) run(handler, message);
      return;
    }
    const call = waiting.get(message?.id);
    if (!call || !["result", "error"].includes(message.cif)) return;
    waiting.delete(message.id);
    if (message.cif === "result") call.resolve(message.value);
    else call.reject(message.error);
  }

  /**
   * A handler must give a promise: the library waits for it.
   *
   * @param {(data: string) => Promise<any>} handler
   * @param {{name: string, data: string}} message
   */
  function run(handler, message) {
    const promise = handler(message.data);
    if (typeof promise?.then !== "function") {
      throw new TypeError(`msdyn_ciLibrary: the handler of ${message.name} gave no promise`);
    }
  }

  /**
   * @param {string} name
   * @param {(data: string) => Promise<any>} handler
   */
  function addHandler(name, handler) {
    if (typeof name !== "string" || typeof handler !== "function") {
      throw new TypeError("msdyn_ciLibrary: addHandler needs an event's name and a function");
    }
    handlers.set(name, (handlers.get(name) ?? new Set()).add(handler));
  }

  /**
   * @param {string} name
   * @param {(data: string) => Promise<any>} handler
   */
  function removeHandler(name, handler) {
    handlers.get(name)?.delete(handler);
  }

  window.addEventListener("message", receive);
  const scope = /** @type {any} */ (window);
  scope.Microsoft = scope.Microsoft ?? {};
  scope.Microsoft.CIFramework = { addHandler, removeHandler };
  for (const method of METHODS) {
    scope.Microsoft.CIFramework[method] = (/** @type {any[]} */ ...args) => call(method, args);
  }
  window.dispatchEvent(new Event("CIFInitDone"));
})();
