/**
 * What a user agent server looks at before it processes a request (RFC 3261 §8.2): can it do the method, the extensions that the
 * caller requires, the content, and can the caller read what it would answer. Left out: authentication, and whether the Request-URI
 * is one of its own, which its owner knows.
 */
import { createResponse } from '../message/create-response.ts';
import type { SipRequest, SipResponse } from '../message/sip-message.ts';

export interface UserAgentCapabilities {
  /** For Allow. */
  readonly methods: readonly string[];
  /** Option tags that may stand in Require, in lower case. */
  readonly extensions: readonly string[];
  /** Of bodies, in lower case; the first is that of session descriptions. */
  readonly contentTypes: readonly string[];
}

/** Methods of the IANA registry; any other one is unknown, not only unwanted (RFC 3261 §8.2.1, §21.5.2). */
const registeredMethods: ReadonlySet<string> = new Set(
  'ACK BYE CANCEL INFO INVITE MESSAGE NOTIFY OPTIONS PRACK PUBLISH REFER REGISTER SUBSCRIBE UPDATE'.split(
    ' ',
  ),
);

/** The refusal, without To tag; `undefined` when the request can be processed. Not for ACK and CANCEL, which are never refused so. */
export function inspectRequest(
  request: SipRequest,
  { methods, extensions, contentTypes }: UserAgentCapabilities,
): SipResponse | undefined {
  if (!methods.includes(request.method))
    return refusal(request, registeredMethods.has(request.method) ? 405 : 501, [
      ['Allow', methods.join(', ')],
    ]);
  const unsupported = request.headers
    .getAll('Require')
    .filter((tag) => !extensions.includes(tag.toLowerCase()));
  if (unsupported.length > 0) return refusal(request, 420, [['Unsupported', unsupported.join(', ')]]);
  if (request.body !== '' && !isOptional(request) && !canRead(request, contentTypes))
    return refusal(request, 415, [
      ['Accept', contentTypes.join(', ')],
      ['Accept-Encoding', 'identity'],
    ]);
  if (request.method === 'INVITE' && !acceptsAnswer(request, contentTypes[0] ?? ''))
    return refusal(request, 406, [['Warning', `399 - "Accept lacks ${contentTypes[0]}"`]]);
  return undefined;
}

/** RFC 3261 §8.2.3: a body of which its sender says that it may be ignored. */
function isOptional({ headers }: SipRequest): boolean {
  return /;\s*handling\s*=\s*optional\b/i.test(headers.get('Content-Disposition') ?? '');
}

function canRead({ headers }: SipRequest, contentTypes: readonly string[]): boolean {
  const encoding = headers.get('Content-Encoding')?.trim().toLowerCase() ?? 'identity';
  return encoding === 'identity' && contentTypes.includes(mediaTypeOf(headers.get('Content-Type') ?? ''));
}

/** RFC 3261 §20.1: without Accept, application/sdp is accepted; an empty one accepts nothing. */
function acceptsAnswer({ headers }: SipRequest, contentType: string): boolean {
  if (!headers.has('Accept')) return true;
  const type = contentType.split('/', 1)[0];
  const accepted = headers.getAll('Accept').map(mediaTypeOf);
  return accepted.some((range) => range === contentType || range === `${type}/*` || range === '*/*');
}

function mediaTypeOf(value: string): string {
  return value.split(';', 1)[0]!.replace(/\s/g, '').toLowerCase();
}

function refusal(
  request: SipRequest,
  statusCode: number,
  fields: readonly (readonly [name: string, value: string])[],
): SipResponse {
  const response = createResponse(request, statusCode);
  for (const [name, value] of fields) response.headers.append(name, value);
  return response;
}
