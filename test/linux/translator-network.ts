/**
 * The smallest network with both translators of the TRIM paper (Fig. 2, 3(b)), for kernel tests and benchmarks:
 *
 *     cn ──── home ════ mn          home: translator between cn and mn, routes; mn: two links ("3G", "WLAN")
 *
 * Everything is in network namespaces of this process. IPv4 and IPv6 side by side.
 */
import { writeFileSync } from 'node:fs';
import type { TransportAddress } from '../../src/base/network.ts';
import { TrimaranError } from '../../src/base/trimaran-error.ts';
import { NetworkNamespace } from '../../src/drivers/linux/network-namespace.ts';
import {
  NftablesTranslator,
  type NftablesTranslatorOptions,
} from '../../src/drivers/linux/nftables-translator.ts';
import { Rtnetlink } from '../../src/drivers/linux/rtnetlink.ts';
import { socketAddress } from '../../src/drivers/linux/socket-address.ts';
import {
  AF_INET,
  AF_INET6,
  bindSocket,
  closeDescriptor,
  connectSocket,
  openSocket,
  receive,
  SOCK_DGRAM,
  SOCK_NONBLOCK,
  send,
  watchReadable,
} from '../../src/drivers/linux/system-calls.ts';
import type { Binding } from '../../src/translation/binding-table.ts';
import { patienceMs } from './until.ts';

export const addresses = {
  4: {
    correspondent: '203.0.113.7',
    towardsCorrespondent: '198.51.100.1',
    towardsMobileNode: '198.51.100.2',
    threeG: '10.1.0.2',
    wlan: '10.2.0.2',
    internal: '10.64.0.1',
  },
  6: {
    correspondent: '2001:db8:c::7',
    towardsCorrespondent: '2001:db8:f::1',
    towardsMobileNode: '2001:db8:f::2',
    threeG: '2001:db8:1::2',
    wlan: '2001:db8:2::2',
    internal: 'fd64::1',
  },
} as const;

export interface TranslatorNetwork {
  readonly cn: NetworkNamespace;
  readonly home: NetworkNamespace;
  readonly mn: NetworkNamespace;
  close(): void;
}

export function openTranslatorNetwork(): TranslatorNetwork {
  const [cn, home, mn] = [NetworkNamespace.create(), NetworkNamespace.create(), NetworkNamespace.create()];
  for (const namespace of [cn, home, mn]) {
    // An IPv6 address is usable at once, not after a second of duplicate address detection.
    namespace.run(() => writeFileSync('/proc/sys/net/ipv6/conf/default/accept_dad', '0'));
  }
  connect(home, { name: 'to-cn', index: 11, network: 'c' }, cn, { name: 'eth0', index: 12 });
  connect(home, { name: 'to-3g', index: 21, network: '1' }, mn, { name: '3g', index: 22 });
  connect(home, { name: 'to-wlan', index: 31, network: '2' }, mn, { name: 'wlan', index: 32 });
  configure(home, (links) => {
    for (const family of [4, 6] as const) {
      links.addAddress('lo', `${addresses[family].towardsCorrespondent}/${family === 4 ? 32 : 128}`);
      links.addAddress('lo', `${addresses[family].towardsMobileNode}/${family === 4 ? 32 : 128}`);
    }
  });
  configure(cn, (links) => addDefaultRoutes(links, '203.0.113.1', '2001:db8:c::1'));
  configure(mn, (links) => {
    addDefaultRoutes(links, '10.1.0.1', '2001:db8:1::1');
    links.addAddress('lo', '10.64.0.1/32');
    links.addAddress('lo', 'fd64::1/128');
  });
  return {
    cn,
    home,
    mn,
    close: () => {
      for (const namespace of [cn, home, mn]) namespace.close();
    },
  };
}

/** The home network's translator, to be closed inside `network.home`. */
export function openHomeTranslator(
  network: TranslatorNetwork,
  options: Partial<NftablesTranslatorOptions> = {},
): NftablesTranslator {
  const owned = ([4, 6] as const).flatMap((family) => {
    const { towardsCorrespondent, towardsMobileNode } = addresses[family];
    return [towardsCorrespondent, towardsMobileNode];
  });
  return network.home.run(() =>
    NftablesTranslator.open({ instance: 'home', placement: 'home', addresses: owned, ...options }),
  );
}

/** One binding between the correspondent and the mobile node on its 3G link. */
export function bindingOf(family: 4 | 6, change: Partial<Binding> = {}): Binding {
  const { correspondent, towardsCorrespondent, towardsMobileNode, threeG } = addresses[family];
  return {
    id: 'b',
    protocol: 'udp',
    correspondent: { address: correspondent, port: 7000 },
    towardsCorrespondent: { address: towardsCorrespondent, port: 20000 },
    towardsMobileNode: { address: towardsMobileNode, port: 30000 },
    mobileNode: { address: threeG, port: 6000 },
    ...change,
  };
}

