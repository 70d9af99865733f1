/** The names of all nftables tables in this thread's network namespace. */
import { NetlinkWriter, readAttributes } from '../../src/drivers/linux/netlink-message.ts';
import { type NetlinkSocket, netlinkFlag } from '../../src/drivers/linux/netlink-socket.ts';
import { familyHeader, messageType } from '../../src/drivers/linux/nftables-batch.ts';

const NFT_MSG_GETTABLE = 1;
const NFTA_TABLE_NAME = 1;

export function tableNames(socket: NetlinkSocket): string[] {
  const request = new NetlinkWriter();
  const flags = netlinkFlag.request | netlinkFlag.dump;
  request.beginMessage(messageType(NFT_MSG_GETTABLE), flags, socket.nextSequence(), familyHeader(0));
  request.endMessage();
  return socket.dump(request, 'list tables').map(({ payload }) => {
    const name = readAttributes(payload.subarray(4)).get(NFTA_TABLE_NAME);
    return new TextDecoder().decode(name?.subarray(0, -1));
  });
}
