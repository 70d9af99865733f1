/** Reads from an Ethernet frame which UDP or TCP flow it belongs to. Fragments but the first, other protocols and VLAN tags are nobody's. */
import { formatIpAddress } from '../../base/ip-address.ts';
import { formatTransportAddress } from '../../base/network.ts';

export interface Flow {
  readonly protocol: 'udp' | 'tcp';
  /** "address:port" */
  readonly source: string;
  readonly destination: string;
}

export function flowOfFrame(frame: Uint8Array): Flow | undefined {
  const view = new DataView(frame.buffer, frame.byteOffset, frame.byteLength);
  if (frame.length < ETHERNET_OCTETS) return undefined;
  const etherType = view.getUint16(12);
  if (etherType === ETHERTYPE_IPV4 && frame.length >= ETHERNET_OCTETS + 20) {
    const isLaterFragment = (view.getUint16(ETHERNET_OCTETS + 6) & 0x1fff) !== 0;
    const transportAt = ETHERNET_OCTETS + 4 * (view.getUint8(ETHERNET_OCTETS) & 15);
    const protocol = view.getUint8(ETHERNET_OCTETS + 9);
    return isLaterFragment ? undefined : flowAt(view, protocol, ETHERNET_OCTETS + 12, 4, transportAt);
  }
  if (etherType === ETHERTYPE_IPV6 && frame.length >= ETHERNET_OCTETS + 40)
    return flowAt(view, view.getUint8(ETHERNET_OCTETS + 6), ETHERNET_OCTETS + 8, 16, ETHERNET_OCTETS + 40);
  return undefined;
}

function flowAt(
  view: DataView,
  protocol: number,
  sourceAt: number,
  addressOctets: number,
  transportAt: number,
): Flow | undefined {
  if ((protocol !== IPPROTO_UDP && protocol !== IPPROTO_TCP) || view.byteLength < transportAt + 4)
    return undefined;
  const address = (at: number): string =>
    formatIpAddress(new Uint8Array(view.buffer, view.byteOffset + at, addressOctets));
  const end = (addressAt: number, portAt: number): string =>
    formatTransportAddress({ address: address(addressAt), port: view.getUint16(portAt) });
  return {
    protocol: protocol === IPPROTO_UDP ? 'udp' : 'tcp',
    source: end(sourceAt, transportAt),
    destination: end(sourceAt + addressOctets, transportAt + 2),
  };
}

const ETHERNET_OCTETS = 14;
const ETHERTYPE_IPV4 = 0x0800;
const ETHERTYPE_IPV6 = 0x86dd;
const IPPROTO_UDP = 17;
const IPPROTO_TCP = 6;
