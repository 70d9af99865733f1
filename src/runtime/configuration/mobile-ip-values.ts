/** The kinds of values that the configuration of Mobile IP has at both ends: security associations, prefixes, the seed's encapsulation. */
import { z } from 'zod';
import { parseIpAddress } from '../../base/ip-address.ts';
import type { SecurityAssociation } from '../../protocols/mobile-ip/authentication.ts';
import type { TunnelEncapsulation } from '../../protocols/mobile-ip/tunnel-state.ts';
import { ipAddress, secretOfForm } from './configuration-values.ts';
import type { Secret } from './secret.ts';

export interface SecurityAssociationConfiguration {
  readonly spi: number;
  readonly algorithm: SecurityAssociation['algorithm'];
  /** Hexadecimal. */
  readonly key: Secret;
}

/** RFC 5944 §3.5.1: keys of 128 bits are what every node must take. */
const key = secretOfForm({
  pattern: /^(?:[0-9a-f]{2}){16,64}$/i,
  rule: 'a key is 32 to 128 hexadecimal digits, such as "openssl rand -hex 16" prints',
});

export const securityAssociation: z.ZodType<SecurityAssociationConfiguration> = z.strictObject({
  spi: z.number().int().min(256, 'at least 256: the lower ones are reserved (RFC 5944)').max(0xffff_ffff),
  algorithm: z.enum(['hmac-md5', 'hmac-sha256']).default('hmac-sha256'),
  key,
});

export function toSecurityAssociation(configured: SecurityAssociationConfiguration): SecurityAssociation {
  const { spi, algorithm, key: hexadecimal } = configured;
  return { spi, algorithm, key: Uint8Array.from(Buffer.from(hexadecimal.reveal(), 'hex')) };
}

export const tunnelEncapsulation: z.ZodType<TunnelEncapsulation> = z.enum(['rfc3519', 'plain']);

/** Mobile IPv4 has no other. */
export const ipv4Address: z.ZodType<string, string> = ipAddress.refine(
  (address) => !address.includes(':'),
  'must be an IPv4 address',
);

export interface Ipv4Prefix {
  readonly address: string;
  readonly length: number;
}

/** "198.51.100.0/24". */
export const ipv4Prefix: z.ZodType<Ipv4Prefix, string> = z.string().transform((text, context) => {
  const [, address = '', digits] = /^([\d.]+)\/(\d{1,2})$/.exec(text) ?? [];
  const prefix = { address, length: Number(digits) };
  if (parseIpAddress(address) !== undefined && prefix.length >= 8 && prefix.length <= 32) return prefix;
  context.addIssue(`"${text}" is not an IPv4 prefix, such as 198.51.100.0/24`);
  return z.NEVER;
});

export function isOnPrefix(address: string, prefix: Ipv4Prefix): boolean {
  const shift = 32 - prefix.length;
  return numberOf(address) >>> shift === numberOf(prefix.address) >>> shift;
}

function numberOf(address: string): number {
  return parseIpAddress(address)?.reduce((number, octet) => (number << 8) | octet, 0) ?? 0;
}
