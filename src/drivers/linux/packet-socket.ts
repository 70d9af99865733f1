/**
 * A packet socket on one network interface (packet(7)): whole Ethernet frames in both directions, each after a virtio-net header that
 * carries what is still to be done to it (checksum, segmentation). Frames passed on with their header keep that state; without it
 * the checksums that veth leaves undone would arrive wrong (docs/userplane.md).
 */
import { TrimaranError } from '../../base/trimaran-error.ts';
import { Rtnetlink } from './rtnetlink.ts';
import { bindSocket, openSocket, SOCK_RAW, SOL_SOCKET, setSocketOption } from './system-calls.ts';

/** Of struct virtio_net_hdr, before the frame. */
export const offloadHeaderOctets = 10;
export const ethernetHeaderOctets = 14;

/**
 * Opens the socket in the calling thread's network namespace. It receives what comes in at the interface (and, with `outgoing`, what
 * goes out too) and sends what is written to it. The receive buffer is 16 MB, or what an ordinary user may have (net.core.rmem_max).
 */
export function openPacketSocket(link: string, options: { readonly outgoing: boolean }): number {
  const rtnetlink = new Rtnetlink();
  const index = rtnetlink.linkIndex(link);
  rtnetlink.close();
  // Protocol 0 hears nothing: otherwise frames of every interface would come in until bind.
  const fd = openSocket(AF_PACKET, SOCK_RAW, 0);
  setSocketOption(fd, SOL_PACKET, PACKET_VNET_HDR, 1);
  if (!options.outgoing) setSocketOption(fd, SOL_PACKET, PACKET_IGNORE_OUTGOING, 1);
  growReceiveBuffer(fd, 16_000_000);
  const address = new DataView(new ArrayBuffer(20));
  address.setUint16(0, AF_PACKET, true);
  address.setUint16(2, ETH_P_ALL);
  address.setInt32(4, index, true);
  bindSocket(fd, new Uint8Array(address.buffer));
  return fd;
}

/** As far as the user may: net.core.rmem_max for an ordinary one. */
export function growReceiveBuffer(fd: number, octets: number): void {
  try {
    setSocketOption(fd, SOL_SOCKET, SO_RCVBUFFORCE, octets);
  } catch (error) {
    if (!(error instanceof TrimaranError && error.code === 'EPERM')) throw error;
    setSocketOption(fd, SOL_SOCKET, SO_RCVBUF, octets);
  }
}

const AF_PACKET = 17;
const ETH_P_ALL = 3;
const SOL_PACKET = 263;
const PACKET_VNET_HDR = 15;
const PACKET_IGNORE_OUTGOING = 23;
const SO_RCVBUF = 8;
const SO_RCVBUFFORCE = 33;
