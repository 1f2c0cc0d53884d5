// @ts-check
/** Elements of a page, made and found. */

/**
 * @template {keyof HTMLElementTagNameMap} Name
 * @param {Name} name
 * @param {Record<string, string>} attributes
 * @param {...(string|Node)} children
 * @returns {HTMLElementTagNameMap[Name]}
 */
export function element(name, attributes, ...children) {
  const made = document.createElement(name);
  for (const [key, value] of Object.entries(attributes)) made.setAttribute(key, value);
  made.append(...children);
  return made;
}

/**
 * @param {string} label
 * @param {() => void} press
 * @param {Record<string, string>} attributes
 */
export function button(label, press, attributes) {
  const made = element("button", { type: "button", ...attributes }, label);
  made.addEventListener("click", press);
  return made;
}

/**
 * The element that the page must have.
 *
 * @param {string} selector
 * @returns {HTMLElement}
 */
export function required(selector) {
  const found = document.querySelector(selector);
  if (!(found instanceof HTMLElement)) throw new Error(`The page has no ${selector}`);
  return found;
}

/**
 * Put other children in an element's place without losing the keyboard's focus.
 *
 * @param {HTMLElement} parent
 * @param {HTMLElement[]} children
 * @param {string} key  the data attribute that tells which is which ("session")
 */
export function replace(parent, children, key) {
  const active = document.activeElement;
  const focused = active instanceof HTMLElement && parent.contains(active) ? active : null;
  const name = focused?.dataset[key];
  parent.replaceChildren(...children);
  if (name === undefined) return;
  const again = parent.querySelector(`[data-${key}="${CSS.escape(name)}"]`);
  if (again instanceof HTMLElement) again.focus();
}
