// @ts-check
/** The Web API as the signed-in agent uses it. */

import { Refusal } from "./refusal.js";

const ROOT = "/dynamics/data/";

export class Data {
  /** @param {typeof fetch} ask */
  constructor(ask) {
    this.ask = ask;
    /** @type {Map<string, {set: string, key: string, name: string}>} */
    this.tables = new Map();
  }

  /**
   * @param {string} table  logical name
   * @param {string} id
   * @param {string} [options]  "?$select=…"
   */
  async retrieve(table, id, options = "") {
    const { set } = await this.table(table);
    return this.send("GET", `${set}(${bare(id)})${options}`);
  }

  /**
   * Rows of a query. Of `$search` only what it means for pages is known, so it is left out.
   *
   * @param {string} table
   * @param {string} query
   * @returns {Promise<any[]>}
   */
  async query(table, query) {
    const { set } = await this.table(table);
    const options = query.replace(/^\?/, "").split("&");
    const known = options.filter((option) => option && !option.startsWith("$search="));
    const encoded = known.map((option) => {
      const [name = "", ...value] = option.split("=");
      return `${name}=${encodeURIComponent(value.join("="))}`;
    });
    const answer = await this.send("GET", `${set}?${encoded.join("&")}`);
    return answer.value;
  }

  /**
   * @param {string} table
   * @param {any} columns
   */
  async create(table, columns) {
    const { set, key } = await this.table(table);
    const row = await this.send("POST", set, columns, { prefer: "return=representation" });
    return { id: row[key], entityType: table };
  }

  /**
   * @param {string} table
   * @param {string} id
   * @param {any} columns
   */
  async update(table, id, columns) {
    const { set } = await this.table(table);
    await this.send("PATCH", `${set}(${bare(id)})`, columns, { "if-match": "*" });
    return { id: bare(id), entityType: table };
  }

  /**
   * @param {string} table
   * @param {string} id
   */
  async remove(table, id) {
    const { set } = await this.table(table);
    await this.send("DELETE", `${set}(${bare(id)})`);
    return { id: bare(id), entityType: table };
  }

  /** @param {string} logical */
  async table(logical) {
    const known = this.tables.get(logical);
    if (known) return known;
    if (!/^\w+$/.test(logical)) throw new Refusal("No table has this name");
    const found = await this.send("GET", `EntityDefinitions(LogicalName='${logical}')`);
    const { EntitySetName, PrimaryIdAttribute, PrimaryNameAttribute } = found;
    const table = { set: EntitySetName, key: PrimaryIdAttribute, name: PrimaryNameAttribute };
    this.tables.set(logical, table);
    return table;
  }

  /**
   * @param {string} method
   * @param {string} path
   * @param {any} [body]
   * @param {Record<string, string>} [headers]
   */
  async send(method, path, body, headers = {}) {
    const answer = await this.ask(`${ROOT}${path}`, {
      method,
      headers: { "content-type": "application/json", ...headers },
      ...(body === undefined ? {} : { body: JSON.stringify(body) }),
    });
    const text = await answer.text();
    const value = text ? JSON.parse(text) : null;
    if (!answer.ok) throw new Refusal(value?.error?.message ?? `HTTP ${answer.status}`);
    return value;
  }
}

/**
 * An id without braces.
 *
 * @param {string} id
 */
function bare(id) {
  return String(id).replace(/[{}]/g, "");
}
