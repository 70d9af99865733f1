/** struct sockaddr_in and sockaddr_in6, for the system calls that take them. Leaves out scopes and flow labels. */
import { parseIpAddress } from '../../base/ip-address.ts';
import type { TransportAddress } from '../../base/network.ts';
import { AF_INET, AF_INET6 } from './system-calls.ts';

export function socketAddress({ address, port }: TransportAddress): Uint8Array {
  const octets = parseIpAddress(address);
  if (octets === undefined) throw new RangeError(`not an IP address: ${address}`);
  const isIpv4 = octets.length === 4;
  const encoded = new Uint8Array(isIpv4 ? 16 : 28);
  const view = new DataView(encoded.buffer);
  view.setUint16(0, isIpv4 ? AF_INET : AF_INET6, true);
  view.setUint16(2, port);
  encoded.set(octets, isIpv4 ? 4 : 8);
  return encoded;
}
