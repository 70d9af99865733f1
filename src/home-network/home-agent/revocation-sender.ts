/**
 * Registration revocation by the home agent (RFC 3543 §3.3, §3.4): tells the mobile node that a binding is gone, again with growing
 * intervals until it acknowledges, the binding would have run out anyway, or it registers anew. Each message has an identifier of its own,
 * which is a timestamp: a mobile node has to take an equal one for a replay.
 */
import { DeadlineQueue } from '../../base/deadline-queue.ts';
import type { DurationMs, Instant } from '../../base/instant.ts';
import type { Timeout } from '../../base/machine.ts';
import type { TransportAddress } from '../../base/network.ts';
import type { RegistrationRevocation } from '../../protocols/mobile-ip/message.ts';
import { ntpSeconds } from '../../protocols/mobile-ip/timestamp.ts';
import { revocationIntervalMs, revocationTimes } from './limits.ts';
import type { Binding } from './mobility-record.ts';

interface Revocation {
  readonly homeAddress: string;
  readonly binding: Binding;
  /** Of the messages sent: any may be acknowledged. */
  readonly identifiers: number[];
}

export interface RevocationMessage {
  readonly homeAddress: string;
  readonly local: TransportAddress;
  readonly remote: TransportAddress;
  readonly message: RegistrationRevocation;
}

export class RevocationSender {
  readonly #homeAgent: string;
  readonly #timeOfDayOffsetMs: DurationMs;
  readonly #revocations = new Map<string, Revocation>();
  readonly #deadlines = new DeadlineQueue<string>();

  constructor(homeAgent: string, timeOfDayOffsetMs: DurationMs) {
    this.#homeAgent = homeAgent;
    this.#timeOfDayOffsetMs = timeOfDayOffsetMs;
  }

  /** The first messages are due at once. */
  revoke(homeAddress: string, bindings: readonly Binding[], now: Instant): void {
    for (const binding of bindings) {
      if (binding.revocation === 'unsupported') continue;
      const key = `${homeAddress} ${binding.careOfAddress}`;
      this.#revocations.set(key, { homeAddress, binding, identifiers: [] });
      this.#deadlines.set(key, now, 'revocation');
    }
  }

  /** There is a new registration of that care-of address. */
  cancel(homeAddress: string, careOfAddress: string): void {
    const key = `${homeAddress} ${careOfAddress}`;
    this.#revocations.delete(key);
    this.#deadlines.delete(key);
  }

  /** The care-of address whose revocation has been acknowledged; undefined when there is none such. */
  acknowledge(homeAddress: string, identifier: number): string | undefined {
    for (const revocation of this.#revocations.values()) {
      const { careOfAddress } = revocation.binding;
      if (revocation.homeAddress !== homeAddress || !revocation.identifiers.includes(identifier)) continue;
      this.cancel(homeAddress, careOfAddress);
      return careOfAddress;
    }
    return undefined;
  }

  handleTimeout(now: Instant): readonly RevocationMessage[] {
    const messages: RevocationMessage[] = [];
    for (let key = this.#deadlines.takeDue(now); key !== undefined; key = this.#deadlines.takeDue(now)) {
      const revocation = this.#revocations.get(key)!;
      const { binding, identifiers } = revocation;
      if (identifiers.length >= revocationTimes || binding.expiresAt <= now) this.#revocations.delete(key);
      else {
        messages.push(this.#message(revocation, now));
        this.#deadlines.set(key, now + revocationIntervalMs * 2 ** (identifiers.length - 1), 'revocation');
      }
    }
    return messages;
  }

  pollTimeout(): Timeout | undefined {
    return this.#deadlines.peek();
  }

  #message({ homeAddress, binding, identifiers }: Revocation, now: Instant): RevocationMessage {
    const revocationIdentifier = ntpSeconds(now + this.#timeOfDayOffsetMs);
    identifiers.push(revocationIdentifier);
    const { local, remote, careOfAddress, revocation } = binding;
    const message: RegistrationRevocation = {
      kind: 'registration-revocation',
      byHomeAgent: true,
      informs: revocation === 'informs',
      homeAddress,
      homeDomainAddress: this.#homeAgent,
      foreignDomainAddress: careOfAddress,
      revocationIdentifier,
      extensions: [],
    };
    return { homeAddress, local, remote, message };
  }
}
