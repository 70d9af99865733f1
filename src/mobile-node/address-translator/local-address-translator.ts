/**
 * The address translator of the mobile node (TRIM fig. 3(b), §3.1): applications see one internal address for ever, the network sees the
 * address of the access that carries the session. This box keeps the bindings session by session and says what the kernel has to do;
 * translation/local-binding-table.ts is the mechanism, drivers/linux carries it out. It knows nothing of signalling.
 */
import type { TransportAddress } from '../../base/network.ts';
import {
  type LocalAccess,
  type LocalBinding,
  LocalBindingTable,
} from '../../translation/local-binding-table.ts';
import type { FlowKey, TranslationOperation } from '../../translation/translation-operation.ts';

/** A binding, and where its peer is reached over the access that carries the session, when that is not where the application sends to. */
export interface MediaBinding extends LocalBinding {
  readonly remote?: TransportAddress;
}

/** Bindings by their ids; a session's bindings always move together. */
export class LocalAddressTranslator {
  readonly #table = new LocalBindingTable();
  readonly #sessions = new Map<string, readonly string[]>();
  readonly #transactions: TranslationOperation[][] = [];

  /**
   * The session's media are now these; what stays the same is not touched. `accesses`: the one that carries it, then others that accept.
   * Gives the bindings that cannot be, because another session has their flows.
   */
  setMedia(
    session: string,
    bindings: readonly MediaBinding[],
    accesses: readonly [LocalAccess, ...LocalAccess[]],
  ): readonly MediaBinding[] {
    const ids = this.#sessions.get(session) ?? [];
    const kept = bindings.filter((binding) => sameBinding(this.#table.get(binding.id), binding));
    const gone = ids.filter((id) => !kept.some((binding) => binding.id === id));
    const added = bindings.filter((binding) => !kept.includes(binding));
    this.#sessions.set(
      session,
      bindings.map((binding) => binding.id),
    );
    const [carrier, ...others] = accesses;
    const released = gone.flatMap((id) => this.#table.release(id));
    const reached = kept.flatMap((binding) =>
      this.#table.reach(binding.id, carrier, binding.remote ?? binding.peer),
    );
    const installed = added.map((binding) => this.#table.install(binding, carrier, binding.remote));
    this.#commit([
      ...released,
      ...reached,
      ...installed.flatMap((operations) => operations ?? []),
      ...added.flatMap((binding) => others.flatMap((access) => this.#table.accept(binding.id, access))),
    ]);
    return added.filter((_, index) => installed[index] === undefined);
  }

  /**
   * Packets of the session are accepted over this access too; before its address is told to anybody. One of the other version of IP waits for
   * the places of `bindings`, at which the peer is reached there.
   */
  accept(session: string, access: LocalAccess, bindings: readonly MediaBinding[] = []): void {
    this.#commit(
      this.#idsOf(session).flatMap((id) => this.#table.accept(id, access, remoteOf(bindings, id))),
    );
  }

  /** The applications' packets leave by this access from now on, to the places of `bindings`. */
  move(session: string, access: LocalAccess, bindings: readonly MediaBinding[] = []): void {
    this.#commit(this.#idsOf(session).flatMap((id) => this.#table.move(id, access, remoteOf(bindings, id))));
  }

  /** Packets of the session are no longer accepted over this access. */
  dismiss(session: string, access: LocalAccess): void {
    this.#commit(this.#idsOf(session).flatMap((id) => this.#table.dismiss(id, access)));
  }

  release(session: string): void {
    const ids = this.#idsOf(session);
    this.#sessions.delete(session);
    this.#commit(ids.flatMap((id) => this.#table.release(id)));
  }

  /** The flows whose first packet shows that data comes in over the access. */
  downlinkFlows(session: string, access: LocalAccess): FlowKey[] {
    return this.#idsOf(session).flatMap((id) => this.#table.downlinkKey(id, access) ?? []);
  }

  /** What the applications send, as it is before translation. */
  uplinkFlows(session: string): FlowKey[] {
    return this.#idsOf(session).flatMap((id) => this.#table.uplinkKey(id) ?? []);
  }

  /** One atomic transaction for the kernel. */
  pollTransaction(): TranslationOperation[] | undefined {
    return this.#transactions.shift();
  }

  #commit(operations: TranslationOperation[]): void {
    if (operations.length > 0) this.#transactions.push(operations);
  }

  #idsOf(session: string): readonly string[] {
    return this.#sessions.get(session) ?? [];
  }
}

function remoteOf(bindings: readonly MediaBinding[], id: string): TransportAddress | undefined {
  const binding = bindings.find((one) => one.id === id);
  return binding && (binding.remote ?? binding.peer);
}

function sameBinding(a: LocalBinding | undefined, b: LocalBinding): boolean {
  return (
    a !== undefined &&
    a.protocol === b.protocol &&
    a.activeEnd === b.activeEnd &&
    a.application.address === b.application.address &&
    a.application.port === b.application.port &&
    a.peer.address === b.peer.address &&
    a.peer.port === b.peer.port
  );
}
