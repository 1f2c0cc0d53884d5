/**
 * The list of the agent's contacts: channel, who, queue and state of each.
 *
 * @import {Seen, Target} from '../core/types.js'
 */

import * as words from './words.js';

const SVG = 'http://www.w3.org/2000/svg';

export class Contacts {
  /**
   * @param {HTMLElement} section   Hidden while there are none.
   * @param {HTMLElement} list
   * @param {(id: string) => void} onChoose
   */
  constructor(section, list, onChoose) {
    this.section = section;
    this.list = list;
    this.onChoose = onChoose;
    /** @type {Map<string, HTMLLIElement>} */
    this.items = new Map();
  }

  /**
   * @param {{seen: Seen, target: Target}[]} contacts
   * @param {string} inView   Id of the contact that the page shows.
   */
  show(contacts, inView) {
    const there = new Set(contacts.map(({seen}) => seen.id));
    for (const [id, item] of this.items) {
      if (there.has(id)) continue;
      item.remove();
      this.items.delete(id);
    }
    for (const {seen, target} of contacts) {
      const item = this.items.get(seen.id) ?? this.added(seen.id);
      fill(item, seen, target, seen.id === inView);
    }
    this.section.hidden = contacts.length === 0;
  }

  /** @param {string} id  @returns {HTMLLIElement} */
  added(id) {
    const item = document.createElement('li');
    item.dataset.contact = id;
    const button = document.createElement('button');
    button.type = 'button';
    button.className = 'contact';
    button.addEventListener('click', () => this.onChoose(id));
    const about = span('about');
    about.append(span('tag'), span('where'));
    button.append(icon(), span('unseen'), span('who'), about);
    item.append(button);
    this.items.set(id, item);
    this.list.append(item);
    return item;
  }
}

/**
 * @param {HTMLLIElement} item
 * @param {Seen} seen
 * @param {Target} target
 * @param {boolean} inView
 */
function fill(item, seen, target, inView) {
  item.dataset.state = seen.state;
  if (inView) item.setAttribute('aria-current', 'true');
  else item.removeAttribute('aria-current');
  item.querySelector('button')?.setAttribute('aria-pressed', String(inView));
  item.querySelector('use')?.setAttribute('href', `#icon-${seen.channel}`);
  write(item.querySelector('.who'), words.who(seen, target));
  // To the eye, the icon says the channel.
  write(item.querySelector('.unseen'), words.channel(seen));
  write(item.querySelector('.where'), seen.queue || words.channel(seen));
  write(item.querySelector('.tag'), words.state(seen));
}

/**
 * Only what differs, so that no screen reader reads it out again.
 *
 * @param {Element|null} element
 * @param {string} text
 */
export function write(element, text) {
  if (element && element.textContent !== text) element.textContent = text;
}

/** @param {string} name  @returns {HTMLSpanElement} */
function span(name) {
  const element = document.createElement('span');
  element.className = name;
  return element;
}

/** @returns {SVGSVGElement} */
function icon() {
  const svg = document.createElementNS(SVG, 'svg');
  svg.setAttribute('class', 'icon');
  svg.setAttribute('aria-hidden', 'true');
  svg.append(document.createElementNS(SVG, 'use'));
  return svg;
}
