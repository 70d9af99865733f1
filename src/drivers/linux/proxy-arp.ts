/**
 * Answers ARP on the home link for mobile nodes that are away, and tells the link's hosts at once (RFC 5944 §4.6): proxy entries of the
 * kernel's neighbour table, and gratuitous ARP. The kernel answers only for addresses that it routes to another interface, here the
 * tunnel's, and by default up to 0.8 s late (docs/userplane.md). Entries outlive a crash, as the journal's bindings do; the next one that
 * opens takes away what nobody bound again. Leaves out the announcement for a node that came home: it sends that itself.
 */
import { parseIpAddress } from '../../base/ip-address.ts';
import { KernelParameters } from './kernel-parameters.ts';
import { parseMacAddress } from './route-messages.ts';
import { Rtnetlink } from './rtnetlink.ts';
import { closeDescriptor, openSocket, SOCK_DGRAM, send } from './system-calls.ts';

export class ProxyArp {
  readonly #link: string;
  readonly #rtnetlink = new Rtnetlink();
  readonly #socket: number;
  readonly #parameters: KernelParameters;
  readonly #addresses = new Set<string>();

  /** On a link of the calling thread's network namespace. Throws ENODEV. */
  constructor(link: string) {
    this.#link = link;
    this.#rtnetlink.linkIndex(link);
    this.#socket = openSocket(AF_PACKET, SOCK_DGRAM, 0);
    const delay = { name: `ipv4/neigh/${link}/proxy_delay`, value: '0' };
    this.#parameters = new KernelParameters(`proxy-arp-${link}`, [delay]);
    for (const entry of this.#ownEntries()) this.#rtnetlink.deleteProxyNeighbour(entry);
  }

  /** Answers for the address from now on. */
  add(address: string): void {
    this.#addresses.add(address);
    this.#rtnetlink.replaceProxyNeighbour({ link: this.#link, address, owner: ownerNumber });
  }

  remove(address: string): void {
    if (this.#addresses.delete(address))
      this.#rtnetlink.deleteProxyNeighbour({ link: this.#link, address, owner: ownerNumber });
  }

  /** A request for the address from the address (RFC 5227 §3 says why not a reply), to every host of the link. */
  announce(address: string): void {
    const link = this.#rtnetlink.links().find(({ name }) => name === this.#link);
    const octets = parseIpAddress(address);
    if (link === undefined || octets === undefined) return;
    const macAddress = parseMacAddress(link.macAddress);
    const nobody = new Uint8Array(6);
    const etherIpv4Request = [0, 1, 8, 0, 6, 4, 0, 1];
    const packet = Uint8Array.of(...etherIpv4Request, ...macAddress, ...octets, ...nobody, ...octets);
    send(this.#socket, packet, broadcastAddress(link.index));
  }

  close(): void {
    for (const address of [...this.#addresses]) this.remove(address);
    this.#parameters.close();
    this.#rtnetlink.close();
    closeDescriptor(this.#socket);
  }

  #ownEntries() {
    return this.#rtnetlink
      .proxyNeighbours()
      .filter(({ link, owner }) => link === this.#link && owner === ownerNumber);
  }
}

/** Marks our entries; nobody has registered the number (rtnetlink.h, rtm_protocol). */
const ownerNumber = 59;
const AF_PACKET = 17;
const ETH_P_ARP = 0x0806;

/** struct sockaddr_ll. */
function broadcastAddress(linkIndex: number): Uint8Array {
  const address = new DataView(new ArrayBuffer(20));
  address.setUint16(0, AF_PACKET, true);
  address.setUint16(2, ETH_P_ARP);
  address.setInt32(4, linkIndex, true);
  address.setUint8(11, 6);
  const octets = new Uint8Array(address.buffer);
  octets.fill(0xff, 12, 18);
  return octets;
}
