/**
 * What a B2BUA carries from one leg to the other (RFC 3261 §6, §16.6 by analogy): body and end-to-end header fields, unknown ones
 * included. Fields that name a dialog, a transaction, a hop or a number of one leg stay behind and are made anew by the other leg.
 */
import type { SipMessage } from '../message/sip-message.ts';

export type HeaderField = readonly [name: string, value: string];

export interface MessageContent {
  readonly headers: readonly HeaderField[];
  readonly body: string;
}

/** A header field to put in place of what was carried over; `undefined` takes it out. */
export type HeaderChange = readonly [name: string, value: string | undefined];

export const emptyContent: MessageContent = { headers: [], body: '' };

const perLegFields: ReadonlySet<string> = new Set([
  ...[
    'Via',
    'Route',
    'Record-Route',
    'From',
    'To',
    'Call-ID',
    'CSeq',
    'Contact',
    'Max-Forwards',
    'Content-Length',
  ],
  // Reliability and replacement are matters of one leg (RFC 3262 §3, RFC 3891 §3); Path and Service-Route of one registration.
  ...['RSeq', 'RAck', 'Replaces', 'Path', 'Service-Route', 'Timestamp'],
  // So is the session timer (session-timer.ts).
  ...['Session-Expires', 'Min-SE'],
]);

/** The option tags of Require that one leg settles by itself. */
const perLegOptions: ReadonlySet<string> = new Set(['replaces', 'timer']);
const perLegResponseOptions: ReadonlySet<string> = new Set(['replaces', 'timer', '100rel']);

export function endToEndContent(message: SipMessage): MessageContent {
  const headers = message.headers.entries().filter(([name]) => isEndToEnd(name, message));
  return { headers: headers.flatMap((field) => carriedField(field, message)), body: message.body };
}

export function isSessionDescription(message: SipMessage): boolean {
  return message.body !== '' && /^application\/sdp\b/i.test(message.headers.get('Content-Type') ?? '');
}

export function contentOf(
  body: string | undefined,
  changes: readonly HeaderChange[] = [],
  base: readonly HeaderField[] = [],
): MessageContent {
  const headers: HeaderField[] =
    body === undefined || body === '' ? [...base] : [...base, ['Content-Type', 'application/sdp']];
  return changeHeaders({ headers, body: body ?? '' }, changes);
}

export function changeHeaders(content: MessageContent, changes: readonly HeaderChange[]): MessageContent {
  const changed = new Set(changes.map(([name]) => name.toLowerCase()));
  const kept = content.headers.filter(([name]) => !changed.has(name.toLowerCase()));
  const added = changes.filter((change): change is HeaderField => change[1] !== undefined);
  return { headers: [...kept, ...added], body: content.body };
}

/** Fields that the message has already (Max-Forwards) are replaced, all others added. */
export function writeContent(message: SipMessage, content: MessageContent): void {
  for (const [name, value] of content.headers) {
    if (name === 'Max-Forwards') message.headers.set(name, value);
    else message.headers.appendLast(name, value);
  }
  message.body = content.body;
}

function isEndToEnd(name: string, message: SipMessage): boolean {
  if (name === 'Content-Type') return message.body !== '';
  // A redirection's contacts are its content (RFC 3261 §21.3, §21.4.23).
  if (name === 'Contact' && message.kind === 'response') return isRedirection(message.statusCode);
  return !perLegFields.has(name);
}

function isRedirection(statusCode: number): boolean {
  return (statusCode >= 300 && statusCode < 400) || statusCode === 485;
}

function carriedField([name, value]: HeaderField, message: SipMessage): HeaderField[] {
  if (name !== 'Require') return [[name, value]];
  const settled = message.kind === 'response' ? perLegResponseOptions : perLegOptions;
  const options = value.split(',').map((option) => option.trim());
  const carried = options.filter((option) => !settled.has(option.toLowerCase()));
  return carried.length === 0 ? [] : [[name, carried.join(', ')]];
}
