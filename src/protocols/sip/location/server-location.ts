/**
 * Which servers a SIP URI leads to, best first (RFC 3263 §4): transport by NAPTR, port by SRV, address by A and AAAA. Written as a
 * generator: it yields questions to the DNS and is given the records, so it knows neither sockets nor time.
 *
 *   no port, no transport ── NAPTR ──┐        (none: SRV of each transport)
 *   transport named ─────────────────┴─ SRV ──┐    (none: the domain itself, default port)
 *   port named ──────────────────────────────┴─ AAAA, A ──→ targets
 *
 * Leaves out stateless proxies (§4.4) and where responses go when a connection has gone (§5): to the address of the request.
 */
import type { DnsQuery, DnsRecord } from '../../../base/network.ts';
import { type RandomSource, randomBelow } from '../../../base/random-source.ts';
import type { SipUri } from '../message/sip-uri.ts';
import type { SipTarget, SipTransportProtocol } from '../transaction/sip-event.ts';
import { defaultPortOf } from '../transport/sip-route.ts';
import { maximumTargets } from './limits.ts';

/** What the element that asks can do. */
export interface ClientAbility {
  readonly transports: readonly SipTransportProtocol[];
  readonly families: readonly ('a' | 'aaaa')[];
  readonly random: RandomSource;
}

export type Location = Generator<DnsQuery, readonly SipTarget[], readonly DnsRecord[]>;

type Srv = Extract<DnsRecord, { type: 'srv' }>;

interface Service {
  readonly transport: SipTransportProtocol;
  readonly name: string;
}

const services: readonly {
  readonly naptr: string;
  readonly transport: SipTransportProtocol;
  readonly prefix: string;
}[] = [
  { naptr: 'sip+d2u', transport: 'udp', prefix: '_sip._udp.' },
  { naptr: 'sip+d2t', transport: 'tcp', prefix: '_sip._tcp.' },
  { naptr: 'sips+d2t', transport: 'tls', prefix: '_sips._tcp.' },
];

/** The host of the URI is a name. Without a transport in the URI, and none from the DNS, that of the targets is left to the sender. */
export function* locateServers(uri: SipUri, ability: ClientAbility): Location {
  const domain = (uri.parameters.get('maddr') ?? uri.host).toLowerCase();
  const named = transportOf(uri);
  if (named !== undefined && !ability.transports.includes(named)) return [];
  const finish = (transport: SipTransportProtocol | undefined, address: string, port: number): SipTarget => ({
    ...(transport && { transport }),
    address,
    port,
    // RFC 5922 §4: the certificate is for the domain that was asked for, not for the host that the DNS names.
    ...(transport === 'tls' && { serverName: uri.host.toLowerCase() }),
  });
  if (uri.port === undefined) {
    const wanted = named === undefined ? yield* servicesOf(domain, ability) : [serviceOf(named, domain)];
    const targets: SipTarget[] = [];
    for (const { transport, name } of wanted) {
      const records = (yield { type: 'srv', name }).filter((record): record is Srv => record.type === 'srv');
      for (const { target, port } of inOrder(records, ability.random))
        for (const address of yield* addressesOf(target, ability))
          if (targets.length < maximumTargets) targets.push(finish(transport, address, port));
    }
    if (targets.length > 0) return targets;
  }
  const addresses = yield* addressesOf(domain, ability);
  const port = uri.port ?? defaultPortOf(named);
  return addresses.slice(0, maximumTargets).map((address) => finish(named, address, port));
}

/** RFC 3261 §26.2.2: sips: is TLS, with transport=tcp as well. */
function transportOf({ scheme, parameters }: SipUri): SipTransportProtocol | undefined {
  const named = parameters.get('transport')?.toLowerCase();
  if (scheme === 'sips') return named === 'udp' ? undefined : 'tls';
  return named as SipTransportProtocol | undefined;
}

/** RFC 3263 §4.1: what NAPTR offers, in its order; without any, every service is asked for. */
function* servicesOf(
  domain: string,
  { transports }: ClientAbility,
): Generator<DnsQuery, readonly Service[], readonly DnsRecord[]> {
  const able = services.filter(({ transport }) => transports.includes(transport));
  const records = (yield { type: 'naptr', name: domain })
    .filter((record) => record.type === 'naptr')
    .filter(({ flags }) => flags.toLowerCase() === 's')
    .toSorted((a, b) => a.order - b.order || a.preference - b.preference);
  const offered = records.flatMap(({ service, replacement }) => {
    const known = able.find(({ naptr }) => naptr === service.toLowerCase());
    return known === undefined ? [] : [{ transport: known.transport, name: replacement.toLowerCase() }];
  });
  return offered.length > 0 ? offered : able.map(({ transport }) => serviceOf(transport, domain));
}

function serviceOf(transport: SipTransportProtocol, domain: string): Service {
  const { prefix } = services.find((service) => service.transport === transport)!;
  return { transport, name: `${prefix}${domain}` };
}

function* addressesOf(
  name: string,
  { families }: ClientAbility,
): Generator<DnsQuery, readonly string[], readonly DnsRecord[]> {
  const addresses: string[] = [];
  for (const type of families)
    for (const record of yield { type, name: name.toLowerCase() })
      if (record.type === type) addresses.push(record.address);
  return addresses;
}

/** RFC 2782 "usage rules": by priority, and within one by lot, weighted. A target of "." says that there is no such service. */
function inOrder(records: readonly Srv[], random: RandomSource): Srv[] {
  const left = records.filter(({ target }) => target !== '' && target !== '.');
  const ordered: Srv[] = [];
  while (left.length > 0 && ordered.length < maximumTargets) {
    const priority = Math.min(...left.map((record) => record.priority));
    const candidates = left.filter((record) => record.priority === priority);
    const chosen = drawn(candidates, random);
    left.splice(left.indexOf(chosen), 1);
    ordered.push(chosen);
  }
  return ordered;
}

/** A weight of 0 has its small chance, too: such records stand first. */
function drawn(candidates: readonly Srv[], random: RandomSource): Srv {
  const sorted = candidates.toSorted((a, b) => Math.min(a.weight, 1) - Math.min(b.weight, 1));
  const total = sorted.reduce((sum, { weight }) => sum + weight, 0);
  const lot = randomBelow(random, total + 1);
  let sum = 0;
  for (const record of sorted) {
    sum += record.weight;
    if (sum >= lot) return record;
  }
  return sorted.at(-1)!;
}
