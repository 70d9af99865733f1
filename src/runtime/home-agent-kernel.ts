/**
 * The home agent's hold on the kernel (MIP–SIP fig. 3): the tunnels of all mobile nodes and the home link's ARP; or a correspondent's, which
 * has no home link, but packets of its own to send through its tunnels. Everything it changes is taken back when it closes; what a crashed
 * predecessor left is taken away when it opens.
 */
import type { DurationMs, Instant } from '../base/instant.ts';
import { TrimaranError } from '../base/trimaran-error.ts';
import { CorrespondentRouting } from '../drivers/linux/correspondent-routing.ts';
import { ProxyArp } from '../drivers/linux/proxy-arp.ts';
import type { TunnelCounters } from '../drivers/linux/tunnel-loop.ts';
import type { HomeAgentEffect } from '../home-network/home-agent/home-agent-options.ts';
import { monotonicNow } from './monotonic-clock.ts';
import { TunnelPorts } from './tunnel-ports.ts';

export interface HomeAgentKernelOptions {
  /** Name of the TUN device. */
  readonly device: string;
  /** UDP port of Mobile IP. */
  readonly port: number;
  /** Interface on the home link; or the address of a correspondent. */
  readonly place: { readonly homeLink: string } | { readonly correspondentAddress: string };
}

export type HomeAgentKernelEvent =
  /** Tunnelled packets that came from no mobile node's endpoint, or with another's address inside; `count` since the last such event. */
  | { readonly type: 'spoofed-packets-dropped'; readonly count: number }
  /** The home link is gone, or the kernel does not do what was asked. */
  | { readonly type: 'kernel-refused'; readonly reason: string };

/** A flood makes one event per minute, as that of the machine's refusals. */
const reportIntervalMs: DurationMs = 60_000;
const pollIntervalMs: DurationMs = 1000;

export class HomeAgentKernel {
  readonly ports: TunnelPorts;
  /** Of a home agent. */
  readonly #proxyArp: ProxyArp | undefined;
  /** Of a correspondent. */
  readonly #routing: CorrespondentRouting | undefined;
  readonly #onEvent: (event: HomeAgentKernelEvent) => void;
  readonly #poll: NodeJS.Timeout;
  #spoofedTold = 0;
  #toldAt: Instant | undefined;

  /** Throws EBUSY when there is such a device, ENODEV when there is no such link, EPERM. */
  constructor(options: HomeAgentKernelOptions, onEvent: (event: HomeAgentKernelEvent) => void) {
    this.#onEvent = onEvent;
    const { port, device, place } = options;
    const placement = 'homeLink' in place ? 'home-agent' : 'correspondent';
    // The device first: while another home agent has it, the entries on the home link are that one's.
    this.ports = new TunnelPorts(port, { placement, device });
    try {
      if ('homeLink' in place) this.#proxyArp = new ProxyArp(place.homeLink);
      else this.#routing = new CorrespondentRouting(place.correspondentAddress);
    } catch (error) {
      void this.ports.tunnel.close();
      throw error;
    }
    this.#poll = setInterval(() => this.#tellSpoofed(), pollIntervalMs);
    this.#poll.unref();
  }

  get counters(): TunnelCounters {
    return this.ports.tunnel.counters();
  }

  perform(effect: Exclude<HomeAgentEffect, { type: 'journal' }>): void {
    try {
      if (effect.type === 'tunnel') this.ports.tunnel.apply(effect.change);
      // A node that came home announces itself.
      else if (effect.type === 'gratuitous-arp') {
        if (effect.owner === 'home-agent') this.#proxyArp?.announce(effect.homeAddress);
      } else if (effect.enabled) this.#proxyArp?.add(effect.homeAddress);
      else this.#proxyArp?.remove(effect.homeAddress);
    } catch (error) {
      if (!(error instanceof TrimaranError)) throw error;
      this.#onEvent({ type: 'kernel-refused', reason: error.message });
    }
  }

  async close(): Promise<void> {
    clearInterval(this.#poll);
    this.#proxyArp?.close();
    this.#routing?.close();
    await this.ports.tunnel.close();
  }

  #tellSpoofed(): void {
    const count = this.counters.spoofed - this.#spoofedTold;
    const now = monotonicNow();
    if (count === 0 || (this.#toldAt !== undefined && now - this.#toldAt < reportIntervalMs)) return;
    this.#spoofedTold += count;
    this.#toldAt = now;
    this.#onEvent({ type: 'spoofed-packets-dropped', count });
  }
}
