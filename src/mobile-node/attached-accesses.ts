/** The accesses of the mobile node: those configured, by name and by index, and of those that have an address now what is known of them. */
import type { DurationMs, Instant } from '../base/instant.ts';
import { type AccessOptions, type AttachedAccess, networkAccessOf } from './attached-access.ts';
import type { NetworkAccess } from './handover-manager/network-access.ts';

export class AttachedAccesses {
  readonly configured: readonly AccessOptions[];
  readonly #signallingPort: number;
  readonly #attached = new Map<number, AttachedAccess>();

  constructor(configured: readonly AccessOptions[], signallingPort: number) {
    this.configured = configured;
    this.#signallingPort = signallingPort;
  }

  attach(options: AccessOptions, address: string, attachMs: DurationMs, attachedAt: Instant): void {
    const { index } = options;
    const unknown = { signallingMs: undefined, serviceRoute: [], isForsaken: false };
    this.#attached.set(index, { options, address, attachedAt, attachMs, ...unknown });
  }

  detach(index: number): void {
    this.#attached.delete(index);
  }

  get(index: number): AttachedAccess | undefined {
    return this.#attached.get(index);
  }

  optionsOf(name: string): AccessOptions | undefined {
    return this.configured.find((access) => access.name === name);
  }

  nameOf(index: number): string {
    return this.configured.find((access) => access.index === index)?.name ?? String(index);
  }

  optionalName(index: number | undefined): string | undefined {
    return index === undefined ? undefined : this.nameOf(index);
  }

  /** Packets can be sent over it. */
  isReady(index: number): boolean {
    return this.#attached.get(index)?.signallingMs !== undefined;
  }

  /** In the order in which they are configured. */
  get ready(): readonly AttachedAccess[] {
    return this.configured.flatMap(({ index }) =>
      this.isReady(index) ? (this.#attached.get(index) ?? []) : [],
    );
  }

  /** The access for SIP; undefined without an address, or without a proxy to send to. */
  forSip(index: number): NetworkAccess | undefined {
    const access = this.#attached.get(index);
    return access && networkAccessOf(access, this.#signallingPort);
  }
}
