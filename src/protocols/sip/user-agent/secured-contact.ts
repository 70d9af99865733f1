/** When a user agent's Contact has to be a SIPS URI (RFC 3261 §8.1.1.8 and §12.1.1; RFC 5630 §3.3): no request comes back by another way then. */
import { firstAddressOf } from '../message/header-fields.ts';
import type { SipRequest } from '../message/sip-message.ts';
import type { Uri } from '../message/sip-uri.ts';

/** Of a request that goes out with this Request-URI and Route. `contact` is a name-addr. */
export function contactOfRequest(request: SipRequest, contact: string): string {
  const isSecure =
    isSips(request.requestUri) ||
    (mentionsSips(request, 'Route') && isSipsUri(firstAddressOf(request, 'Route')?.uri));
  return isSecure ? secured(contact) : contact;
}

/** Of the response to a request that came in: the caller's way here was secured, and so is the way back. */
export function contactOfResponse(request: SipRequest, contact: string): string {
  if (isSips(request.requestUri)) return secured(contact);
  if (!mentionsSips(request, 'Record-Route') && !mentionsSips(request, 'Contact')) return contact;
  const caller = firstAddressOf(request, 'Record-Route') ?? firstAddressOf(request, 'Contact');
  return isSipsUri(caller?.uri) ? secured(contact) : contact;
}

/** Where it does not, and that is nearly everywhere, no address has to be read. */
function mentionsSips({ headers }: SipRequest, name: string): boolean {
  return headers.getAll(name).some((value) => /sips:/i.test(value));
}

/** `transport=tls` says nothing more in a SIPS URI (RFC 3261 §26.2.2). */
function secured(contact: string): string {
  return contact.replace(
    /<sip:([^>]*)>/i,
    (_, rest: string) => `<sips:${rest.replace(/;transport=tls\b/i, '')}>`,
  );
}

function isSips(uri: string): boolean {
  return uri.slice(0, 5).toLowerCase() === 'sips:';
}

function isSipsUri(uri: Uri | undefined): boolean {
  return uri?.kind === 'sip' && uri.scheme === 'sips';
}