/** A UDP socket that hears one peer only, so that what arrives has come from there. */
export class UdpEnd {
  readonly fd: number;
  readonly #buffer = new Uint8Array(65536);
  readonly #received: Uint8Array[] = [];
  readonly #stop: () => void;
  #onDatagram: (() => void) | undefined;
  #error: string | undefined;

  constructor(
    namespace: NetworkNamespace,
    local: TransportAddress,
    peer: TransportAddress,
    prepare?: (fd: number) => void,
  ) {
    const family = local.address.includes(':') ? AF_INET6 : AF_INET;
    this.fd = namespace.run(() => openSocket(family, SOCK_DGRAM | SOCK_NONBLOCK, 0));
    prepare?.(this.fd);
    bindSocket(this.fd, socketAddress(local));
    connectSocket(this.fd, socketAddress(peer));
    this.#stop = watchReadable(this.fd, () => this.#read());
  }

  send(payload: Uint8Array | string): void {
    send(this.fd, typeof payload === 'string' ? new TextEncoder().encode(payload) : payload);
  }

  /** Sends although the socket has been told of an error about what it sent before. */
  sendAgain(payload: Uint8Array | string): void {
    try {
      this.send(payload);
    } catch {
      this.send(payload);
    }
  }

  /** The error that the socket was told of by ICMP, by its name. */
  async error(): Promise<string | undefined> {
    await this.receiveOctets();
    return this.#error;
  }

  /** The next datagram as text; undefined when none comes within the time. */
  async receive(timeoutMs: number = patienceMs): Promise<string | undefined> {
    const octets = await this.receiveOctets(timeoutMs);
    return octets && new TextDecoder().decode(octets);
  }

  async receiveOctets(timeoutMs: number = patienceMs): Promise<Uint8Array | undefined> {
    if (this.#received.length === 0) {
      await new Promise<void>((resolve) => {
        const timer = setTimeout(resolve, timeoutMs);
        this.#onDatagram = () => {
          clearTimeout(timer);
          resolve();
        };
      });
    }
    return this.#received.shift();
  }

  close(): void {
    this.#stop();
    closeDescriptor(this.fd);
  }

  #read(): void {
    try {
      const length = receive(this.fd, this.#buffer);
      if (length === undefined) return;
      this.#received.push(this.#buffer.slice(0, length));
    } catch (error) {
      this.#error = error instanceof TrimaranError ? error.code : String(error);
    }
    this.#onDatagram?.();
  }
}

function configure(namespace: NetworkNamespace, work: (links: Rtnetlink) => void): void {
  const links = namespace.run(() => new Rtnetlink());
  try {
    links.changeLink('lo', { up: true });
    work(links);
  } finally {
    links.close();
  }
}

function connect(
  home: NetworkNamespace,
  homeEnd: { name: string; index: number; network: string },
  far: NetworkNamespace,
  farEnd: { name: string; index: number },
): void {
  const { network } = homeEnd;
  const prefix4 = network === 'c' ? '203.0.113' : `10.${network}.0`;
  const prefix6 = `2001:db8:${network}::`;
  const host = network === 'c' ? 7 : 2;
  const [homeMac, farMac] = [`02:00:00:00:0${network}:01`, `02:00:00:00:0${network}:02`];
  configure(home, (links) => {
    links.createVethPair(
      { ...homeEnd, macAddress: homeMac },
      { ...farEnd, macAddress: farMac, namespaceFd: far.fd },
    );
    attach(
      links,
      homeEnd.name,
      [`${prefix4}.1`, `${prefix6}1`],
      [`${prefix4}.${host}`, `${prefix6}${host}`],
      farMac,
    );
  });
  configure(far, (links) => {
    attach(
      links,
      farEnd.name,
      [`${prefix4}.${host}`, `${prefix6}${host}`],
      [`${prefix4}.1`, `${prefix6}1`],
      homeMac,
    );
  });
}

/** Neighbours are known beforehand: no packet waits for, or is seen beside, address resolution. */
function attach(
  links: Rtnetlink,
  link: string,
  own: readonly [v4: string, v6: string],
  neighbours: readonly string[],
  macAddress: string,
): void {
  links.addAddress(link, `${own[0]}/24`);
  links.addAddress(link, `${own[1]}/64`);
  links.changeLink(link, { up: true });
  for (const address of neighbours) links.replaceNeighbour({ link, address, macAddress });
}

function addDefaultRoutes(links: Rtnetlink, gateway4: string, gateway6: string): void {
  links.replaceRoute({ destination: '0.0.0.0/0', gateway: gateway4 });
  links.replaceRoute({ destination: '::/0', gateway: gateway6 });
}
