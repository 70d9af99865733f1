/**
 * The header fields of a message as typed values. The parser let only well-formed Via, From, To, Call-ID, CSeq and Route pass, and
 * `requestRejection` refuses a request in which a mandatory one is missing, so readers of those need no error path; a broken one here
 * is a broken invariant. Of Contact, Record-Route and their kin malformed values are left out. Absent fields are `undefined`.
 */
import { isMalformed, type Malformed } from '../../../base/malformed.ts';
import { type CSeq, parseCSeq, parseRAck, type RAck } from './cseq.ts';
import { type HeaderName, headerNameOf } from './header-names.ts';
import { type NameAddress, parseNameAddress } from './name-address.ts';
import { parseReplaces, type Replaces } from './replaces.ts';
import type { SipMessage } from './sip-message.ts';
import { parseVia, type Via } from './via.ts';

const [fromName, toName, callIdName] = [headerNameOf('From'), headerNameOf('To'), headerNameOf('Call-ID')];
const [sequenceName, viaName] = [headerNameOf('CSeq'), headerNameOf('Via')];

export function fromOf(message: SipMessage): NameAddress {
  return mandatory(message, fromName, parseNameAddress);
}

export function toOf(message: SipMessage): NameAddress {
  return mandatory(message, toName, parseNameAddress);
}

export function fromTagOf(message: SipMessage): string | undefined {
  return mandatory(message, fromName, parseTag).tag;
}

export function toTagOf(message: SipMessage): string | undefined {
  return mandatory(message, toName, parseTag).tag;
}

export function tagOf(address: NameAddress): string | undefined {
  return address.parameters.get('tag');
}

export function callIdOf(message: SipMessage): string {
  return mandatory(message, callIdName, unchanged);
}

export function cseqOf(message: SipMessage): CSeq {
  return mandatory(message, sequenceName, parseCSeq);
}

export function topViaOf(message: SipMessage): Via {
  return mandatory(message, viaName, parseVia);
}

/** `undefined` when absent. */
export function maxForwardsOf(message: SipMessage): number | undefined {
  return numberOf(message, 'Max-Forwards');
}

/** Whole seconds; `undefined` when absent or no number (RFC 3261 §20.19: then a default applies). */
export function expiresOf(message: SipMessage): number | undefined {
  return numberOf(message, 'Expires');
}

/** RFC 3262 §7.1; `undefined` when absent or no number. */
export function rseqOf(message: SipMessage): number | undefined {
  return numberOf(message, 'RSeq');
}

/** The contact addresses; empty for "Contact: *", which `headers.get('Contact')` shows. */
export function contactsOf(message: SipMessage): NameAddress[] {
  return message.headers.get('Contact') === '*' ? [] : addressesOf(message, 'Contact');
}

export function routesOf(message: SipMessage): NameAddress[] {
  return addressesOf(message, 'Route');
}

/** The one that decides where a request goes. */
export function firstRouteOf(message: SipMessage): NameAddress | undefined {
  return firstAddressOf(message, 'Route');
}

export function recordRoutesOf(message: SipMessage): NameAddress[] {
  return addressesOf(message, 'Record-Route');
}

/**
 * All addresses of a list field such as Path, Service-Route, P-Asserted-Identity, P-Associated-URI. Values that are no address are
 * left out: Kamailio 5.6.3 writes two identities into one pair of brackets.
 */
export function addressesOf(message: SipMessage, name: string): NameAddress[] {
  return message.headers.getAll(name).flatMap((value) => {
    const address = parseNameAddress(value, name);
    return isMalformed(address) ? [] : [address];
  });
}

/** The first of those addresses. */
export function firstAddressOf(message: SipMessage, name: string): NameAddress | undefined {
  const address = message.headers.parse(name, parseNameAddress);
  return isMalformed(address) ? addressesOf(message, name)[0] : address;
}

export function rackOf(message: SipMessage): RAck | Malformed | undefined {
  const value = message.headers.get('RAck');
  return value === undefined ? undefined : parseRAck(value);
}

export function replacesOf(message: SipMessage): Replaces | Malformed | undefined {
  const value = message.headers.get('Replaces');
  return value === undefined ? undefined : parseReplaces(value);
}

/** Whether an option tag or method stands in a list such as Supported, Require or Allow; without regard to case. */
export function listIncludes(message: SipMessage, name: string, token: string): boolean {
  return message.headers.includes(name, token.toLowerCase());
}

function numberOf(message: SipMessage, name: string): number | undefined {
  const value = message.headers.get(name) ?? '';
  let number = 0;
  for (let index = 0; index < value.length; index++) {
    const digit = value.charCodeAt(index) - 0x30;
    if (digit < 0 || digit > 9) return undefined;
    number = number * 10 + digit;
  }
  return value === '' ? undefined : number;
}

function unchanged(value: string): string {
  return value;
}

/** The tag alone, without a look at the URI in angle brackets. */
function parseTag(text: string): { readonly tag: string | undefined } | Malformed {
  const close = text.startsWith('<') ? text.indexOf('>') : -1;
  if (close >= 0 && text.startsWith(';tag=', close + 1) && !/[;"\s]/.test(text.slice(close + 6)))
    return { tag: text.slice(close + 6) };
  const address = parseNameAddress(text);
  return isMalformed(address) ? address : { tag: tagOf(address) };
}

function mandatory<T>(message: SipMessage, name: HeaderName, parse: (value: string) => T | Malformed): T {
  const parsed = message.headers.parse(name, parse);
  if (parsed === undefined || isMalformed(parsed))
    throw new Error(`invariant: ${name.name} of a checked message`);
  return parsed;
}
