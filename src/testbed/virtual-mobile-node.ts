/**
 * The mobile node of a virtual lab: a host with one link per access network, the machine that runs on it, and the kernel state that it
 * wants. Whatever home network it belongs to, the movements are these.
 */
import type { AccessProfile } from '../access-network/access-profiles.ts';
import type { TransportAddress } from '../base/network.ts';
import type { AccessInput } from '../mobile-node/access-monitor/access-monitor.ts';
import { MobileNode } from '../mobile-node/mobile-node.ts';
import type { MobileNodeOptions } from '../mobile-node/mobile-node-options.ts';
import type {
  MobileNodeEffect,
  MobileNodeEvent,
  MobileNodeInput,
} from '../mobile-node/mobile-node-output.ts';
import type { SipUri } from '../protocols/sip/message/sip-uri.ts';
import type { Faults } from '../sim/fault-injector.ts';
import { VirtualAccessRouter } from '../sim/virtual-access-router.ts';
import type { VirtualHost } from '../sim/virtual-host.ts';
import type { VirtualLink } from '../sim/virtual-link.ts';
import type { VirtualNetwork } from '../sim/virtual-network.ts';
import type { VirtualProcess } from '../sim/virtual-process.ts';
import type { VirtualTunnel } from '../sim/virtual-tunnel.ts';
import { type AccessPlace, accessPlaces, applicationPort, internalAddress } from './lab-addresses.ts';
import type { LabAccess } from './lab-topology.ts';

export interface VirtualMobileNodeOptions {
  readonly network: VirtualNetwork;
  readonly accesses: readonly LabAccess[];
  /** Of signalling, on the access links. */
  readonly faults?: Faults;
  readonly onEvent: (event: MobileNodeEvent, now: number) => void;
  readonly machine: Pick<
    MobileNodeOptions,
    'identity' | 'selector' | 'withReservation' | 'joinsVersions' | 'mobileIp' | 'registration' | 'tls'
  > & {
    /** The proxy of the access with that place in the list. */
    readonly proxyOf: (index: number) => TransportAddress | SipUri;
  };
}

interface VirtualAccess {
  readonly place: AccessPlace;
  readonly link: VirtualLink;
  /** Behind address translation: nobody outside can send to its address. */
  readonly isHidden: boolean;
}

export class VirtualMobileNode {
  readonly host: VirtualHost;
  readonly machine: MobileNode;
  readonly #tunnel: VirtualTunnel;
  readonly #accesses: ReadonlyMap<string, VirtualAccess>;
  readonly #process: VirtualProcess<AccessInput | MobileNodeInput, MobileNodeEvent, MobileNodeEffect>;

  constructor(options: VirtualMobileNodeOptions) {
    this.host = options.network.addHost('mn');
    this.host.addAddress(internalAddress);
    this.#tunnel = this.host.openTunnel('mobile-node');
    const { mobileIp } = options.machine;
    if (mobileIp !== undefined) this.host.addAddress(mobileIp.homeAddress);
    this.#accesses = this.#attach(options);
    this.machine = newMachine(options);
    this.#process = this.#run(options.onEvent);
  }

  /** Lets the access appear as a link with an address, or disappear. */
  setAccess(name: string, isUp: boolean): void {
    const { place, link, isHidden } = this.#access(name);
    const { interface: device, address } = place;
    link.setUp(isUp);
    if (isUp) this.host.addAddress(address, link, isHidden ? 'hidden' : 'routed');
    else this.host.removeAddress(address);
    this.#process.handleInput({ kind: 'link-changed', interface: device, up: isUp });
    this.#process.handleInput({ kind: 'address-changed', interface: device, address, present: isUp });
  }

  /** The link takes another profile in place. */
  changeLink(name: string, { uplink, downlink }: Pick<AccessProfile, 'uplink' | 'downlink'>): void {
    this.#access(name).link.change(uplink, downlink);
  }

  stop(): void {
    this.#process.perform((now) => this.machine.stop(now));
  }

  requestHandover(name: string): void {
    this.#process.perform((now) => void this.machine.requestHandover(name, now));
  }

  #access(name: string): VirtualAccess {
    const access = this.#accesses.get(name);
    if (access === undefined) throw new Error(`no access ${name}`);
    return access;
  }

  #attach({ network, accesses, faults }: VirtualMobileNodeOptions): Map<string, VirtualAccess> {
    const places = accessPlaces(accesses);
    return new Map(
      accesses.map(({ name, profile: { uplink, downlink }, nat, strictSource }, index) => {
        const place = places[index]!;
        const router = new VirtualAccessRouter({
          ...(strictSource && { strictSource: place.address }),
          ...(nat && { natAddress: place.routerAddress }),
        });
        const link = this.host.attach(name, { uplink, downlink, ...(faults && { faults }) }, router);
        if (nat) network.route(place.routerAddress, link);
        return [name, { place, link, isHidden: nat === true }];
      }),
    );
  }

  #run(
    onEvent: VirtualMobileNodeOptions['onEvent'],
  ): VirtualProcess<AccessInput | MobileNodeInput, MobileNodeEvent, MobileNodeEffect> {
    const process: VirtualProcess<AccessInput | MobileNodeInput, MobileNodeEvent, MobileNodeEffect> =
      this.host.run({
        machine: this.machine,
        onEvent,
        onEffect: (effect: MobileNodeEffect) => {
          if (effect.type === 'translate') this.host.translate(effect.operations);
          else if (effect.type === 'attach-access')
            process.handleInput({ kind: 'effect-completed', id: effect.id });
          else if (effect.type === 'tunnel') this.#tunnel.apply(effect.change);
          else if (effect.type === 'hold-flows')
            this.host.hold(effect.direction).hold(effect.flows, effect.formerFlows, {
              onFirst: (flow) => process.handleInput({ kind: 'flow-came', flow }),
              onComplete: () => process.handleInput({ kind: 'flows-complete' }),
            });
          else if (effect.type === 'pass-flows') this.host.hold(effect.direction).pass();
          else if (effect.type === 'watch-flows')
            this.host.watchFlows(effect.flows, () =>
              process.handleInput({ kind: 'flows-used', id: effect.id }),
            );
        },
      });
    process.perform((now) => this.machine.start(now));
    return process;
  }
}

function newMachine({ network, accesses, machine }: VirtualMobileNodeOptions): MobileNode {
  const places = accessPlaces(accesses);
  const { proxyOf, ...rest } = machine;
  return new MobileNode({
    ...rest,
    internalAddress,
    applicationPort,
    signallingPort: 5060,
    accesses: accesses.map(({ name, profile }, index) => ({
      name,
      interface: places[index]!.interface,
      index: index + 1,
      proxyCscf: proxyOf(index),
      accessNetworkInfo: profile.accessType,
    })),
    graceMs: 32_000,
    releaseAfterMs: 10_000,
    random: network.newRandomSource(),
  });
}
