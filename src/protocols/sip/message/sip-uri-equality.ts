/**
 * When two URIs mean the same (RFC 3261 §19.1.4): escapes looked through, host and parameters without regard to case, the parameters
 * user, ttl, method and maddr missing from both or from none. Telephone numbers by RFC 3966 §4. Any other scheme letter by letter.
 */
import type { SipParameters } from './parameters.ts';
import type { SipUri, Uri } from './sip-uri.ts';

const significantParameters = ['user', 'ttl', 'method', 'maddr'];

export function sipUrisEqual(a: Uri, b: Uri): boolean {
  if (a.kind === 'sip' && b.kind === 'sip') return sameSipUri(a, b);
  if (a.kind === 'tel' && b.kind === 'tel') {
    return sameNumber(a.number, b.number) && sharedParametersEqual(a.parameters, b.parameters);
  }
  return a.kind === 'opaque' && b.kind === 'opaque' && a.text === b.text;
}

function sameSipUri(a: SipUri, b: SipUri): boolean {
  return (
    a.scheme === b.scheme &&
    unescaped(a.user) === unescaped(b.user) &&
    unescaped(a.password) === unescaped(b.password) &&
    a.host.toLowerCase() === b.host.toLowerCase() &&
    a.port === b.port &&
    sharedParametersEqual(a.parameters, b.parameters) &&
    significantParameters.every((name) => a.parameters.has(name) === b.parameters.has(name)) &&
    sameHeaders(a.headers, b.headers)
  );
}

function sharedParametersEqual(a: SipParameters, b: SipParameters): boolean {
  for (const [name, value] of a) {
    const other = b.get(name);
    if (other !== undefined && unescaped(value).toLowerCase() !== unescaped(other).toLowerCase())
      return false;
  }
  return true;
}

/** Headers count all, in any order. */
function sameHeaders(a: string, b: string): boolean {
  const sorted = (text: string): string => unescaped(text).toLowerCase().split('&').sort().join('&');
  return sorted(a) === sorted(b);
}

function sameNumber(a: string, b: string): boolean {
  const digits = (text: string): string => text.replace(/[-.()]/g, '').toLowerCase();
  return digits(a) === digits(b);
}

/** A missing part is not the same as an empty one, so it becomes what no escape can make. */
export function unescaped(text: string | undefined): string {
  if (text === undefined) return '\x00absent';
  return text.replace(/%([0-9A-Fa-f]{2})/g, (_, octet: string) =>
    String.fromCharCode(Number.parseInt(octet, 16)),
  );
}
