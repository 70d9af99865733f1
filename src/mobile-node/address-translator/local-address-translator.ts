/**
 * The address translator of the mobile node (TRIM fig. 3(b), §3.1): applications see one internal address for ever, the network sees the
 * address of the access that carries the session. This box keeps the bindings session by session and says what the kernel has to do;
 * translation/local-binding-table.ts is the mechanism, drivers/linux carries it out. It knows nothing of signalling.
 */
import {
  type LocalAccess,
  type LocalBinding,
  LocalBindingTable,
} from '../../translation/local-binding-table.ts';
import type { FlowKey, TranslationOperation } from '../../translation/translation-operation.ts';

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
    bindings: readonly LocalBinding[],
    accesses: readonly [LocalAccess, ...LocalAccess[]],
  ): readonly LocalBinding[] {
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
    const installed = added.map((binding) => this.#table.install(binding, carrier));
    this.#commit([
      ...released,
      ...installed.flatMap((operations) => operations ?? []),
      ...added.flatMap((binding) => others.flatMap((access) => this.#table.accept(binding.id, access))),
    ]);
    return added.filter((_, index) => installed[index] === undefined);
  }

  /** Packets of the session are accepted over this access too; before its address is told to anybody. */
  accept(session: string, access: LocalAccess): void {
    this.#commit(this.#idsOf(session).flatMap((id) => this.#table.accept(id, access)));
  }

  /** The applications' packets leave by this access from now on. */
  move(session: string, access: LocalAccess): void {
    this.#commit(this.#idsOf(session).flatMap((id) => this.#table.move(id, access)));
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
