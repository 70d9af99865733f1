/**
 * Tells within a millisecond which links and addresses a network namespace has and how they change (TRIM §3.3: the lower layers
 * trigger the handover manager), from rtnetlink's multicast groups. What is there at the start is told as if it had just appeared,
 * so that a listener needs one code path. Choosing among accesses is not done here.
 */
import type { NetlinkMessage } from './netlink-message.ts';
import { NETLINK_ROUTE, NetlinkSocket } from './netlink-socket.ts';
import { type Link, readLink, readLinkAddress, routeMessage } from './route-messages.ts';
import { Rtnetlink } from './rtnetlink.ts';
import { SOL_SOCKET, setSocketOption } from './system-calls.ts';

export type NetworkEvent =
  /** Appeared, or went up or down, or its line did. */
  | { readonly kind: 'link-changed'; readonly link: Link }
  | { readonly kind: 'link-removed'; readonly link: string }
  /** `address` carries its prefix length. Told once the address is usable. */
  | { readonly kind: 'address-added'; readonly link: string; readonly address: string }
  | { readonly kind: 'address-removed'; readonly link: string; readonly address: string };

export class NetworkMonitor {
  readonly #socket: NetlinkSocket;
  readonly #links = new Map<number, Link>();
  readonly #addresses = new Set<string>();
  readonly #onEvent: (event: NetworkEvent) => void;

  /** Watches the calling thread's network namespace until `close`; does not keep the process alive. */
  constructor(onEvent: (event: NetworkEvent) => void) {
    this.#onEvent = onEvent;
    this.#socket = new NetlinkSocket(NETLINK_ROUTE, RTMGRP_LINK | RTMGRP_IPV4_IFADDR | RTMGRP_IPV6_IFADDR);
    // A burst of changes must not overflow the queue: what is lost there is never told again.
    setSocketOption(this.#socket.fd, SOL_SOCKET, SO_RCVBUF, 4_000_000);
    // Listed after subscribing, so nothing falls between; what is told twice is recognised.
    this.#tellWhatIsThere();
    this.#socket.watch((message) => this.#handle(message));
  }

  close(): void {
    this.#socket.close();
  }

  #tellWhatIsThere(): void {
    const rtnetlink = new Rtnetlink();
    for (const link of rtnetlink.links()) this.#linkChanged(link);
    for (const { linkIndex, address, isReady } of rtnetlink.addresses())
      if (isReady) this.#addressAdded(linkIndex, address);
    rtnetlink.close();
  }

  #handle(message: NetlinkMessage): void {
    if (message.type === routeMessage.newLink) {
      this.#linkChanged(readLink(message));
    } else if (message.type === routeMessage.deleteLink) {
      this.#linkRemoved(readLink(message));
    } else if (message.type === routeMessage.newAddress) {
      const { linkIndex, address, isReady } = readLinkAddress(message);
      if (isReady) this.#addressAdded(linkIndex, address);
    } else if (message.type === routeMessage.deleteAddress) {
      const { linkIndex, address } = readLinkAddress(message);
      this.#addressRemoved(linkIndex, address);
    }
  }

  #linkChanged(link: Link): void {
    const known = this.#links.get(link.index);
    this.#links.set(link.index, link);
    if (JSON.stringify(known) !== JSON.stringify(link)) this.#onEvent({ kind: 'link-changed', link });
  }

  #linkRemoved({ index, name }: Link): void {
    for (const entry of [...this.#addresses]) {
      const [linkIndex, address = ''] = entry.split(' ');
      if (Number(linkIndex) === index) this.#addressRemoved(index, address);
    }
    if (this.#links.delete(index)) this.#onEvent({ kind: 'link-removed', link: name });
  }

  #addressAdded(linkIndex: number, address: string): void {
    if (this.#addresses.has(`${linkIndex} ${address}`)) return;
    this.#addresses.add(`${linkIndex} ${address}`);
    this.#onEvent({ kind: 'address-added', link: this.#nameOf(linkIndex), address });
  }

  #addressRemoved(linkIndex: number, address: string): void {
    if (this.#addresses.delete(`${linkIndex} ${address}`))
      this.#onEvent({ kind: 'address-removed', link: this.#nameOf(linkIndex), address });
  }

  #nameOf(index: number): string {
    return this.#links.get(index)?.name ?? '';
  }
}

const RTMGRP_LINK = 0x1;
const RTMGRP_IPV4_IFADDR = 0x10;
const RTMGRP_IPV6_IFADDR = 0x100;
const SO_RCVBUF = 8;
