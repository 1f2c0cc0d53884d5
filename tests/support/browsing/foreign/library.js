// The script that Dynamics gives to a provider's page: everything is asked of the page around it.
(() => {
  const {crmurl, cifid} = document.currentScript.dataset;
  if (!crmurl || cifid !== 'CIFMainLibrary') throw new Error('data-crmurl, data-cifid');
  const waiting = new Map();
  const handlers = {};
  const call = (method, ...given) => new Promise((resolve, reject) => {
    const number = waiting.size + 1;
    waiting.set(number, {resolve, reject});
    parent.postMessage({number, method, given}, crmurl);
  });
  addEventListener('message', ({origin, data}) => {
    if (origin !== crmurl) return;
    if (data.raised) void handlers[data.raised]?.(data.data).then(() => undefined);
    else if ('refusal' in data) waiting.get(data.number).reject(data.refusal);
    else waiting.get(data.number).resolve(data.result);
  });
  const addHandler = (name, handler) => {
    handlers[name] = handler;
    return call('addHandler', name);
  };
  const CIFramework = {addHandler};
  for (const method of [
    'canCreateSession', 'cancelEvent', 'createSession', 'createTab', 'getAllSessions',
    'getEnvironment', 'getFocusedSession', 'getSession', 'notifyEvent', 'requestFocusSession',
    'retrieveRecord', 'searchAndOpenRecords', 'setClickToAct', 'setMode', 'setSessionTitle',
    'updateContext',
  ]) CIFramework[method] = (...given) => call(method, ...given);
  globalThis.Microsoft = {CIFramework};
  setTimeout(() => dispatchEvent(new CustomEvent('CIFInitDone')), 100);
})();
