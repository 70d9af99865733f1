/** The octets of addresses as they stand in the kernel's maps. */
import { parseIpAddress } from '../../base/ip-address.ts';
import { TrimaranError } from '../../base/trimaran-error.ts';

/** Parsed once: a handover brings the addresses of hosts that have been there before. */
export function addressOctets(address: string): Uint8Array {
  const known = knownAddresses.get(address);
  if (known !== undefined) return known;
  const octets = parseIpAddress(address);
  if (octets === undefined) throw new TrimaranError('TRANSLATION_REFUSED', `not an IP address: ${address}`);
  if (knownAddresses.size >= MOST_KNOWN_ADDRESSES) knownAddresses.clear();
  knownAddresses.set(address, octets);
  return octets;
}

const knownAddresses = new Map<string, Uint8Array>();
/** About 8 MB. */
const MOST_KNOWN_ADDRESSES = 65_536;
