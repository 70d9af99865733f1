/** What an access router with address translation does (RFC 3022 §2.2): Linux's masquerading, with connection tracking, by one nftables rule. */
import { NETLINK_NETFILTER, NetlinkSocket, netlinkFlag } from '../drivers/linux/netlink-socket.ts';
import { type Attribute, NftablesBatch, nftablesMessage } from '../drivers/linux/nftables-batch.ts';
import { compare, loadMeta } from '../drivers/linux/nftables-expression.ts';

const table = 'lab-nat';
const chain = 'postrouting';
/** linux/netfilter_ipv4.h NF_INET_POST_ROUTING, NF_IP_PRI_NAT_SRC. */
const hook: Attribute[] = [
  [1, 4],
  [2, 100],
];
/** linux/netfilter/nf_tables.h NFT_META_OIFNAME: 16 octets, padded with zeros. */
const outputInterfaceName = 7;
const nameOctets = 16;

/** In the network namespace of the calling thread, until that is gone. Throws when the kernel has no address translation. */
export function addMasquerade(outputInterface: string): void {
  const socket = new NetlinkSocket(NETLINK_NETFILTER);
  const batch = new NftablesBatch(socket);
  batch.add(nftablesMessage.newTable, netlinkFlag.create, 4, [[1, table]], 'table');
  const chainAttributes: Attribute[] = [
    [1, table],
    [3, chain],
    [4, hook],
    [7, 'nat'],
  ];
  batch.add(nftablesMessage.newChain, netlinkFlag.create, 4, chainAttributes, 'chain');
  const name = new Uint8Array(nameOctets);
  name.set(new TextEncoder().encode(outputInterface));
  const masquerade: Attribute[] = [
    [1, 'masq'],
    [2, []],
  ];
  const expressions = [loadMeta(outputInterfaceName, 0), compare(0, 'equal', name), masquerade];
  const rule: Attribute[] = [
    [1, table],
    [2, chain],
    [4, expressions.map((expression) => [1, expression] as const)],
  ];
  const flags = netlinkFlag.create | netlinkFlag.append;
  batch.add(nftablesMessage.newRule, flags, 4, rule, 'rule');
  batch.commit();
  socket.close();
}
