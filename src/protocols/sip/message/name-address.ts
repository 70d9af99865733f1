/**
 * name-addr and addr-spec with the parameters of the header field (RFC 3261 §20.10, §25.1): From, To, Contact, Route, Record-Route,
 * Path, Service-Route, P-Asserted-Identity, P-Served-User and their kin.
 */
import { isMalformed, Malformed } from '../../../base/malformed.ts';
import { formatParameters, parseParameters, quote, type SipParameters, unquote } from './parameters.ts';
import { formatUri, parseUri, type Uri } from './sip-uri.ts';
import { endOfQuotedString } from './split-list.ts';

export interface NameAddress {
  /** Without quotes and escapes; absent when there is none. */
  readonly displayName?: string | undefined;
  readonly uri: Uri;
  /** Of the header field, not of the URI. */
  readonly parameters: SipParameters;
}

export function parseNameAddress(text: string, field = 'name-addr', offset = 0): NameAddress | Malformed {
  const bracket = text.startsWith('"') ? text.indexOf('<', endOfQuotedString(text, 0)) : text.indexOf('<');
  if (bracket < 0) return parseAddressSpec(text, field, offset);
  const close = text.indexOf('>', bracket);
  if (close < 0) return new Malformed(field, offset + bracket, 'RFC 3261 §25.1 name-addr: "<" needs ">"');
  const displayName =
    bracket === 0 ? undefined : parseDisplayName(text.slice(0, bracket).trim(), field, offset);
  if (isMalformed(displayName)) return displayName;
  const uri = parseUri(text.slice(bracket + 1, close), offset + bracket + 1);
  if (isMalformed(uri)) return new Malformed(field, uri.offset, uri.rule);
  const parameters = parseParameters(text, close + 1, field, offset);
  return isMalformed(parameters) ? parameters : { displayName, uri, parameters };
}

/** Without brackets everything behind a semicolon belongs to the header field, and the URI may hold no comma or question mark. */
function parseAddressSpec(text: string, field: string, offset: number): NameAddress | Malformed {
  const semicolon = text.indexOf(';');
  const end = semicolon < 0 ? text.length : semicolon;
  const address = text.slice(0, end).trim();
  if (/[,?]/.test(address))
    return new Malformed(
      field,
      offset,
      'RFC 3261 §20.10: a URI with comma or question mark needs angle brackets',
    );
  const uri = parseUri(address, offset);
  if (isMalformed(uri)) return new Malformed(field, uri.offset, uri.rule);
  const parameters = parseParameters(text, end, field, offset);
  return isMalformed(parameters) ? parameters : { displayName: undefined, uri, parameters };
}

function parseDisplayName(text: string, field: string, offset: number): string | undefined | Malformed {
  if (text === '') return undefined;
  if (text.startsWith('"')) {
    return endOfQuotedString(text, 0) === text.length - 1
      ? unquote(text)
      : new Malformed(field, offset, 'RFC 3261 §25.1 quoted-string is closed by a quote before "<"');
  }
  return /^[A-Za-z0-9\-.!%*_+`'~ \t]+$/.test(text)
    ? text
    : new Malformed(field, offset, 'RFC 3261 §25.1 display-name: tokens, or a quoted string');
}

export function formatNameAddress(address: NameAddress): string {
  const name = address.displayName === undefined ? '' : `${quote(address.displayName)} `;
  return `${name}<${formatUri(address.uri)}>${formatParameters(address.parameters)}`;
}
