/**
 * The UDP sockets of a tunnel (RFC 3519 §3.1: registrations and tunnel data share a port), made for batches: a buffer for bursts, joined
 * datagrams on receipt, and the DF bit so that the kernel learns each path's MTU (RFC 1191). And that MTU.
 */
import { parseIpAddress } from '../../base/ip-address.ts';
import type { TransportAddress } from '../../base/network.ts';
import { growReceiveBuffer } from './packet-socket.ts';
import { socketAddress } from './socket-address.ts';
import {
  AF_INET,
  bindSocket,
  closeDescriptor,
  connectSocket,
  getSocketOption,
  openSocket,
  SOCK_DGRAM,
  SOL_SOCKET,
  setSocketOption,
} from './system-calls.ts';

/** Binds also to an address that this node does not have yet. */
export function openTunnelSocket(local: TransportAddress): number {
  const fd = openSocket(AF_INET, SOCK_DGRAM, 0);
  try {
    setSocketOption(fd, IPPROTO_IP, IP_FREEBIND, 1);
    setSocketOption(fd, IPPROTO_IP, IP_MTU_DISCOVER, IP_PMTUDISC_DO);
    setSocketOption(fd, SOL_UDP, UDP_GRO, 1);
    growReceiveBuffer(fd, 16_000_000);
    giveWay(fd, true);
    bindSocket(fd, socketAddress(local));
    giveWay(fd, false);
    return fd;
  } catch (error) {
    closeDescriptor(fd);
    throw error;
  }
}

/** Lets another socket that gives way bind to the same address: the successor of one that a thread has not let go of yet. */
export function giveWay(fd: number, isAllowed: boolean): void {
  setSocketOption(fd, SOL_SOCKET, SO_REUSEADDR, isAllowed ? 1 : 0);
}

/** Octets of IP packet that fit the path, as far as the kernel knows. Throws when there is no path. */
export function pathMtu(local: TransportAddress, remote: TransportAddress): number {
  const fd = openSocket(AF_INET, SOCK_DGRAM, 0);
  try {
    bindSocket(fd, socketAddress({ address: local.address, port: 0 }));
    connectSocket(fd, socketAddress(remote));
    const option = getSocketOption(fd, IPPROTO_IP, IP_MTU, 4);
    return new DataView(option.buffer, option.byteOffset).getUint32(0, true);
  } finally {
    closeDescriptor(fd);
  }
}

/** An IPv4 address as a number. Throws RangeError. */
export function ipv4Number(address: string): number {
  const octets = parseIpAddress(address);
  if (octets?.length !== 4) throw new RangeError(`not an IPv4 address: ${address}`);
  return new DataView(octets.buffer).getUint32(0);
}

export function ipv4Text(address: number): string {
  return [address >>> 24, (address >>> 16) & 255, (address >>> 8) & 255, address & 255].join('.');
}

const SO_REUSEADDR = 2;
const IPPROTO_IP = 0;
const IP_MTU_DISCOVER = 10;
const IP_PMTUDISC_DO = 2;
const IP_MTU = 14;
const IP_FREEBIND = 15;
const SOL_UDP = 17;
const UDP_GRO = 104;
