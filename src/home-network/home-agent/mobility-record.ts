/**
 * What the home agent knows of one mobile node (RFC 5944 §3.8.1 "mobility binding list", RFC 7629 §3): a value that is replaced as a
 * whole, so that a change counts when it is in the journal and not before. Here is also what it means for the tunnel: which packets go
 * over which binding.
 */
import type { Instant } from '../../base/instant.ts';
import type { TransportAddress } from '../../base/network.ts';
import type { ReplayState } from '../../protocols/mobile-ip/replay-window.ts';
import type {
  TunnelBinding,
  TunnelEncapsulation,
  TunnelEndpoint,
  TunnelRule,
  TunnelSelector,
} from '../../protocols/mobile-ip/tunnel-state.ts';

export interface Binding {
  /** BID of RFC 7629; undefined for one that was registered without (RFC 5944, S flag). */
  readonly bindingId: number | undefined;
  readonly careOfAddress: string;
  readonly local: TransportAddress;
  /** Where the request came from: behind address translation not the care-of address. */
  readonly remote: TransportAddress;
  readonly encapsulation: TunnelEncapsulation;
  /** Of the request that made or renewed it. */
  readonly identification: bigint;
  /** As granted. */
  readonly lifetimeSeconds: number;
  readonly expiresAt: Instant;
  /** The mobile node understands revocation (RFC 3543), with or without the I bit. */
  readonly revocation: 'unsupported' | 'supported' | 'informs';
}

export interface FlowRule {
  readonly selector: TunnelSelector;
  /** In order of preference; empty means that the packets are dropped. */
  readonly bindingIds: readonly number[];
}

export interface MobilityRecord {
  readonly homeAddress: string;
  /** Oldest first. */
  readonly bindings: readonly Binding[];
  readonly flows: readonly FlowRule[];
  /** Of the request that `flows` came with. */
  readonly flowsIdentification?: bigint;
  readonly replay: ReplayState;
}

/** Whose binding cache it is. */
export interface TunnelAgent {
  readonly address: string;
  readonly role: 'home-agent' | 'correspondent';
}

export function emptyRecord(homeAddress: string): MobilityRecord {
  return { homeAddress, bindings: [], flows: [], replay: { paths: new Map() } };
}

/** The record without the bindings that have run out; the same one if none has. */
export function withoutExpired(record: MobilityRecord, now: Instant): MobilityRecord {
  if (record.bindings.every(({ expiresAt }) => expiresAt > now)) return record;
  return { ...record, bindings: record.bindings.filter(({ expiresAt }) => expiresAt > now) };
}

export function tunnelBindingOf(record: MobilityRecord, agent: TunnelAgent): TunnelBinding {
  const correspondent = agent.role === 'correspondent' ? { correspondentAddress: agent.address } : {};
  const endpointOf = ({ local, remote, encapsulation }: Binding): TunnelEndpoint => {
    return { local, remote, encapsulation, ...correspondent };
  };
  const rules: TunnelRule[] = [];
  for (const { selector, bindingIds } of record.flows) {
    const chosen = firstLive(record, bindingIds);
    const endpoints = chosen === undefined ? [] : [endpointOf(chosen)];
    if (chosen !== undefined || bindingIds.length === 0)
      rules.push({ selector: { ...correspondent, ...selector }, endpoints });
  }
  rules.push({ selector: correspondent, endpoints: defaultBindings(record).map(endpointOf) });
  const { homeAddress, bindings } = record;
  return { homeAddress, homeAgent: agent.address, endpoints: bindings.map(endpointOf), rules };
}

/** The binding that packets take which no narrower rule names. */
export function forwardingBinding(record: MobilityRecord): Binding | undefined {
  const rule = record.flows.find(
    ({ selector, bindingIds }) =>
      Object.keys(selector).length === 0 && firstLive(record, bindingIds) !== undefined,
  );
  return rule === undefined ? defaultBindings(record).at(0) : firstLive(record, rule.bindingIds);
}

/** RFC 7629 §4.2: the first in the list that is registered. */
function firstLive(record: MobilityRecord, bindingIds: readonly number[]): Binding | undefined {
  for (const id of bindingIds) {
    const binding = record.bindings.find(({ bindingId }) => bindingId === id);
    if (binding !== undefined) return binding;
  }
  return undefined;
}

/**
 * Without flow bindings the newest of several paths forwards: RFC 7629 §6 leaves this to configuration. Simultaneous bindings of
 * RFC 5944 each get a copy (§3.6.1.2).
 */
function defaultBindings({ bindings }: MobilityRecord): readonly Binding[] {
  const paths = bindings.filter(({ bindingId }) => bindingId !== undefined);
  return paths.length > 0 ? paths.slice(-1) : bindings;
}

/** An address translator stands between; others may be behind the same one (RFC 3519 §4.3). */
export function isBehindNat({ careOfAddress, remote }: Pick<Binding, 'careOfAddress' | 'remote'>): boolean {
  return remote.address !== careOfAddress;
}

/**
 * Every address that is the mobile node's alone: at home, and over each access that translates no addresses. A private care-of address, and
 * what a translator makes of it, others have too.
 */
export function addressesOf({ homeAddress, bindings }: MobilityRecord): readonly string[] {
  const own = bindings.filter((binding) => !isBehindNat(binding));
  return [homeAddress, ...own.map(({ careOfAddress }) => careOfAddress)];
}
