/**
 * What a B2BUA carries from one leg to the other (RFC 3261 §6, §16.6 by analogy): body and end-to-end header fields, unknown ones
 * included. Fields that name a dialog, a transaction, a hop or a number of one leg stay behind and are made anew by the other leg.
 */
import { type HeaderName, headerNameOf } from '../message/header-names.ts';
import { SipHeaders } from '../message/sip-headers.ts';
import type { SipMessage } from '../message/sip-message.ts';

export type HeaderField = readonly [name: string, value: string];

/** Never changed once it is made: several messages may be written from it. */
export interface MessageContent {
  readonly headers: SipHeaders;
  readonly body: string;
}

/** A header field to put in place of what was carried over; `undefined` takes it out. */
export type HeaderChange = readonly [name: string, value: string | undefined];

export const emptyContent: MessageContent = { headers: new SipHeaders(), body: '' };

const contact = headerNameOf('Contact');
const contentType = headerNameOf('Content-Type');
const maxForwards = headerNameOf('Max-Forwards');
const require = headerNameOf('Require');

const perLegFields: ReadonlySet<HeaderName> = new Set(
  [
    ...['Via', 'Route', 'Record-Route', 'From', 'To', 'Call-ID', 'CSeq', 'Max-Forwards', 'Content-Length'],
    // Reliability and replacement are matters of one leg (RFC 3262 §3, RFC 3891 §3); Path and Service-Route of one registration.
    ...['RSeq', 'RAck', 'Replaces', 'Path', 'Service-Route', 'Timestamp'],
    // So is the session timer (session-timer.ts).
    ...['Session-Expires', 'Min-SE'],
  ].map(headerNameOf),
);

/** The option tags of Require that one leg settles by itself. */
const perLegOptions: readonly string[] = ['replaces', 'timer'];
const perLegResponseOptions: readonly string[] = ['replaces', 'timer', '100rel'];

/** The lines stay as they were received. */
export function endToEndContent(message: SipMessage): MessageContent {
  const { body } = message;
  const isRedirecting = message.kind === 'response' && isRedirection(message.statusCode);
  const headers = message.headers.filter((name) => {
    if (name === contentType) return body !== '';
    // A redirection's contacts are its content (RFC 3261 §21.3, §21.4.23).
    if (name === contact) return isRedirecting;
    return !perLegFields.has(name);
  });
  if (headers.has(require))
    leaveOptions(headers, message.kind === 'response' ? perLegResponseOptions : perLegOptions);
  return { headers, body };
}

export function isSessionDescription(message: SipMessage): boolean {
  return message.body !== '' && message.headers.parse(contentType, isSessionDescriptionType) === true;
}

function isSessionDescriptionType(value: string): boolean {
  return /^application\/sdp\b/i.test(value);
}

export function contentOf(
  body: string | undefined,
  changes: readonly HeaderChange[] = [],
  base: readonly HeaderField[] = [],
): MessageContent {
  const headers = new SipHeaders();
  for (const [name, value] of base) headers.appendLast(name, value);
  if (body !== undefined && body !== '') headers.appendLast(contentType, 'application/sdp');
  return changeHeaders({ headers, body: body ?? '' }, changes);
}

export function changeHeaders(content: MessageContent, changes: readonly HeaderChange[]): MessageContent {
  if (changes.length === 0) return content;
  const headers = content.headers.clone();
  for (const [name] of changes) headers.removeAll(name);
  for (const [name, value] of changes) if (value !== undefined) headers.appendLast(name, value);
  return { headers, body: content.body };
}

/** Max-Forwards, which the message has already, is replaced; all others are added. */
export function writeContent(message: SipMessage, content: MessageContent): void {
  const { headers, body } = content;
  const hops = headers.get(maxForwards);
  if (hops !== undefined) message.headers.set(maxForwards, hops);
  message.headers.appendAll(headers, maxForwards);
  message.body = body;
}

function isRedirection(statusCode: number): boolean {
  return (statusCode >= 300 && statusCode < 400) || statusCode === 485;
}

/** Takes the options that are settled out of Require, and the field when none is left. */
function leaveOptions(headers: SipHeaders, settled: readonly string[]): void {
  const options = headers.getAll(require);
  const carried = options.filter((option) => !settled.includes(option.toLowerCase()));
  if (carried.length === options.length) return;
  if (carried.length === 0) headers.removeAll(require);
  else headers.set(require, carried.join(', '));
}
