// @ts-check
/**
 * Templates and what becomes of them: slugs, and the address of a tab's page.
 *
 * @typedef {Record<string, any>} Parameters
 * @typedef {{title: string, pageType: number, parameters: Record<string, string>}} TabTemplate
 * @typedef {{title: string, generic: boolean, anchor: string, tabs: string[],
 *   titleSync: boolean}} SessionTemplate
 * @typedef {{title: string, value: string}} Field
 * @typedef {{title: string, fields: Field[], accept: string, reject: string,
 *   rejectShown: boolean, countdownS: number, countdownShown: boolean,
 *   autoAccept: boolean}} NotificationTemplate
 */

const ENTITY_LIST = 509180000;
const ENTITY_RECORD = 509180001;
const SEARCH = 509180005;

const SLUG = /\{([A-Za-z_]\w*)\}/g;

/**
 * A text with its slugs replaced; a slug without a value stays as it is, with its braces.
 *
 * @param {string} text
 * @param {Parameters} context
 */
export function fill(text, context) {
  return text.replace(SLUG, (slug, name) => {
    const value = context[name];
    return value === undefined || value === null || typeof value === "object"
      ? slug
      : String(value);
  });
}

/**
 * The parameters of a tab: what its template says, unless the call gives one of that name, for all
 * tabs or under the name of this tab's template.
 *
 * @param {string} name  unique name of the template
 * @param {TabTemplate} template
 * @param {Parameters} context
 * @param {Parameters} given
 * @returns {Record<string, string>}
 */
export function parameters(name, template, context, given) {
  const own = typeof given[name] === "object" && given[name] !== null ? given[name] : {};
  /** @type {Record<string, string>} */
  const filled = {};
  const names = new Set([...Object.keys(template.parameters), ...Object.keys(own)]);
  for (const key of names) {
    filled[key] = fill(String(own[key] ?? given[key] ?? template.parameters[key]), context);
  }
  return filled;
}

/**
 * The address of a tab's page. A record without `validateRecord` whose id is unknown opens the form
 * for a new one.
 *
 * @param {TabTemplate} template
 * @param {Record<string, string>} values
 * @param {string} appId
 */
export function address(template, values, appId) {
  const query = new URLSearchParams({ appid: appId, navbar: "off" });
  if (template.pageType === ENTITY_RECORD) {
    query.set("pagetype", "entityrecord");
    query.set("etn", values.entityName ?? "");
    query.set("id", values.entityId ?? "");
    if ((values.validateRecord ?? "").toLowerCase() !== "true") query.set("validate", "no");
  } else if (template.pageType === SEARCH) {
    query.set("pagetype", "search");
    query.set("searchText", values.searchText ?? "");
    query.set("searchType", values.searchType ?? "0");
  } else if (template.pageType === ENTITY_LIST) {
    query.set("pagetype", "entitylist");
    query.set("etn", values.entityName ?? "");
  } else {
    query.set("pagetype", "dashboard");
  }
  return `/main.aspx?${query}`;
}
