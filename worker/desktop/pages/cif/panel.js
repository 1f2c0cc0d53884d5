/** What the panel shows beneath the softphone: the contacts, and of the one in view the customer and what is awaited. */

/** @import {Config} from '../core/types.js' */
/** @import {Line} from './desk.js' */
/** @import {Question} from './dialling.js' */

import {Contacts, write} from '../agent/contacts.js';
import * as words from '../agent/words.js';
import {href} from '../core/address.js';

/** The parts of the page. */
export class Panel {
  /**
   * @param {Document} page
   * @param {object} actions
   * @param {(contactId: string) => void} actions.onChoose  show this contact's session
   * @param {() => void} actions.onCall
   * @param {() => void} actions.onCancel
   */
  constructor(page, {onChoose, onCall, onCancel}) {
    this.page = page;
    this.inView = '';
    this.contacts = new Contacts(this.part('contacts'), this.part('contact-list'), onChoose);
    this.part('open-session').addEventListener('click', () => onChoose(this.inView));
    this.part('call').addEventListener('click', onCall);
    this.part('cancel').addEventListener('click', onCancel);
  }

  /**
   * @param {string} id
   * @returns {HTMLElement}
   */
  part(id) {
    const element = this.page.getElementById(id);
    if (!element) throw new Error(`cif.html has no element #${id}`);
    return element;
  }

  /**
   * @param {Line[]} lines
   * @param {Config['dynamics']} dynamics
   */
  show(lines, dynamics) {
    const line = lines.find(({viewed}) => viewed);
    const before = this.inView;
    this.inView = line?.seen.id ?? '';
    this.contacts.show(lines, this.inView);
    for (const {seen, front} of lines) this.contacts.items.get(seen.id)?.toggleAttribute('data-front', front && lines.length > 1);
    if (this.inView !== before) this.page.querySelector('[aria-current="true"]')?.scrollIntoView({block: 'nearest'});
    const record = this.part('record');
    record.hidden = !line;
    record.dataset.awaiting = line?.target.awaiting ?? '';
    record.dataset.session = line?.session ?? '';
    record.dataset.page = line?.target.page && line.session === 'open' ? href(line.target.page, dynamics) : '';
    if (line) this.#showContact(line);
  }

  /** @param {Line} line */
  #showContact(line) {
    const {seen, target, reason, late} = line;
    const awaited = words.awaited(seen, target, late);
    const customer = target.customer ? target.customer.name || words.record(target.customer.table) : '';
    write(this.part('customer'), customer);
    // The list names them already to who can see it; here it is read out once it is known.
    this.part('customer').classList.toggle('unseen', customer === words.who(seen, target));
    write(this.part('activity'), words.activity(target, reason));
    write(this.part('awaited'), awaited.text);
    this.part('awaited').toggleAttribute('data-turning', awaited.turning);
    const button = this.part('open-session');
    const label = buttonOf(line);
    button.hidden = label === '';
    write(button, label);
  }

  /**
   * Ask whether to call, or stop asking. The question takes the focus, not its buttons: a key that was meant for the
   * form must not start a call.
   *
   * @param {Question | null} question
   */
  ask(question) {
    const element = this.part('question');
    element.hidden = !question;
    write(this.part('question-text'), question ? `Call ${question.number}?` : '');
    if (question) element.focus();
  }
}

/**
 * @param {Line} line
 * @returns {string} what the button says; '' without one
 */
function buttonOf({seen, session, front}) {
  if (seen.monitoring) return '';
  if (session === 'open') return front ? '' : 'Show its session';
  if (session === 'closed') return 'Open its session again';
  return session === 'refused' ? 'Open its session' : '';
}
