/**
 * P-CSCF (TRIM Fig. 1): which access network a user comes from, by the address that requests really come from. What is known here goes to the
 * core as P-Access-Network-Info with `network-provided` (RFC 7315 §5.4, TS 24.229 §5.2.6), beside what the user says himself.
 */
import { parseIpAddress } from '../../base/ip-address.ts';

export interface AccessNetwork {
  /** "10.1.0.0/24" or "2001:db8:1::/48". */
  readonly prefix: string;
  /** Access type and information of RFC 7315 §5.4, such as "IEEE-802.11;i-wlan-node-id=001122334455". */
  readonly info: string;
}

interface Prefix {
  readonly octets: Uint8Array;
  readonly bits: number;
  readonly info: string;
}

export class AccessNetworks {
  /** The longest first. */
  readonly #prefixes: readonly Prefix[];

  constructor(networks: readonly AccessNetwork[]) {
    this.#prefixes = networks
      .flatMap(({ prefix, info }) => {
        const read = parsePrefix(prefix);
        return read === undefined ? [] : [{ ...read, info }];
      })
      .toSorted((a, b) => b.bits - a.bits);
  }

  /** Value of P-Access-Network-Info for who sends from this address; undefined where nothing is known. */
  infoOf(address: string): string | undefined {
    const octets = parseIpAddress(address);
    const found = octets && this.#prefixes.find((prefix) => isWithin(octets, prefix));
    return found && `${found.info};network-provided`;
  }
}

/** undefined when it is no prefix of IPv4 or IPv6. */
export function parsePrefix(
  text: string,
): { readonly octets: Uint8Array; readonly bits: number } | undefined {
  const [, address = '', length] = /^(.+)\/(\d{1,3})$/.exec(text) ?? [];
  const octets = parseIpAddress(address);
  const bits = Number(length);
  return octets === undefined || bits > octets.length * 8 ? undefined : { octets, bits };
}

function isWithin(address: Uint8Array, { octets, bits }: Prefix): boolean {
  if (address.length !== octets.length) return false;
  return octets.every((octet, index) => {
    const mask = (0xff00 >> Math.min(8, Math.max(0, bits - 8 * index))) & 0xff;
    return (octet & mask) === (address[index]! & mask);
  });
}
