/**
 * The mobile node's hold on the kernel (TRIM fig. 3(b), "lower layers"): carries out its effects, and tells it of links, addresses and first
 * packets. Everything it changes is taken back when it closes; what a crashed predecessor left is taken away when it opens.
 */
import { ipFamilyOf } from '../base/ip-address.ts';
import { AccessRouting } from '../drivers/linux/access-routing.ts';
import { type NetworkEvent, NetworkMonitor } from '../drivers/linux/network-monitor.ts';
import { NftablesTranslator } from '../drivers/linux/nftables-translator.ts';
import type { AccessInput } from '../mobile-node/access-monitor/access-monitor.ts';
import type { MobileNodeEffect, MobileNodeInput } from '../mobile-node/mobile-node-output.ts';
import {
  type FlowKey,
  formatFlowKey,
  type TranslationOperation,
} from '../translation/translation-operation.ts';

/** How often the counters of watched flows are read: a few times within one RTP packet spacing. */
const watchIntervalMs = 5;

export class MobileNodeKernel {
  readonly #onInput: (input: AccessInput | MobileNodeInput) => void;
  readonly #routing: AccessRouting;
  readonly #translator: NftablesTranslator;
  readonly #internalAddress: string;
  /** Destinations of the flows that applications send, by flow. */
  readonly #peers = new Map<string, string>();
  #monitor: NetworkMonitor | undefined;
  #watch: NodeJS.Timeout | undefined;

  /** Throws with nothing left behind. `instance` tells several mobile nodes of one network namespace apart. */
  constructor(
    options: { readonly internalAddress: string; readonly instance: string },
    onInput: (input: AccessInput | MobileNodeInput) => void,
  ) {
    this.#onInput = onInput;
    this.#internalAddress = options.internalAddress;
    this.#translator = NftablesTranslator.open({
      instance: options.instance,
      placement: 'mobile-node',
      addresses: [options.internalAddress],
      families: [ipFamilyOf(options.internalAddress) ?? 4],
      counters: true,
    });
    try {
      this.#routing = new AccessRouting(options.internalAddress);
    } catch (error) {
      this.#translator.close();
      throw error;
    }
  }

  /** From now on the node is told of links and addresses, first of those that are there. */
  watchNetwork(): void {
    this.#monitor ??= new NetworkMonitor((event) => this.#tell(event));
  }

  perform(effect: MobileNodeEffect): void {
    if (effect.type === 'translate') this.#translate(effect.operations);
    else if (effect.type === 'attach-access') this.#attach(effect);
    else if (effect.type === 'detach-access') this.#routing.detach(effect.index);
    else if (effect.type === 'watch-flows') this.#watchFlows(effect.id, effect.flows);
  }

  close(): void {
    clearInterval(this.#watch);
    this.#monitor?.close();
    this.#routing.close();
    this.#translator.close();
  }

  #translate(operations: readonly TranslationOperation[]): void {
    this.#translator.apply(operations);
    const before = new Set(this.#peers.values());
    for (const operation of operations) {
      if (operation.kind === 'deselect') this.#peers.delete(formatFlowKey(operation.key));
      else if (operation.kind === 'select-version' && operation.key.source === this.#internalAddress)
        this.#peers.set(formatFlowKey(operation.key), operation.key.destination);
    }
    const after = new Set(this.#peers.values());
    for (const peer of after) if (!before.has(peer)) this.#routing.addPeer(peer);
    for (const peer of before) if (!after.has(peer)) this.#routing.removePeer(peer);
  }

  #attach(effect: Extract<MobileNodeEffect, { type: 'attach-access' }>): void {
    try {
      this.#routing.attach(effect);
      this.#onInput({ kind: 'effect-completed', id: effect.id });
    } catch (error) {
      // The link may be gone again by now; the monitor will tell.
      const reason = error instanceof Error ? error.message : String(error);
      this.#onInput({ kind: 'effect-completed', id: effect.id, error: reason });
    }
  }

  #watchFlows(id: number, flows: readonly FlowKey[]): void {
    clearInterval(this.#watch);
    this.#watch = setInterval(() => {
      if (!flows.some((flow) => (this.#translator.readCounter(flow)?.packets ?? 0) > 0)) return;
      clearInterval(this.#watch);
      this.#onInput({ kind: 'flows-used', id });
    }, watchIntervalMs);
  }

  #tell(event: NetworkEvent): void {
    if (event.kind === 'link-changed') {
      const { name, isUp, hasCarrier } = event.link;
      this.#onInput({ kind: 'link-changed', interface: name, up: isUp && hasCarrier });
    } else if (event.kind === 'link-removed') {
      this.#onInput({ kind: 'link-changed', interface: event.link, up: false });
    } else {
      const address = event.address.split('/')[0] ?? '';
      const present = event.kind === 'address-added';
      this.#onInput({ kind: 'address-changed', interface: event.link, address, present });
    }
  }
}
