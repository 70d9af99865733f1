/**
 * Cuts Diameter messages out of a byte stream (RFC 6733 §2.1, §3: TCP may split and join them anywhere).
 * A length that cannot be right ends the stream: there is no way to find the next message (RFC 6733 §2.1.1 lets the node close).
 */
import { Malformed } from '../../base/malformed.ts';
import { OctetQueue } from '../../base/octet-queue.ts';
import { maximumMessageOctets } from './limits.ts';
import { headerOctets } from './message.ts';

export class MessageFramer {
  readonly #queue = new OctetQueue();

  push(chunk: Uint8Array): void {
    this.#queue.push(chunk);
  }

  /** The next whole message, undefined when more octets are needed, `Malformed` when the stream is lost. */
  next(): Uint8Array | Malformed | undefined {
    if (this.#queue.length < 4) return undefined;
    const length = this.#queue.uint24At(1);
    if (length < headerOctets || length % 4 !== 0 || length > maximumMessageOctets)
      return new Malformed('Message Length', 1, `RFC 6733 §3: ${length} octets`);
    return this.#queue.length < length ? undefined : this.#queue.take(length);
  }
}
