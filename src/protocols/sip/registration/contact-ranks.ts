/**
 * Whom to try, one rank after the other: the newest flow of every instance at the same time, then the second newest of each. So a mobile
 * node with two registrations rings once, and a second device of the user rings with it (RFC 5626 §7).
 */
import { formatUri } from '../message/sip-uri.ts';
import type { Binding } from './binding.ts';

export function contactRanks(bindings: readonly Binding[]): readonly (readonly Binding[])[] {
  const instances = new Map<string, Binding[]>();
  for (const binding of bindings.toSorted((a, b) => b.since - a.since)) {
    const key = binding.instance ?? formatUri(binding.contact.uri);
    instances.set(key, [...(instances.get(key) ?? []), binding]);
  }
  const ranks: Binding[][] = [];
  for (const flows of instances.values()) {
    for (const [rank, binding] of flows.entries()) ranks[rank] = [...(ranks[rank] ?? []), binding];
  }
  return ranks;
}
