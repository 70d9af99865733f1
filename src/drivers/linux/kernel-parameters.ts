/**
 * Kernel parameters that are otherwise than they were for as long as a driver needs it, and the way back even when its process is killed.
 * What they were is noted in the kernel itself before the first one changes: an nftables table without effect, which lives as long as the
 * network namespace whose parameters they are. The next one of the same name finds the notes of a predecessor that crashed and puts
 * back first. On a kernel without nftables there is only the orderly way back.
 */
import { TrimaranError } from '../../base/trimaran-error.ts';
import { NETLINK_NETFILTER, NetlinkSocket, netlinkFlag } from './netlink-socket.ts';
import { type Attribute, NftablesBatch, nftablesMessage } from './nftables-batch.ts';
import { readUserData } from './nftables-reader.ts';
import { addNotes, deleteTable, notesChain, tableNameAttribute } from './nftables-table.ts';
import { presentSysctls, putBack, type Sysctl, sysctlNote, writeSysctl } from './sysctl.ts';

export class KernelParameters {
  readonly #table: string;
  /** Of the network namespace that the calling thread was in. */
  readonly #socket = new NetlinkSocket(NETLINK_NETFILTER);
  readonly #former: readonly string[];

  /** `owner` tells those who change parameters in one network namespace apart. Throws SYSCTL_REFUSED with nothing changed. */
  constructor(owner: string, wanted: readonly Sysctl[]) {
    this.#table = `trimaran-parameters-${owner}`;
    putBack(this.#readNotes());
    const former = presentSysctls(wanted);
    this.#former = former.map(sysctlNote);
    this.#writeNotes(this.#former);
    try {
      for (const sysctl of wanted) if (former.some(({ name }) => name === sysctl.name)) writeSysctl(sysctl);
    } catch (error) {
      this.close();
      throw error;
    }
  }

  /** To be called in the network namespace. */
  close(): void {
    putBack(this.#former);
    this.#writeNotes([]);
    this.#socket.close();
  }

  #readNotes(): string[] {
    try {
      return readUserData(this.#socket, 4, this.#table, notesChain);
    } catch (error) {
      if (!(error instanceof TrimaranError)) throw error;
      return [];
    }
  }

  /** In place of those that are there. */
  #writeNotes(notes: readonly string[]): void {
    const batch = new NftablesBatch(this.#socket);
    const table: Attribute[] = [tableNameAttribute(this.#table)];
    deleteTable(batch, 4, this.#table);
    if (notes.length > 0) {
      batch.add(nftablesMessage.newTable, netlinkFlag.create, 4, table, `table ${this.#table}`);
      addNotes(batch, 4, this.#table, notes);
    }
    try {
      batch.commit();
    } catch (error) {
      if (!(error instanceof TrimaranError)) throw error;
    }
  }
}
