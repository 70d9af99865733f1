/**
 * What TCP connections of the lab's programs control congestion with: the same on every machine, whose default may be another. Set per
 * connection (tcp(7), TCP_CONGESTION): a network namespace takes by sysctl only what its host lets ordinary users have.
 */
import type { Socket } from 'node:net';
import { TrimaranError } from '../../base/trimaran-error.ts';
import {
  AF_INET,
  closeDescriptor,
  getSocketOption,
  openSocket,
  SOCK_STREAM,
  setSocketOption,
} from '../../drivers/linux/system-calls.ts';
import { descriptorOf } from './tcp-info.ts';

/** The wanted one, or what the kernel takes by itself where it lacks that one. */
export function availableCongestionControl(wanted: string): string {
  const fd = openSocket(AF_INET, SOCK_STREAM, 0);
  try {
    try {
      setSocketOption(fd, IPPROTO_TCP, TCP_CONGESTION, Buffer.from(wanted));
    } catch (error) {
      if (!(error instanceof TrimaranError)) throw error;
    }
    const name = Buffer.from(getSocketOption(fd, IPPROTO_TCP, TCP_CONGESTION, TCP_CA_NAME_MAX));
    return name.toString('latin1').replace(/\0.*$/s, '');
  } finally {
    closeDescriptor(fd);
  }
}

/** Does nothing once the socket is closed. */
export function setCongestionControl(socket: Socket, name: string): void {
  const fd = descriptorOf(socket);
  if (fd !== undefined) setSocketOption(fd, IPPROTO_TCP, TCP_CONGESTION, Buffer.from(name));
}

const IPPROTO_TCP = 6;
const TCP_CONGESTION = 13;
const TCP_CA_NAME_MAX = 16;
