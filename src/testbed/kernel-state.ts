/**
 * What a network namespace holds, to show that a run left it as it found it: links, addresses, routes, rules and nftables tables.
 * A table that is gone took its chains, sets and rules along, so their names are not listed.
 */

import { TrimaranError } from '../base/trimaran-error.ts';
import { NetlinkWriter, readAttributes } from '../drivers/linux/netlink-message.ts';
import { NETLINK_NETFILTER, NetlinkSocket, netlinkFlag } from '../drivers/linux/netlink-socket.ts';
import { Rtnetlink } from '../drivers/linux/rtnetlink.ts';

export interface KernelState {
  readonly links: readonly string[];
  readonly addresses: readonly string[];
  readonly routes: readonly string[];
  readonly rules: readonly string[];
  /** Undefined when the kernel does not say: it asks for CAP_NET_ADMIN, or has no nftables. */
  readonly tables: readonly string[] | undefined;
}

/** Of the calling thread's network namespace. One line of text per thing, sorted, so that two states compare and differ readably. */
export function readKernelState(): KernelState {
  const rtnetlink = new Rtnetlink();
  const lines = (things: readonly object[]): string[] => things.map((thing) => JSON.stringify(thing)).sort();
  const state = {
    links: lines(rtnetlink.links()),
    addresses: lines(rtnetlink.addresses()),
    routes: lines(rtnetlink.routes()),
    rules: lines(rtnetlink.rules()),
    tables: readTables(),
  };
  rtnetlink.close();
  return state;
}

function readTables(): string[] | undefined {
  try {
    const socket = new NetlinkSocket(NETLINK_NETFILTER);
    const writer = new NetlinkWriter();
    const flags = netlinkFlag.request | netlinkFlag.dump;
    writer.beginMessage(NFT_MSG_GETTABLE, flags, socket.nextSequence(), new Uint8Array(4));
    writer.endMessage();
    const tables = socket.dump(writer, 'list nftables tables').map(({ payload }) => {
      const name = readAttributes(payload.subarray(4)).get(NFTA_TABLE_NAME)?.subarray(0, -1);
      return `family ${payload[0]} ${new TextDecoder().decode(name)}`;
    });
    socket.close();
    return tables.sort();
  } catch (error) {
    if (error instanceof TrimaranError) return undefined;
    throw error;
  }
}

/** NFNL_SUBSYS_NFTABLES and NFT_MSG_GETTABLE. */
const NFT_MSG_GETTABLE = (10 << 8) | 1;
const NFTA_TABLE_NAME = 1;
