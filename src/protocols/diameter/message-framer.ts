/**
 * Cuts Diameter messages out of a byte stream (RFC 6733 §2.1, §3: TCP may split and join them anywhere).
 * A length that cannot be right ends the stream: there is no way to find the next message (RFC 6733 §2.1.1 lets the node close).
 */
import { Malformed } from '../../base/malformed.ts';
import { maximumMessageOctets } from './limits.ts';
import { headerOctets } from './message.ts';

export class MessageFramer {
  #chunks: Uint8Array[] = [];
  #octets = 0;

  push(chunk: Uint8Array): void {
    if (chunk.length === 0) return;
    this.#chunks.push(chunk);
    this.#octets += chunk.length;
  }

  /** The next whole message, undefined when more octets are needed, `Malformed` when the stream is lost. */
  next(): Uint8Array | Malformed | undefined {
    if (this.#octets < 4) return undefined;
    const first = this.#first(4);
    const length = ((first[1] ?? 0) << 16) | ((first[2] ?? 0) << 8) | (first[3] ?? 0);
    if (length < headerOctets || length % 4 !== 0 || length > maximumMessageOctets)
      return new Malformed('Message Length', 1, `RFC 6733 §3: ${length} octets`);
    if (this.#octets < length) return undefined;
    const message = new Uint8Array(this.#first(length).subarray(0, length));
    this.#drop(length);
    return message;
  }

  /** The first chunk, joined with as many others as it takes to hold `octets`. */
  #first(octets: number): Uint8Array {
    let count = 0;
    let sum = 0;
    while (sum < octets) sum += this.#chunks[count++]?.length ?? octets;
    if (count > 1) this.#chunks.splice(0, count, Buffer.concat(this.#chunks.slice(0, count)));
    return this.#chunks[0] ?? new Uint8Array(0);
  }

  #drop(octets: number): void {
    this.#octets -= octets;
    const rest = (this.#chunks[0] ?? new Uint8Array(0)).subarray(octets);
    if (rest.length > 0) this.#chunks[0] = rest;
    else this.#chunks.shift();
  }
}
