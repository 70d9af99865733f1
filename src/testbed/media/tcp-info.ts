/** What the kernel knows about a TCP connection (struct tcp_info of linux/tcp.h), as far as a measurement needs it. */
import type { Socket } from 'node:net';
import { getSocketOption } from '../../drivers/linux/system-calls.ts';

export interface TcpInfo {
  /** Segments sent and not yet acknowledged. */
  readonly unacknowledged: number;
  readonly acknowledgedOctets: number;
  readonly retransmittedSegments: number;
  /** Undefined before Linux 6.7. */
  readonly retransmissionTimeouts: number | undefined;
  /** The congestion state that follows a retransmission timeout (TCP_CA_Loss). */
  readonly isInLoss: boolean;
}

/** Undefined once the socket is closed. */
export function readTcpInfo(socket: Socket): TcpInfo | undefined {
  const fd = descriptorOf(socket);
  if (fd === undefined) return undefined;
  const octets = getSocketOption(fd, IPPROTO_TCP, TCP_INFO, 256);
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  return {
    unacknowledged: view.getUint32(24, true),
    acknowledgedOctets: Number(view.getBigUint64(120, true)),
    retransmittedSegments: view.getUint32(100, true),
    retransmissionTimeouts: octets.length >= 244 ? view.getUint16(240, true) : undefined,
    isInLoss: view.getUint8(1) === TCP_CA_LOSS,
  };
}

/** Undefined once the socket is closed. */
export function descriptorOf(socket: Socket): number | undefined {
  // Node has no public way to it; it has been at this place since its first versions.
  const fd = (socket as unknown as { readonly _handle?: { readonly fd: number } | null })._handle?.fd;
  return fd === undefined || fd < 0 ? undefined : fd;
}

const IPPROTO_TCP = 6;
const TCP_INFO = 11;
const TCP_CA_LOSS = 4;
