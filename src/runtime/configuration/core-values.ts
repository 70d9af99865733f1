/** What the configuration files of IMS core functions share: their place in the Diameter network, and where they keep their journals. */
import { z } from 'zod';
import type { DurationMs } from '../../base/instant.ts';
import type { TransportAddress } from '../../base/network.ts';
import type { CxClientOptions } from '../../protocols/diameter/cx-client.ts';
import { duration, transportAddress } from './configuration-values.ts';

/** Of a CSCF that asks an HSS. */
export interface CxConfiguration {
  /** Its own DiameterIdentity and realm. */
  readonly identity: string;
  readonly realm: string;
  /** The preferred one first. */
  readonly hss: readonly { readonly identity: string; readonly address: TransportAddress }[];
  /** How long after a lost connection it is tried again (Tc of RFC 6733, which recommends 30 s: too long for who wants to register). */
  readonly reconnect: DurationMs;
}

export const diameterIdentity: z.ZodType<string> = z
  .string()
  .regex(/^[\w-]+(\.[\w-]+)*$/, 'a DiameterIdentity is a name, such as hss.home1.example');

export const cxSchema: z.ZodType<CxConfiguration> = z.strictObject({
  identity: diameterIdentity,
  realm: diameterIdentity,
  hss: z.array(z.strictObject({ identity: diameterIdentity, address: transportAddress })).min(1),
  reconnect: duration.default(5000),
});

/** A directory of its own for each function, or one for all: the files have the functions' names. */
export const journalDirectory: z.ZodType<string | undefined> = z.string().min(1).optional();

export function toCxClient({ identity, realm, hss, reconnect }: CxConfiguration): CxClientOptions {
  return {
    originHost: identity,
    originRealm: realm,
    originStateId: originStateId(),
    peers: hss.map(({ identity: host, address }) => ({ host, address })),
    timers: { reconnectMs: reconnect },
  };
}

/** Seconds since 1970 grow from one start to the next (RFC 6733 §8.16). */
export function originStateId(): number {
  return Math.floor(Date.now() / 1000);
}
