/**
 * The canonical form of an address-of-record, under which registrars and proxies look users up (RFC 3261 §10.3 step 5): without URI
 * parameters, escapes written out, the host in lower case; of a telephone number without its visual separators (RFC 3966 §5.1.1).
 */
import { formatHostPort, type Uri } from '../message/sip-uri.ts';

export function addressOfRecord(uri: Uri): string {
  if (uri.kind === 'opaque') return uri.text;
  if (uri.kind === 'tel') return `tel:${uri.number.replace(/[-.()]/g, '').toLowerCase()}`;
  const user = uri.user === undefined ? '' : `${unescaped(uri.user.split(';', 1)[0]!)}@`;
  return `${uri.scheme}:${user}${formatHostPort(uri.host.toLowerCase(), uri.port)}`;
}

function unescaped(user: string): string {
  return user.replace(/%([0-9A-Fa-f]{2})/g, (_, octet: string) =>
    String.fromCharCode(Number.parseInt(octet, 16)),
  );
}
