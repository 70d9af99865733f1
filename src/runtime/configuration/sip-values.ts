/**
 * What the configuration files of SIP servers share (`sip`, `hosts`, `dns`, `tls`): where they listen, and how they find others. A host may say its
 * transport, as in a URI: `hosts: { home1.example: "192.0.2.1:5061;transport=tls" }`.
 */
import { z } from 'zod';
import type { TransportAddress, TransportProtocol } from '../../base/network.ts';
import type { HostAddress } from '../../protocols/sip/proxy/next-hop.ts';
import type { SipListener } from '../../protocols/sip/transport/sip-transport.ts';
import { transportAddress } from './configuration-values.ts';
import { type TlsConfiguration, tlsSchema } from './tls-values.ts';

type HostTable = ReadonlyMap<string, HostAddress>;

export interface SipConfiguration {
  /** UDP and TCP. */
  readonly sip: TransportAddress;
  /** What stands in place of the DNS. */
  readonly hosts: HostTable;
  /** Names that are not in `hosts` are looked for in the DNS (RFC 3263). */
  readonly dns?: boolean | undefined;
  /** It listens for TLS, too, and shows this certificate to whom it calls by TLS. */
  readonly tls?: TlsConfiguration | undefined;
}

const hostAddress: z.ZodType<HostAddress, string> = z.string().transform((text, context) => {
  const [, place = '', transport] = /^(.*?)(?:;transport=(udp|tcp|tls))?$/.exec(text) ?? [];
  const address = transportAddress.safeParse(place);
  if (address.success)
    return transport === undefined
      ? address.data
      : { ...address.data, transport: transport as TransportProtocol };
  for (const { message } of address.error.issues) context.addIssue(message);
  return z.NEVER;
});

/** Host names to addresses. Names are compared in lower case. */
export const hostTable: z.ZodType<HostTable, Record<string, string>> = z
  .record(z.string(), hostAddress)
  .transform(
    (table) => new Map(Object.entries(table).map(([name, address]) => [name.toLowerCase(), address])),
  );

/** Keys of a strictObject. */
export const sipKeys: {
  readonly sip: typeof transportAddress;
  readonly hosts: z.ZodDefault<typeof hostTable>;
  readonly dns: z.ZodOptional<z.ZodBoolean>;
  readonly tls: z.ZodOptional<typeof tlsSchema>;
} = {
  sip: transportAddress,
  hosts: hostTable.default(new Map()),
  dns: z.boolean().optional(),
  tls: tlsSchema.optional(),
};

/** The same for the options of a machine. The address also stands in the function's own URIs. */
export function toSip(
  { sip, hosts, dns = false, tls }: SipConfiguration,
  furtherAddresses: readonly TransportAddress[] = [],
): {
  readonly address: TransportAddress;
  readonly listen: readonly SipListener[];
  readonly hosts: HostTable;
  readonly locatesServers: boolean;
} {
  const listen = [sip, ...furtherAddresses].flatMap((place): SipListener[] => [
    { transport: 'udp', ...place },
    { transport: 'tcp', ...place },
    ...(tls === undefined ? [] : [{ transport: 'tls' as const, address: place.address, port: tls.port }]),
  ]);
  return { address: sip, listen, hosts, locatesServers: dns };
}
