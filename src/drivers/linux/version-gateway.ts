/**
 * Where packets change from one version of IP to the other, which nftables cannot (docs/userplane.md): a TUN device and a thread behind it.
 * nftables does everything else about such a flow as about any other, with the change of one element, but writes a placeholder into the
 * destination, which is routed here:
 *
 *   x:a ◀ c:q ──nftables──▶ 198.18.n ◀ c:q ──TUN, n = (y6, m6)──▶ m6:p ◀ y6:b ──routed on
 *
 * It begins with the first such flow, or when such flows are expected; until then there is no device and no other kernel parameter.
 */
import { isMainThread, parentPort, Worker, workerData } from 'node:worker_threads';
import { TrimaranError } from '../../base/trimaran-error.ts';
import type { SelectedVersion } from '../../translation/translation-table.ts';
import { KernelParameters } from './kernel-parameters.ts';
import { NetworkNamespace } from './network-namespace.ts';
import type { RoutingRule } from './route-messages.ts';
import { Rtnetlink } from './rtnetlink.ts';
import { gatewaySysctls, hasIpFamily } from './sysctl.ts';
import { closeDescriptor, openEvent, raiseEvent } from './system-calls.ts';
import { TunDevice, tunObstacle } from './tun-device.ts';
import {
  gatewayDevice,
  gatewaySlots,
  placeholder,
  placeholderPrefix,
  VersionPairs,
} from './version-pairs.ts';
import { runVersionThread, type VersionThreadSettings } from './version-thread.ts';

/** Whether this machine can have one. */
export function canChangeVersions(): boolean {
  return hasIpFamily(4) && hasIpFamily(6) && tunObstacle() === undefined;
}

/** Puts back what gateways have left whose process crashed: kernel parameters, and the rules to routes that went with their devices. */
export function cleanUpAfterGateways(): void {
  const rtnetlink = new Rtnetlink();
  const present = new Set(rtnetlink.links().map(({ name }) => name));
  for (const rule of rtnetlink.rules()) {
    const slot = (rule.priority ?? 0) - gatewayPriority;
    if (rule.table === gatewayTable && !present.has(`${gatewayDevice}${slot}`)) rtnetlink.deleteRule(rule);
  }
  rtnetlink.close();
  for (let slot = 0; slot < gatewaySlots; slot++) {
    const device = `${gatewayDevice}${slot}`;
    if (!present.has(device)) new KernelParameters(device, []).close();
  }
}

export class VersionGateway {
  readonly #pairs = new VersionPairs();
  readonly #rtnetlink = new Rtnetlink();
  readonly #namespace = NetworkNamespace.current();
  readonly #device: TunDevice;
  readonly #slot: number;
  readonly #parameters: KernelParameters;
  readonly #event = openEvent();
  readonly #worker: Worker;

  /** In the network namespace of the calling thread. Throws NO_TUN_DEVICE. */
  constructor(placement: 'home' | 'mobile-node') {
    [this.#slot, this.#device] = openDevice();
    this.#parameters = new KernelParameters(this.#device.name, gatewaySysctls(placement, this.#device.name));
    this.#rtnetlink.changeLink(this.#device.name, { mtu: largestPacket });
    for (const family of [4, 6] as const) this.#route(family);
    const settings: VersionThreadSettings = {
      tun: this.#device.fd,
      event: this.#event,
      pairs: this.#pairs.memory,
    };
    this.#worker = new Worker(new URL(import.meta.url), {
      workerData: { versionThread: settings },
      // What the process was started with (--input-type, --test …) is not for its threads.
      execArgv: [],
    });
    this.#worker.unref();
  }

  /** What nftables is to write in place of the addresses of the other version. Throws TRANSLATION_REFUSED when there are too many of them. */
  enter(family: 4 | 6, source: string, { mark, rewrite }: SelectedVersion): SelectedVersion {
    const number = this.#pairs.acquire(rewrite.source ?? '', rewrite.destination ?? '');
    if (number === undefined)
      throw new TrimaranError(
        'TRANSLATION_REFUSED',
        'too many pairs of addresses of the other version of IP',
      );
    const destination = placeholder(family, this.#slot, number);
    return { mark, rewrite: { ...rewrite, source, destination } };
  }

  leave({ rewrite }: SelectedVersion): void {
    this.#pairs.release(rewrite.source ?? '', rewrite.destination ?? '');
  }

  /** Packets that are under way here are lost. */
  close(): void {
    this.#worker.postMessage({ kind: 'stop' });
    raiseEvent(this.#event);
    this.#worker.once('exit', () => {
      closeDescriptor(this.#event);
      this.#device.close();
    });
    this.#namespace.run(() => this.#parameters.close());
    for (const family of [4, 6] as const)
      this.#ignoreMissing(() => this.#rtnetlink.deleteRule(this.#rule(family)));
    this.#rtnetlink.close();
    this.#namespace.close();
  }

  /** Ahead of everything by which a mobile node chooses its way out. A predecessor that crashed may have left the rule. */
  #route(family: 4 | 6): void {
    const [destination, link] = [placeholderPrefix(family, this.#slot), this.#device.name];
    const mtu = family === 4 ? {} : { mtu: usualMtu };
    this.#rtnetlink.replaceRoute({ destination, link, table: gatewayTable, ...mtu });
    this.#ignoreMissing(() => this.#rtnetlink.deleteRule(this.#rule(family)));
    this.#rtnetlink.addRule(this.#rule(family));
  }

  #rule(family: 4 | 6): RoutingRule {
    return {
      family,
      priority: gatewayPriority + this.#slot,
      table: gatewayTable,
      to: placeholderPrefix(family, this.#slot),
    };
  }

  #ignoreMissing(change: () => void): void {
    try {
      change();
    } catch (error) {
      if (!(error instanceof TrimaranError && /ENOENT|ESRCH/.test(`${error.code} ${error.message}`)))
        throw error;
    }
  }
}

/** The first number that nobody in this network namespace has. */
function openDevice(): [slot: number, device: TunDevice] {
  for (let slot = 0; ; slot++) {
    try {
      return [slot, new TunDevice(`${gatewayDevice}${slot}`, 'both versions')];
    } catch (error) {
      const isTaken = error instanceof TrimaranError && error.code === 'EBUSY';
      if (!isTaken || slot + 1 === gatewaySlots) throw error;
    }
  }
}

/** Links decide what is too big, after the change of version. */
const largestPacket = 65_535;
/** But for IPv6 packets of programs of this host, which are cut ahead of it or never: as IPv4 they are not to be (RFC 7915 §5.1). */
const usualMtu = 1500;
/** Ahead of all by which others choose a way out. */
const gatewayTable = 5943;
const gatewayPriority = 10;

const settings = (workerData as { readonly versionThread?: VersionThreadSettings } | null)?.versionThread;
if (!isMainThread && parentPort !== null && settings !== undefined) runVersionThread(settings, parentPort);
