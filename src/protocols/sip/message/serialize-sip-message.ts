/**
 * SIP message → octets (RFC 3261 §7). Content-Length always states the length of the body (RFC 3261 §20.14: needed on streams,
 * harmless on datagrams); the line keeps its place and its octets when it is already right.
 */
import type { SipMessage } from './sip-message.ts';

export function serializeSipMessage(message: SipMessage): Uint8Array {
  return Buffer.from(formatSipMessage(message), 'latin1');
}

/** The message as the latin1 text that goes on the wire; for traces and for measuring its length. */
export function formatSipMessage(message: SipMessage): string {
  const { headers, body } = message;
  const length = headers.get('Content-Length');
  if (length === undefined || Number(length) !== body.length)
    headers.set('Content-Length', String(body.length));
  return `${startLineOf(message)}\r\n${headers.toString()}\r\n${body}`;
}

function startLineOf(message: SipMessage): string {
  return message.kind === 'request'
    ? `${message.method} ${message.requestUri} ${message.version}`
    : `SIP/2.0 ${message.statusCode} ${message.reasonPhrase}`;
}
