/**
 * The mobile node's hold on the kernel (TRIM fig. 3(b), "lower layers"): carries out its effects, and tells it of links, addresses and first
 * packets. With Mobile IP it holds the tunnel too (MIP–SIP §3). Everything it changes is taken back when it closes; what a crashed predecessor left is taken away when it opens.
 */
import { familyOf, ipFamilyOf } from '../base/ip-address.ts';
import { AccessRouting, type SessionPeer } from '../drivers/linux/access-routing.ts';
import { HomeAddressRouting } from '../drivers/linux/home-address-routing.ts';
import { type NetworkEvent, NetworkMonitor } from '../drivers/linux/network-monitor.ts';
import { NftablesTranslator } from '../drivers/linux/nftables-translator.ts';
import { PacketHold, type PacketHoldOptions } from '../drivers/linux/packet-hold.ts';
import type { AccessInput } from '../mobile-node/access-monitor/access-monitor.ts';
import type { MobileNodeEffect, MobileNodeInput } from '../mobile-node/mobile-node-output.ts';
import {
  type FlowKey,
  formatFlowKey,
  type TranslationOperation,
} from '../translation/translation-operation.ts';
import { TunnelPorts } from './tunnel-ports.ts';

export interface MobileNodeKernelOptions {
  readonly internalAddress: string;
  /** Tells several mobile nodes of one network namespace apart. */
  readonly instance: string;
  /** Absent: without Mobile IP. */
  readonly tunnel?: {
    readonly homeAddress: string;
    /** Of Mobile IP. */
    readonly port: number;
    /** Name of the TUN device. */
    readonly device: string;
  };
}

/** How often the counters of watched flows are read: a few times within one RTP packet spacing. */
const watchIntervalMs = 5;

export class MobileNodeKernel {
  readonly #onInput: (input: AccessInput | MobileNodeInput) => void;
  /** With Mobile IP. */
  readonly ports: TunnelPorts | undefined;
  readonly #translator: NftablesTranslator;
  readonly #holds: Readonly<Record<'downlink' | 'uplink', PacketHold>>;
  readonly #routing: AccessRouting;
  readonly #internalAddress: string;
  /** What is to be taken back, the last first. */
  readonly #undo: (() => void | Promise<void>)[] = [];
  /** Where applications send the media of sessions, by flow. */
  readonly #peers = new Map<string, SessionPeer>();
  #monitor: NetworkMonitor | undefined;
  #watch: NodeJS.Timeout | undefined;

  /** Throws with nothing left behind. NO_TUN_DEVICE when there shall be a tunnel and the machine does not allow it. */
  constructor(options: MobileNodeKernelOptions, onInput: (input: AccessInput | MobileNodeInput) => void) {
    this.#onInput = onInput;
    this.#internalAddress = options.internalAddress;
    try {
      const { tunnel } = options;
      this.ports =
        tunnel &&
        this.#hold(
          new TunnelPorts(tunnel.port, { placement: 'mobile-node', device: tunnel.device }),
          (ports) => ports.tunnel.close(),
        );
      this.#translator = this.#hold(openTranslator(options), (translator) => translator.close());
      const openHold = (more: Omit<PacketHoldOptions, 'instance' | 'family'>): PacketHold =>
        this.#hold(openPacketHold(options, more), (hold) => hold.close());
      this.#holds = {
        downlink: openHold({
          point: 'prerouting',
          onFirst: (flow) => onInput({ kind: 'flow-came', flow }),
          onComplete: () => onInput({ kind: 'flows-complete' }),
        }),
        uplink: openHold({ point: 'output' }),
      };
      this.#routing = this.#hold(new AccessRouting(options.internalAddress), (routing) => routing.close());
      if (tunnel !== undefined)
        this.#hold(new HomeAddressRouting(tunnel.homeAddress, tunnel.device), (routing) => routing.close());
    } catch (error) {
      void this.close();
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
    else if (effect.type === 'hold-flows')
      this.#holds[effect.direction].hold(effect.flows, effect.formerFlows);
    else if (effect.type === 'pass-flows') this.#holds[effect.direction].pass();
    else if (effect.type === 'watch-flows') this.#watchFlows(effect.id, effect.flows);
    else if (effect.type === 'tunnel') this.ports?.tunnel.apply(effect.change);
  }

  async close(): Promise<void> {
    clearInterval(this.#watch);
    this.#monitor?.close();
    for (const undo of this.#undo.toReversed()) await undo();
  }

  #hold<Part>(part: Part, undo: (part: Part) => void | Promise<void>): Part {
    this.#undo.push(() => undo(part));
    return part;
  }

  #translate(operations: readonly TranslationOperation[]): void {
    this.#translator.apply(operations);
    const before = this.#peerTable();
    for (const operation of operations) {
      if (operation.kind === 'deselect') this.#peers.delete(formatFlowKey(operation.key));
      else if (operation.kind === 'select-version') this.#noteFlow(operation.key);
    }
    const after = this.#peerTable();
    for (const [name, peer] of after) if (!before.has(name)) this.#routing.addPeer(peer);
    for (const [name, peer] of before) if (!after.has(name)) this.#routing.removePeer(peer);
  }

  /** A program that answers connections has its address from them. */
  #noteFlow(key: FlowKey): void {
    const { source, destination: address, protocol, port, portOf } = key;
    if (source === this.#internalAddress && portOf === 'destination')
      this.#peers.set(formatFlowKey(key), { address, protocol, port });
  }

  /** Each once, though several flows may go there. */
  #peerTable(): Map<string, SessionPeer> {
    return new Map(
      [...this.#peers.values()].map((peer) => [`${peer.protocol} ${peer.address} ${peer.port}`, peer]),
    );
  }

  #attach(effect: Extract<MobileNodeEffect, { type: 'attach-access' }>): void {
    try {
      this.#routing.attach(effect);
      if (familyOf(effect.address) !== familyOf(this.#internalAddress)) this.#translator.expectBothVersions();
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

function openTranslator({ internalAddress, instance }: MobileNodeKernelOptions): NftablesTranslator {
  return NftablesTranslator.open({
    instance,
    placement: 'mobile-node',
    addresses: [internalAddress],
    counters: true,
  });
}

function openPacketHold(
  { internalAddress, instance }: MobileNodeKernelOptions,
  more: Omit<PacketHoldOptions, 'instance' | 'family'>,
): PacketHold {
  return new PacketHold({ instance, family: ipFamilyOf(internalAddress) ?? 4, ...more });
}
