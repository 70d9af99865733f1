/**
 * What is read back from nftables: counters of map elements, a named counter, and the notes that a table carries. Leaves out every
 * other thing that the kernel could list; what is installed is known to whoever installed it.
 */
import { listAttributes, NetlinkWriter, readAttributes } from './netlink-message.ts';
import { type NetlinkSocket, netlinkFlag } from './netlink-socket.ts';
import {
  familyHeader,
  type IpFamily,
  messageType,
  nftablesMessage,
  writeAttributes,
} from './nftables-batch.ts';
import type { SetElements } from './nftables-set-elements.ts';

export interface Counted {
  readonly packets: number;
  readonly octets: number;
}

/** The counter of one element that is known to be there. */
export function readElementCounter(socket: NetlinkSocket, family: IpFamily, element: SetElements): Counted {
  const request = begin(socket, nftablesMessage.getElement, netlinkFlag.ack, family);
  element.writeTo(request);
  request.endMessage();
  const [answer] = socket.dump(request, 'nftables: read an element');
  const list = answer && attributesOf(answer.payload).get(NFTA_SET_ELEM_LIST_ELEMENTS);
  const found = list && readAttributes(list).get(NFTA_LIST_ELEM);
  const expression = found && readAttributes(found).get(NFTA_SET_ELEM_EXPR);
  return readCounter(expression && readAttributes(expression).get(NFTA_EXPR_DATA));
}

export function readNamedCounter(
  socket: NetlinkSocket,
  family: IpFamily,
  table: string,
  name: string,
): Counted {
  const request = begin(socket, nftablesMessage.getObject, netlinkFlag.ack, family);
  writeAttributes(request, [
    [NFTA_OBJ_TABLE, table],
    [NFTA_OBJ_NAME, name],
    [NFTA_OBJ_TYPE, NFT_OBJECT_COUNTER],
  ]);
  request.endMessage();
  const [answer] = socket.dump(request, `nftables: read counter ${name}`);
  return readCounter(answer && attributesOf(answer.payload).get(NFTA_OBJ_DATA));
}

/** The user data of the rules of one chain, in order; none when there is no such table. */
export function readUserData(
  socket: NetlinkSocket,
  family: IpFamily,
  table: string,
  chain: string,
): string[] {
  const request = begin(socket, nftablesMessage.getRule, netlinkFlag.dump, family);
  writeAttributes(request, [
    [NFTA_RULE_TABLE, table],
    [NFTA_RULE_CHAIN, chain],
  ]);
  request.endMessage();
  return socket.dump(request, `nftables: list ${chain} of ${table}`).flatMap(({ payload }) => {
    const attributes = attributesOf(payload);
    const data = attributes.get(NFTA_RULE_USERDATA);
    // Kernels may ignore the filter and list every chain.
    const isOurs =
      textOf(attributes.get(NFTA_RULE_TABLE)) === table && textOf(attributes.get(NFTA_RULE_CHAIN)) === chain;
    return data && isOurs ? [new TextDecoder().decode(data)] : [];
  });
}

function begin(socket: NetlinkSocket, message: number, flags: number, family: IpFamily): NetlinkWriter {
  const writer = new NetlinkWriter(512);
  const sequence = socket.nextSequence();
  writer.beginMessage(messageType(message), netlinkFlag.request | flags, sequence, familyHeader(family));
  return writer;
}

/** Behind struct nfgenmsg. */
function attributesOf(payload: Uint8Array): Map<number, Uint8Array> {
  return readAttributes(payload.subarray(4));
}

function readCounter(data: Uint8Array | undefined): Counted {
  const counted = { packets: 0, octets: 0 };
  for (const { type, value } of data ? listAttributes(data) : []) {
    const number = () => Number(new DataView(value.buffer, value.byteOffset).getBigUint64(0));
    if (type === NFTA_COUNTER_BYTES) counted.octets = number();
    if (type === NFTA_COUNTER_PACKETS) counted.packets = number();
  }
  return counted;
}

function textOf(value: Uint8Array | undefined): string {
  return new TextDecoder().decode(value?.subarray(0, -1));
}

const NFTA_SET_ELEM_LIST_ELEMENTS = 3;
const NFTA_LIST_ELEM = 1;
const NFTA_SET_ELEM_EXPR = 7;
const NFTA_EXPR_DATA = 2;
const NFTA_COUNTER_BYTES = 1;
const NFTA_COUNTER_PACKETS = 2;
const NFTA_OBJ_TABLE = 1;
const NFTA_OBJ_NAME = 2;
const NFTA_OBJ_TYPE = 3;
const NFTA_OBJ_DATA = 4;
const NFT_OBJECT_COUNTER = 1;
const NFTA_RULE_TABLE = 1;
const NFTA_RULE_CHAIN = 2;
const NFTA_RULE_USERDATA = 7;
