/**
 * An access link between two network interfaces (TRIM fig. 7) shaped by the kernel itself: a bridge of the two, and the queueing
 * discipline netem at the way out of each. Packets never leave the kernel. The same handle as packet-emulator.ts.
 */
import type { LinkCharacteristics } from '../../access-network/link-characteristics.ts';
import { NetworkNamespace } from './network-namespace.ts';
import type { LinkCounters, LinkDirection, LinkShaper } from './packet-emulator.ts';
import { Rtnetlink } from './rtnetlink.ts';

export class NetemLink implements LinkShaper {
  readonly #rtnetlink: Rtnetlink;
  readonly #interfaces: readonly [string, string];

  /** In force when it returns. The namespace is the link's own; the bridge in it ends with it. */
  constructor(options: {
    readonly namespace: NetworkNamespace;
    readonly interfaces: readonly [string, string];
    readonly characteristics: readonly [LinkCharacteristics, LinkCharacteristics];
  }) {
    this.#interfaces = options.interfaces;
    this.#rtnetlink = options.namespace.run(() => new Rtnetlink());
    for (const direction of [0, 1] as const) this.change(direction, options.characteristics[direction]);
    this.#rtnetlink.createBridge('bridge', options.interfaces);
  }

  /** Holds for packets that come from now on. */
  change(direction: LinkDirection, characteristics: LinkCharacteristics): void {
    this.#rtnetlink.replaceNetem(this.#wayOut(direction), characteristics);
  }

  /** An interface that goes down empties its queue by itself. */
  setUp(): void {}

  counters(direction: LinkDirection): LinkCounters {
    const { packets, octets, drops } = this.#rtnetlink.queueStatistics(this.#wayOut(direction));
    // netem does not tell losses from a full queue.
    return {
      delivered: packets,
      deliveredOctets: octets - 14 * packets,
      lost: drops,
      'queue-full': 0,
      'link-down': 0,
    };
  }

  close(): Promise<void> {
    this.#rtnetlink.close();
    return Promise.resolve();
  }

  #wayOut(direction: LinkDirection): string {
    return this.#interfaces[direction === 0 ? 1 : 0];
  }
}

/** Whether the kernel has netem, tried in a network namespace of its own; loads the module where it can be loaded. */
export function hasNetem(): boolean {
  const namespace = NetworkNamespace.create();
  const rtnetlink = namespace.run(() => new Rtnetlink());
  try {
    rtnetlink.createBridge('bridge', []);
    rtnetlink.replaceNetem('lo', {
      burstOctets: 0,
      delayMs: 1,
      jitterMs: 0,
      loss: { kind: 'none' },
      queueLimitOctets: 0,
    });
    return true;
  } catch {
    return false;
  } finally {
    rtnetlink.close();
    namespace.close();
  }
}
