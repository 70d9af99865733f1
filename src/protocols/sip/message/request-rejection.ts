/**
 * Which error a request deserves that is well-formed line by line but unacceptable as a whole (RFC 3261 §8.1.1, §8.2.2.1, §16.3):
 * the same for every element, before it looks at what it was asked to do. Leaves Max-Forwards and Require to those who act on them.
 */
import { headerNameOf } from './header-names.ts';
import type { SipRequest } from './sip-message.ts';

export interface Rejection {
  readonly statusCode: 400 | 416 | 505;
  readonly reasonPhrase: string;
}

const mandatoryFields = ['Via', 'From', 'To', 'Call-ID', 'CSeq'].map(headerNameOf);
const cseqName = headerNameOf('CSeq');

/** `undefined` when nothing is wrong. Max-Forwards may be missing: elements older than RFC 3261 leave it out (RFC 4475 §3.4.1). */
export function requestRejection(request: SipRequest): Rejection | undefined {
  const { requestUri, version } = request;
  if (version !== 'SIP/2.0' && version.toUpperCase() !== 'SIP/2.0')
    return { statusCode: 505, reasonPhrase: 'Version Not Supported' };
  for (const field of mandatoryFields) {
    if (!request.headers.has(field)) return { statusCode: 400, reasonPhrase: `Missing ${field.name}` };
  }
  if (!hasMethodOfRequest(request))
    return { statusCode: 400, reasonPhrase: 'CSeq method differs from request method' };
  if (!requestUri.startsWith('sip:') && !/^(?:sips?|tel):/i.test(requestUri))
    return { statusCode: 416, reasonPhrase: 'Unsupported URI Scheme' };
  // RFC 3261 §19.1.1, table 1: no headers in a Request-URI; acting on them would let anyone inject Route or Replaces.
  // A question mark before the at sign is part of the user and means nothing.
  if (requestUri.includes('?') && requestUri.lastIndexOf('?') > requestUri.indexOf('@'))
    return { statusCode: 400, reasonPhrase: 'Request-URI with headers' };
  return undefined;
}

/** CSeq is well-formed, digits and a method with white space between; so it is enough to look at its end. */
function hasMethodOfRequest({ headers, method }: SipRequest): boolean {
  const cseq = headers.get(cseqName) ?? '';
  const before = cseq.charCodeAt(cseq.length - method.length - 1);
  return cseq.endsWith(method) && (before === 0x20 || before === 0x09);
}
