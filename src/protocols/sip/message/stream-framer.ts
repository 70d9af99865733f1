/**
 * Cuts a TCP byte stream into SIP messages (RFC 3261 §18.3, §7.5) and sees the keep-alives of RFC 5626 §4.4.1. A stream in which
 * Content-Length is missing, wrong or too large cannot be cut any further: the owner closes the connection.
 */
import { Malformed } from '../../../base/malformed.ts';
import { OctetQueue } from '../../../base/octet-queue.ts';
import { maximumMessageOctets } from './parse-sip-message.ts';
import { unfoldedValue } from './unfolded-value.ts';

export type StreamFrame =
  | { readonly kind: 'message'; readonly octets: Uint8Array }
  /** CRLF CRLF between messages; the answer is one CRLF. A single CRLF is the answer to ours and is swallowed. */
  | { readonly kind: 'ping' };

export class StreamFramer {
  readonly #queue = new OctetQueue();
  /** No empty line ends among so many octets at the front, so that a header part that trickles in is scanned once. */
  #scanned = 0;
  /** Octets of the message at the front, once its headers are there: they are read once, however slowly its body trickles in. */
  #messageOctets: number | undefined;
  #fault: Malformed | undefined;

  push(octets: Uint8Array): void {
    if (this.#fault === undefined) this.#queue.push(octets);
  }

  /** The next whole frame; `undefined` when more octets are needed; `Malformed`, from then on, when the stream is beyond repair. */
  pollFrame(): StreamFrame | Malformed | undefined {
    if (this.#fault !== undefined) return this.#fault;
    const waiting = this.#queue.waiting;
    if (isCrlf(waiting, 0)) return this.#takeEmptyLines(waiting);
    this.#messageOctets ??= this.#readHeaders(waiting);
    if (this.#fault !== undefined) return this.#fault;
    if (this.#messageOctets === undefined || this.#messageOctets > waiting.length) return undefined;
    return { kind: 'message', octets: this.#take(this.#messageOctets) };
  }

  /** How long the message is; `undefined` when its headers are not all there, or are its end. */
  #readHeaders(waiting: Buffer): number | undefined {
    const bodyStart = this.#endOfHeaders(waiting);
    if (bodyStart === undefined) {
      if (waiting.length > maximumMessageOctets) this.#fail('message', tooLong);
      return undefined;
    }
    const contentLength = contentLengthOf(waiting.toString('latin1', 0, bodyStart));
    const length = bodyStart + (contentLength ?? 0);
    // Length first: of headers that trickle in, nothing else is seen before they are too long.
    if (length > maximumMessageOctets) this.#fail('message', tooLong);
    else if (contentLength === undefined)
      this.#fail('Content-Length', 'RFC 3261 §20.14: one number, on every message');
    return length;
  }

  #takeEmptyLines(waiting: Buffer): StreamFrame | Malformed | undefined {
    if (isCrlf(waiting, 2)) {
      this.#take(4);
      return { kind: 'ping' };
    }
    // One CRLF may be the first half of a ping: wait for the octets that tell.
    if (waiting.length === 2 || (waiting.length === 3 && waiting[2] === 0x0d)) return undefined;
    this.#take(2);
    return this.pollFrame();
  }

  #endOfHeaders(waiting: Buffer): number | undefined {
    const index = waiting.indexOf('\r\n\r\n', Math.max(0, this.#scanned - 3), 'latin1');
    this.#scanned = waiting.length;
    return index < 0 ? undefined : index + 4;
  }

  #take(octets: number): Uint8Array {
    this.#scanned = 0;
    this.#messageOctets = undefined;
    return this.#queue.take(octets);
  }

  #fail(field: string, rule: string): void {
    this.#fault = new Malformed(field, 0, rule);
    this.#queue.clear();
  }
}

function isCrlf(octets: Buffer, at: number): boolean {
  return octets[at] === 0x0d && octets[at + 1] === 0x0a;
}

const tooLong = 'RFC 3261 §18.1.1: no message here is longer than 65535 octets';

/** `undefined` when it is missing, no number, or stands there twice with two values. */
function contentLengthOf(headerText: string): number | undefined {
  const unfolded = headerText.replace(/\r\n[ \t]+/g, ' ');
  const lines = unfolded.matchAll(/\r\n(?:content-length|l)[ \t]*:([^\r\n]*)(?=\r\n)/gi);
  const [first, ...others] = Array.from(lines, ([, value = '']) => unfoldedValue(value, 0, value.length));
  if (first === undefined || !/^\d{1,6}$/.test(first) || others.some((value) => value !== first))
    return undefined;
  return Number(first);
}
