/** The kinds of values that configuration files of all roles share: addresses, durations, names, secrets. */
import { z } from 'zod';
import type { DurationMs } from '../../base/instant.ts';
import { formatIpAddress, parseIpAddress } from '../../base/ip-address.ts';
import type { TransportAddress } from '../../base/network.ts';
import { type SipUri, sipUri } from '../../protocols/sip/message/sip-uri.ts';
import { Secret, type SecretForm, type SecretSource } from './secret.ts';

/** An IP address in its canonical text. */
export const ipAddress: z.ZodType<string, string> = z.string().transform((text, context) => {
  const octets = parseIpAddress(text);
  if (octets !== undefined) return formatIpAddress(octets);
  context.addIssue(`"${text}" is not an IP address, such as 192.0.2.1 or 2001:db8::1`);
  return z.NEVER;
});

/** "192.0.2.1:5060" or "[2001:db8::1]:5060". */
export const transportAddress: z.ZodType<TransportAddress, string> = z.string().transform((text, context) => {
  const [, bracketed, plain, digits] = /^(?:\[(.+)\]|([^:[\]]+)):(\d{1,5})$/.exec(text) ?? [];
  const octets = parseIpAddress(bracketed ?? plain ?? '');
  const port = Number(digits);
  if (octets !== undefined && port >= 1 && port <= 65_535) return { address: formatIpAddress(octets), port };
  context.addIssue(`"${text}" is not an address with a port, such as 192.0.2.1:5060 or [2001:db8::1]:5060`);
  return z.NEVER;
});

/** A server of SIP: an address with its port, or a name, with a port or for the DNS to say (RFC 3263). */
export const sipServer: z.ZodType<TransportAddress | SipUri, string> = z
  .string()
  .transform((text, context) => {
    const [, host, digits] =
      /^((?:[a-z0-9](?:[a-z0-9-]*[a-z0-9])?\.)*[a-z](?:[a-z0-9-]*[a-z0-9])?)(?::(\d{1,5}))?$/i.exec(text) ??
      [];
    const port = digits === undefined ? undefined : Number(digits);
    if (host !== undefined && port !== 0 && (port ?? 0) <= 65_535)
      return sipUri({ host: host.toLowerCase(), port });
    const address = transportAddress.safeParse(text);
    if (address.success) return address.data;
    context.addIssue(
      `"${text}" is neither an address with a port, such as 192.0.2.1:5060, nor a name, such as pcscf.home1.example`,
    );
    return z.NEVER;
  });

const unitsMs: Readonly<Record<string, DurationMs>> = { ms: 1, s: 1000, min: 60_000, h: 3_600_000 };

/** "250ms", "5s", "2min", "1h", in milliseconds. The unit is never left out. */
export const duration: z.ZodType<DurationMs, string> = z
  .string({ error: 'a duration is written with its unit, such as 5s, 250ms, 2min or 1h' })
  .transform((text, context) => {
    const [, number, unit] = /^(\d+(?:\.\d+)?) ?(ms|s|min|h)$/.exec(text) ?? [];
    const unitMs = unitsMs[unit ?? ''];
    if (unitMs !== undefined) return Number(number) * unitMs;
    context.addIssue(`"${text}" is not a duration, such as 5s, 250ms, 2min or 1h`);
    return z.NEVER;
  });

export function secondsOf(ms: DurationMs | undefined): number | undefined {
  return ms === undefined ? undefined : ms / 1000;
}

/** How often a session is refreshed by SIP (RFC 4028 §4: at least 90 s). */
export const sessionInterval: z.ZodType<DurationMs, string> = duration.refine(
  (ms) => ms >= 90_000 && ms % 1000 === 0,
  'at least 90s (RFC 4028), in whole seconds; 30min is usual',
);

/** Inline text, or `{ file: PATH }`. */
export const secret: z.ZodType<Secret, SecretSource> = secretOfForm();

/** A key of 16 octets in hexadecimal. */
export const secretKey: z.ZodType<Secret, SecretSource> = secretOfForm({
  pattern: /^[0-9a-f]{32}$/i,
  rule: 'must be 32 hexadecimal digits',
});

/** A secret that must look like something. */
export function secretOfForm(form?: SecretForm): z.ZodType<Secret, SecretSource> {
  return z
    .union([z.string().min(1), z.strictObject({ file: z.string().min(1) })], {
      error: 'a secret is text, or { file: PATH }',
    })
    .transform((source) => new Secret(source, form));
}
