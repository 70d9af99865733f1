/**
 * Cuts a TCP byte stream into SIP messages (RFC 3261 §18.3, §7.5) and sees the keep-alives of RFC 5626 §4.4.1. A stream in which
 * Content-Length is missing, wrong or too large cannot be cut any further: the owner closes the connection.
 */
import { Malformed } from '../../../base/malformed.ts';
import { maximumMessageOctets } from './parse-sip-message.ts';
import { unfoldedValue } from './unfolded-value.ts';

export type StreamFrame =
  | { readonly kind: 'message'; readonly octets: Uint8Array }
  /** CRLF CRLF between messages; the answer is one CRLF. A single CRLF is the answer to ours and is swallowed. */
  | { readonly kind: 'ping' };

export class StreamFramer {
  /** Received octets that are not yet handed out stand in [#start, #end). */
  #buffer: Buffer = Buffer.alloc(4096);
  #start = 0;
  #end = 0;
  /** No empty line ends before this index, so that a header part that trickles in is scanned once. */
  #scanned = 0;
  /** Octets of the message that begins at #start, once its headers are there: they are read once, however slowly its body trickles in. */
  #messageOctets: number | undefined;
  #fault: Malformed | undefined;

  push(octets: Uint8Array): void {
    if (this.#fault !== undefined) return;
    this.#makeRoom(octets.length);
    this.#buffer.set(octets, this.#end);
    this.#end += octets.length;
  }

  /** The next whole frame; `undefined` when more octets are needed; `Malformed`, from then on, when the stream is beyond repair. */
  pollFrame(): StreamFrame | Malformed | undefined {
    if (this.#fault !== undefined) return this.#fault;
    if (this.#startsWithCrlf(0)) return this.#takeEmptyLines();
    this.#messageOctets ??= this.#readHeaders();
    if (this.#fault !== undefined) return this.#fault;
    if (this.#messageOctets === undefined || this.#messageOctets > this.#end - this.#start) return undefined;
    return { kind: 'message', octets: this.#take(this.#start + this.#messageOctets) };
  }

  /** How long the message is; `undefined` when its headers are not all there, or are its end. */
  #readHeaders(): number | undefined {
    const bodyStart = this.#endOfHeaders();
    if (bodyStart === undefined) {
      if (this.#end - this.#start > maximumMessageOctets) this.#fail('message', tooLong);
      return undefined;
    }
    const contentLength = contentLengthOf(this.#buffer.toString('latin1', this.#start, bodyStart));
    const length = bodyStart - this.#start + (contentLength ?? 0);
    if (contentLength === undefined)
      this.#fail('Content-Length', 'RFC 3261 §20.14: one number, on every message');
    else if (length > maximumMessageOctets) this.#fail('message', tooLong);
    return length;
  }

  #takeEmptyLines(): StreamFrame | Malformed | undefined {
    if (this.#startsWithCrlf(2)) {
      this.#take(this.#start + 4);
      return { kind: 'ping' };
    }
    // One CRLF may be the first half of a ping: wait for the octets that tell.
    const length = this.#end - this.#start;
    if (length === 2 || (length === 3 && this.#buffer[this.#start + 2] === 0x0d)) return undefined;
    this.#take(this.#start + 2);
    return this.pollFrame();
  }

  #startsWithCrlf(at: number): boolean {
    const index = this.#start + at;
    return index + 2 <= this.#end && this.#buffer[index] === 0x0d && this.#buffer[index + 1] === 0x0a;
  }

  #endOfHeaders(): number | undefined {
    const from = Math.max(this.#start, this.#scanned - 3);
    const index = this.#buffer.subarray(0, this.#end).indexOf('\r\n\r\n', from, 'latin1');
    // Where the empty line was found the next look finds it again at once; a long body is not searched.
    this.#scanned = index < 0 ? this.#end : index + 3;
    return index < 0 ? undefined : index + 4;
  }

  #take(end: number): Uint8Array {
    const octets = new Uint8Array(this.#buffer.subarray(this.#start, end));
    this.#start = end;
    this.#scanned = end;
    this.#messageOctets = undefined;
    return octets;
  }

  #fail(field: string, rule: string): void {
    this.#fault = new Malformed(field, 0, rule);
    this.#buffer = Buffer.alloc(0);
  }

  /** Moves what is left to the front, and doubles the buffer when that is not enough, so that each octet is copied a bounded number of times. */
  #makeRoom(octets: number): void {
    if (this.#end + octets <= this.#buffer.length) return;
    const length = this.#end - this.#start;
    const size = length + octets <= this.#buffer.length / 2 ? this.#buffer.length : 2 * (length + octets);
    const buffer = Buffer.alloc(size);
    this.#buffer.copy(buffer, 0, this.#start, this.#end);
    this.#buffer = buffer;
    this.#scanned = Math.max(0, this.#scanned - this.#start);
    this.#start = 0;
    this.#end = length;
  }
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
