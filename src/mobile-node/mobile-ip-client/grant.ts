/** What a home agent's reply that accepts a registration grants (RFC 5944 §3.6.2.2, RFC 3519 §3.2, RFC 3543 §3.5). */
import type { DurationMs } from '../../base/instant.ts';
import type { RegistrationReply } from '../../protocols/mobile-ip/message.ts';
import { defaultKeepaliveSeconds, minimumKeepaliveMs } from './limits.ts';

export interface Grant {
  readonly lifetimeSeconds: number;
  readonly keepaliveMs: DurationMs;
  /** The agent saw another address than the care-of address. */
  readonly isBehindNat: boolean;
  /** Of an agent that revokes bindings, by its clock. */
  readonly revocationTimestamp: number | undefined;
}

/** Undefined without a UDP tunnel: there is none without an assenting reply (RFC 3519 §3.1.1), and we have no other. */
export function grantOf(reply: RegistrationReply, askedSeconds: number): Grant | undefined {
  const lifetimeSeconds = Math.min(reply.lifetimeSeconds, askedSeconds);
  const tunnel = reply.extensions.find((extension) => extension.kind === 'udp-tunnel-reply');
  if (tunnel === undefined || tunnel.code >= 64 || lifetimeSeconds === 0) return undefined;
  const keepaliveMs = 1000 * (tunnel.keepaliveSeconds || defaultKeepaliveSeconds);
  const support = reply.extensions.find((extension) => extension.kind === 'revocation-support');
  return {
    lifetimeSeconds,
    keepaliveMs: Math.max(keepaliveMs, minimumKeepaliveMs),
    // Forced means in spite of there being no address translation.
    isBehindNat: !tunnel.forced,
    revocationTimestamp: support?.timestamp,
  };
}
