/**
 * A TUN device: a network interface whose other end is this process (Documentation/networking/tuntap). Packets come and go after a
 * virtio-net header, so that TCP crosses in pieces of 64 KiB whose segmentation and checksums are left to the reader (docs/userplane.md;
 * that is a factor of six). The device, its addresses and its routes are gone with its descriptor, however the process ends.
 */
import { accessSync, closeSync, constants, existsSync, openSync } from 'node:fs';
import { TrimaranError } from '../../base/trimaran-error.ts';
import { Rtnetlink } from './rtnetlink.ts';
import { hasIpFamily, writeSysctl } from './sysctl.ts';
import { controlDevice } from './system-calls.ts';

export class TunDevice {
  /** Non-blocking. Each packet is read and written with one call, after `offloadHeaderOctets` of struct virtio_net_hdr. */
  readonly fd: number;
  readonly name: string;

  /** Makes the device in the calling thread's network namespace and switches it on. The name has at most 15 characters. */
  constructor(name: string, carries: 'IPv4' | 'both versions' = 'IPv4') {
    this.name = name;
    this.fd = openTun();
    try {
      const request = new Uint8Array(40);
      request.set(new TextEncoder().encode(name).subarray(0, 15));
      new DataView(request.buffer).setUint16(16, IFF_TUN | IFF_NO_PI | IFF_VNET_HDR | IFF_TUN_EXCL, true);
      controlDevice(this.fd, TUNSETIFF, request);
      controlDevice(this.fd, TUNSETOFFLOAD, BigInt(TUN_F_CSUM | segmentation[carries] | TUN_F_TSO_ECN));
      this.#switchOn(carries);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  close(): void {
    closeSync(this.fd);
  }

  #switchOn(carries: 'IPv4' | 'both versions'): void {
    const own = `ipv6/conf/${this.name}`;
    // No neighbour discovery into a device that nobody answers at: no IPv6 there, or no address of it.
    if (carries === 'both versions') writeSysctl({ name: `${own}/addr_gen_mode`, value: '1' });
    if (hasIpFamily(6)) writeSysctl({ name: `${own}/disable_ipv6`, value: carries === 'IPv4' ? '1' : '0' });
    const rtnetlink = new Rtnetlink();
    // No limit on segments: what the home link sends beyond it the kernel would cut into single packets (three times the work).
    rtnetlink.changeLink(this.name, { up: true, queueLength });
    rtnetlink.close();
  }
}

/** 0.2 s of 20,000 packets/s: a reader may be kept from its processor that long on a busy machine. */
const queueLength = 4096;

const devicePath = '/dev/net/tun';

/** What keeps this process from having TUN devices, and the one command that mends it; undefined when nothing does. */
export function tunObstacle(
  path: string = devicePath,
): { readonly reason: string; readonly remedy: string } | undefined {
  if (!existsSync(path))
    return { reason: `${path} is missing`, remedy: 'Load the kernel module tun: sudo modprobe tun' };
  try {
    accessSync(path, constants.R_OK | constants.W_OK);
    return undefined;
  } catch {
    const remedy = `Let users open it, as udev does: sudo chmod 666 ${path}`;
    return { reason: `this user may not open ${path}`, remedy };
  }
}

function openTun(): number {
  try {
    return openSync(devicePath, constants.O_RDWR | constants.O_NONBLOCK);
  } catch (cause) {
    // A device file without a module behind it can be there, too.
    const { reason = `cannot open ${devicePath}`, remedy = 'Load the kernel module tun: sudo modprobe tun' } =
      tunObstacle() ?? {};
    throw new TrimaranError('NO_TUN_DEVICE', reason, { cause, remedy });
  }
}

const TUNSETIFF = 0x400454ca;
const TUNSETOFFLOAD = 0x400454d0;
const IFF_TUN = 0x0001;
const IFF_NO_PI = 0x1000;
const IFF_VNET_HDR = 0x4000;
const IFF_TUN_EXCL = 0x8000;
const TUN_F_CSUM = 1;
const TUN_F_TSO4 = 2;
const TUN_F_TSO6 = 4;
const TUN_F_TSO_ECN = 8;
const segmentation = { IPv4: TUN_F_TSO4, 'both versions': TUN_F_TSO4 | TUN_F_TSO6 } as const;
