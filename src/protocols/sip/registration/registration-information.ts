/**
 * The registration information document (RFC 3680 §5, application/reginfo+xml): who is registered with which contacts, and why a contact
 * has come into its state. Leaves out display names, unknown-param, q and duration-registered.
 */

import { hashHex } from '../../../base/digest.ts';
import { isMalformed, Malformed } from '../../../base/malformed.ts';
import { escapeXml, parseXmlDocument, type XmlElement } from '../../../base/xml-element.ts';

export const registrationEventPackage = 'reg';
export const registrationInformationType = 'application/reginfo+xml';

/** RFC 3680 §5.1; 'rejected': do not come back, 'deactivated': come back at once, 'probation': after a while. */
export type ContactEvent =
  | 'registered'
  | 'created'
  | 'refreshed'
  | 'shortened'
  | 'expired'
  | 'deactivated'
  | 'probation'
  | 'unregistered'
  | 'rejected';

export interface ContactInformation {
  readonly uri: string;
  readonly isActive: boolean;
  readonly event: ContactEvent;
  readonly expiresSeconds?: number;
  /** With 'probation'. */
  readonly retryAfterSeconds?: number;
}

export interface RegistrationInformation {
  readonly addressOfRecord: string;
  readonly state: 'init' | 'active' | 'terminated';
  readonly contacts: readonly ContactInformation[];
}

export interface RegistrationDocument {
  /** From 0, one more with each document of a subscription. */
  readonly version: number;
  readonly isFull: boolean;
  readonly registrations: readonly RegistrationInformation[];
}

const namespace = 'urn:ietf:params:xml:ns:reginfo';
const contactEvents: readonly string[] = [
  ...['registered', 'created', 'refreshed', 'shortened', 'expired'],
  ...['deactivated', 'probation', 'unregistered', 'rejected'],
];

export function formatRegistrationDocument({ version, isFull, registrations }: RegistrationDocument): string {
  const state = isFull ? 'full' : 'partial';
  const all = registrations.map(formatRegistration).join('');
  return `<?xml version="1.0"?>\n<reginfo xmlns="${namespace}" version="${version}" state="${state}">${all}</reginfo>`;
}

function formatRegistration({ addressOfRecord, state, contacts }: RegistrationInformation): string {
  const all = contacts.map((contact) => formatContact(addressOfRecord, contact)).join('');
  const id = identifierOf('a', addressOfRecord);
  return `<registration aor="${escapeXml(addressOfRecord)}" id="${id}" state="${state}">${all}</registration>`;
}

function formatContact(addressOfRecord: string, contact: ContactInformation): string {
  const { uri, isActive, event, expiresSeconds, retryAfterSeconds } = contact;
  const attributes = [
    ['id', identifierOf('c', `${addressOfRecord} ${uri}`)],
    ['state', isActive ? 'active' : 'terminated'],
    ['event', event],
    ['expires', expiresSeconds],
    ['retry-after', retryAfterSeconds],
  ]
    .filter(([, value]) => value !== undefined)
    .map(([name, value]) => `${name}="${value}"`);
  return `<contact ${attributes.join(' ')}><uri>${escapeXml(uri)}</uri></contact>`;
}

/** The same for the same contact in every document, as RFC 3680 §5.1 wants it. */
function identifierOf(prefix: string, text: string): string {
  return `${prefix}${hashHex('md5', text).slice(0, 12)}`;
}

/** `text` has one character per octet. Elements of other namespaces are passed over; what is not as the schema says is `Malformed`. */
export function parseRegistrationDocument(text: string): RegistrationDocument | Malformed {
  const root = parseXmlDocument(text);
  if (isMalformed(root)) return root;
  const version = root.attributes.get('version') ?? '';
  const state = root.attributes.get('state');
  if (root.name !== 'reginfo' || !/^[0-9]{1,10}$/.test(version) || (state !== 'full' && state !== 'partial'))
    return new Malformed('reginfo', root.offset, 'RFC 3680 §5.1: reginfo with version and state');
  const registrations: RegistrationInformation[] = [];
  for (const element of root.children.filter(({ name }) => name === 'registration')) {
    const registration = readRegistration(element);
    if (isMalformed(registration)) return registration;
    registrations.push(registration);
  }
  return { version: Number(version), isFull: state === 'full', registrations };
}

function readRegistration(element: XmlElement): RegistrationInformation | Malformed {
  const addressOfRecord = element.attributes.get('aor');
  const state = element.attributes.get('state');
  if (addressOfRecord === undefined || (state !== 'init' && state !== 'active' && state !== 'terminated'))
    return new Malformed('registration', element.offset, 'RFC 3680 §5.1: registration with aor and state');
  const contacts: ContactInformation[] = [];
  for (const child of element.children.filter(({ name }) => name === 'contact')) {
    const contact = readContact(child);
    if (isMalformed(contact)) return contact;
    contacts.push(contact);
  }
  return { addressOfRecord, state, contacts };
}

function readContact(element: XmlElement): ContactInformation | Malformed {
  const { attributes, children } = element;
  const uri = children.find(({ name }) => name === 'uri')?.text;
  const state = attributes.get('state');
  const event = attributes.get('event') ?? '';
  const isKnown = contactEvents.includes(event) && (state === 'active' || state === 'terminated');
  if (uri === undefined || !isKnown)
    return new Malformed('contact', element.offset, 'RFC 3680 §5.1: contact with state, event and uri');
  return {
    uri,
    isActive: state === 'active',
    event: event as ContactEvent,
    ...secondsOf(attributes.get('expires'), 'expiresSeconds'),
    ...secondsOf(attributes.get('retry-after'), 'retryAfterSeconds'),
  };
}

function secondsOf<Name extends string>(text: string | undefined, name: Name): { [N in Name]?: number } {
  if (text === undefined || !/^[0-9]{1,10}$/.test(text)) return {};
  return { [name]: Number(text) } as { [N in Name]?: number };
}
