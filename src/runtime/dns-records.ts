/** Asks the resolver of this machine (node:dns) in the words of base/network.ts. A failure is as no records: who asked goes on without. */
import { promises as resolver } from 'node:dns';
import type { DnsQuery, DnsRecord } from '../base/network.ts';

export async function resolveRecords({ type, name }: DnsQuery): Promise<readonly DnsRecord[]> {
  try {
    if (type === 'naptr') return (await resolver.resolveNaptr(name)).map((record) => ({ type, ...record }));
    if (type === 'srv')
      return (await resolver.resolveSrv(name)).map(({ name: target, ...record }) => ({
        type,
        target,
        ...record,
      }));
    const addresses = type === 'a' ? await resolver.resolve4(name) : await resolver.resolve6(name);
    return addresses.map((address) => ({ type, address }));
  } catch {
    return [];
  }
}
