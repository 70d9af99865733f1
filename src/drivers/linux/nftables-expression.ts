/**
 * nftables expressions (linux/netfilter/nf_tables.h) as data: what a rule loads from a packet, compares, looks up and writes.
 * A rule is a list of them, evaluated until one does not hold. Registers are sixteen 32-bit words, numbered 0 … 15 here.
 */
import type { Attribute } from './nftables-batch.ts';

export type Expression = readonly Attribute[];

export type HeaderBase = 'network' | 'transport';

export const metaKey = {
  mark: 3,
  inputInterface: 4,
  outputInterface: 5,
  inputInterfaceName: 6,
  outputInterfaceName: 7,
  transportProtocol: 16,
} as const;

export function loadMeta(key: number, register: number): Expression {
  return expression('meta', [
    [NFTA_META_DREG, at(register)],
    [NFTA_META_KEY, key],
  ]);
}

export function setMeta(key: number, register: number): Expression {
  return expression('meta', [
    [NFTA_META_SREG, at(register)],
    [NFTA_META_KEY, key],
  ]);
}

export function loadHeader(base: HeaderBase, offset: number, length: number, register: number): Expression {
  return expression('payload', [[NFTA_PAYLOAD_DREG, at(register)], ...headerField(base, offset, length)]);
}

/** Which checksums a header write keeps right. */
export interface ChecksumUpdate {
  /** Offset of the checksum in the same header. */
  readonly offset?: number;
  /** The field is part of the pseudo-header of UDP and TCP; a UDP checksum of zero stays zero. */
  readonly pseudoHeader?: boolean;
}

export function writeHeader(
  base: HeaderBase,
  offset: number,
  length: number,
  register: number,
  checksum: ChecksumUpdate,
): Expression {
  return expression('payload', [
    [NFTA_PAYLOAD_SREG, at(register)],
    ...headerField(base, offset, length),
    [NFTA_PAYLOAD_CSUM_TYPE, checksum.offset === undefined ? 0 : NFT_PAYLOAD_CSUM_INET],
    [NFTA_PAYLOAD_CSUM_OFFSET, checksum.offset ?? 0],
    [NFTA_PAYLOAD_CSUM_FLAGS, checksum.pseudoHeader ? NFT_PAYLOAD_L4CSUM_PSEUDOHDR : 0],
  ]);
}

/** Comparison is by octets, so it orders numbers in network order only. */
export function compare(
  register: number,
  operator: 'equal' | 'not-equal' | 'less' | 'greater',
  value: Uint8Array,
): Expression {
  const code = { equal: 0, 'not-equal': 1, less: 2, greater: 4 }[operator];
  return expression('cmp', [
    [NFTA_CMP_SREG, at(register)],
    [NFTA_CMP_OP, code],
    [NFTA_CMP_DATA, [[NFTA_DATA_VALUE, value]]],
  ]);
}

export function maskWith(register: number, mask: Uint8Array): Expression {
  return expression('bitwise', [
    [NFTA_BITWISE_SREG, at(register)],
    [NFTA_BITWISE_DREG, at(register)],
    [NFTA_BITWISE_LEN, mask.length],
    [NFTA_BITWISE_MASK, [[NFTA_DATA_VALUE, mask]]],
    [NFTA_BITWISE_XOR, [[NFTA_DATA_VALUE, new Uint8Array(mask.length)]]],
  ]);
}

/** Holds when the set has the key that starts at `register`; in a map, the datum is loaded from `into` on. */
export function lookUp(set: string, register: number, into?: number): Expression {
  return expression('lookup', [
    [NFTA_LOOKUP_SET, set],
    [NFTA_LOOKUP_SREG, at(register)],
    ...(into === undefined ? [] : [[NFTA_LOOKUP_DREG, at(into)] as const]),
  ]);
}

/** Holds when the set lacks the key that starts at `register`. */
export function lookUpAbsent(set: string, register: number): Expression {
  return expression('lookup', [
    [NFTA_LOOKUP_SET, set],
    [NFTA_LOOKUP_SREG, at(register)],
    [NFTA_LOOKUP_FLAGS, NFT_LOOKUP_F_INV],
  ]);
}

export function loadConstant(register: number, value: Uint8Array): Expression {
  return expression('immediate', [
    [NFTA_IMMEDIATE_DREG, at(register)],
    [NFTA_IMMEDIATE_DATA, [[NFTA_DATA_VALUE, value]]],
  ]);
}

/** Ends this chain for the packet, or goes on in another. */
export function verdict(decision: 'accept' | 'drop' | { readonly goto: string }): Expression {
  const code = decision === 'accept' ? 1 : decision === 'drop' ? 0 : NFT_GOTO;
  const attributes: Attribute[] = [[NFTA_VERDICT_CODE, code]];
  if (typeof decision === 'object') attributes.push([NFTA_VERDICT_CHAIN, decision.goto]);
  return expression('immediate', [
    [NFTA_IMMEDIATE_DREG, NFT_REG_VERDICT],
    [NFTA_IMMEDIATE_DATA, [[NFTA_DATA_VERDICT, attributes]]],
  ]);
}

/** Counts in a named counter object. */
export function countIn(counter: string): Expression {
  return expression('objref', [
    [NFTA_OBJREF_IMM_TYPE, NFT_OBJECT_COUNTER],
    [NFTA_OBJREF_IMM_NAME, counter],
  ]);
}

/** A counter of its own for whatever carries it (a set then counts per element). */
export function counter(): Expression {
  return expression('counter', []);
}

/** Holds for so many packets per second, in bursts of as many. */
export function limit(packetsPerSecond: number): Expression {
  return expression('limit', [
    [NFTA_LIMIT_RATE, BigInt(packetsPerSecond)],
    [NFTA_LIMIT_UNIT, 1n],
    [NFTA_LIMIT_BURST, packetsPerSecond],
  ]);
}

/** Hands a copy of the packet to the netlink log group at once. */
export function log(group: number): Expression {
  return expression('log', [
    [NFTA_LOG_GROUP, Uint8Array.of(group >> 8, group & 255)],
    [NFTA_LOG_QTHRESHOLD, Uint8Array.of(0, 1)],
  ]);
}

/**
 * Hands the packet itself to the netlink queue of that number; where nobody listens, it goes on. Kernels without nft_queue have the same
 * as an extension of iptables (xt_NFQUEUE).
 */
export function queueIn(queue: number, by: 'nftables' | 'iptables'): Expression {
  if (by === 'nftables')
    return expression('queue', [
      [NFTA_QUEUE_NUM, Uint8Array.of(queue >> 8, queue & 255)],
      [NFTA_QUEUE_TOTAL, Uint8Array.of(0, 1)],
      [NFTA_QUEUE_FLAGS, Uint8Array.of(0, NFT_QUEUE_FLAG_BYPASS)],
    ]);
  // struct xt_NFQ_info_v3, in the host's (little-endian) order: number, how many queues, flags.
  const information = Uint8Array.of(queue & 255, queue >> 8, 1, 0, NFT_QUEUE_FLAG_BYPASS, 0, 0, 0);
  return expression('target', [
    [NFTA_TARGET_NAME, 'NFQUEUE'],
    [NFTA_TARGET_REV, 3],
    [NFTA_TARGET_INFO, information],
  ]);
}

/** 0 … 65,535 in turn, in the host's order. */
export function loadCounter16(register: number): Expression {
  return expression('numgen', [
    [NFTA_NG_DREG, at(register)],
    [NFTA_NG_MODULUS, 0x10000],
    [NFTA_NG_TYPE, NFT_NG_INCREMENTAL],
  ]);
}

/** Lowers the maximum segment size option of a TCP SYN to the 16-bit number in the register; never raises it. */
export function clampSegmentSize(register: number): Expression {
  const [kindMaximumSegmentSize, valueOffset, valueLength] = [2, 2, 2];
  return expression('exthdr', [
    [NFTA_EXTHDR_TYPE, Uint8Array.of(kindMaximumSegmentSize)],
    [NFTA_EXTHDR_OFFSET, valueOffset],
    [NFTA_EXTHDR_LEN, valueLength],
    [NFTA_EXTHDR_OP, NFT_EXTHDR_OP_TCPOPT],
    [NFTA_EXTHDR_SREG, at(register)],
  ]);
}

/** What kind of address the packet's source is to this host (RTN_LOCAL is 2), in the host's order. */
export function loadSourceAddressType(register: number): Expression {
  return expression('fib', [
    [NFTA_FIB_DREG, at(register)],
    [NFTA_FIB_RESULT, NFT_FIB_RESULT_ADDRTYPE],
    [NFTA_FIB_FLAGS, NFTA_FIB_F_SADDR],
  ]);
}

/** What connection tracking knows of the packet; turns it on, for packets that nothing keeps it off. */
export function loadTrackingState(register: number): Expression {
  return expression('ct', [
    [NFTA_CT_DREG, at(register)],
    [NFTA_CT_KEY, NFT_CT_STATE],
  ]);
}

/** Keeps connection tracking off the packet. */
export function withoutTracking(): Expression {
  return [[NFTA_EXPR_NAME, 'notrack']];
}

/** Diverts to a local socket; wanted here only for what its presence in a rule set does: fragments are put together first. */
export function transparentProxy(addressFamily: number, portRegister: number): Expression {
  return expression('tproxy', [
    [NFTA_TPROXY_FAMILY, addressFamily],
    [NFTA_TPROXY_REG_PORT, at(portRegister)],
  ]);
}

function expression(name: string, data: readonly Attribute[]): Expression {
  return [
    [NFTA_EXPR_NAME, name],
    [NFTA_EXPR_DATA, data],
  ];
}

function headerField(base: HeaderBase, offset: number, length: number): Attribute[] {
  return [
    [NFTA_PAYLOAD_BASE, base === 'network' ? 1 : 2],
    [NFTA_PAYLOAD_OFFSET, offset],
    [NFTA_PAYLOAD_LEN, length],
  ];
}

/** The kernel numbers the 32-bit registers from 8 on (NFT_REG32_00); below are the verdict and four 128-bit ones over them. */
function at(register: number): number {
  return 8 + register;
}

const NFTA_EXPR_NAME = 1;
const NFTA_EXPR_DATA = 2;
const NFTA_META_DREG = 1;
const NFTA_META_KEY = 2;
const NFTA_META_SREG = 3;
const NFTA_PAYLOAD_DREG = 1;
const NFTA_PAYLOAD_BASE = 2;
const NFTA_PAYLOAD_OFFSET = 3;
const NFTA_PAYLOAD_LEN = 4;
const NFTA_PAYLOAD_SREG = 5;
const NFTA_PAYLOAD_CSUM_TYPE = 6;
const NFTA_PAYLOAD_CSUM_OFFSET = 7;
const NFTA_PAYLOAD_CSUM_FLAGS = 8;
const NFT_PAYLOAD_CSUM_INET = 1;
const NFT_PAYLOAD_L4CSUM_PSEUDOHDR = 1;
const NFTA_CMP_SREG = 1;
const NFTA_CMP_OP = 2;
const NFTA_CMP_DATA = 3;
const NFTA_DATA_VALUE = 1;
const NFTA_DATA_VERDICT = 2;
const NFTA_BITWISE_SREG = 1;
const NFTA_BITWISE_DREG = 2;
const NFTA_BITWISE_LEN = 3;
const NFTA_BITWISE_MASK = 4;
const NFTA_BITWISE_XOR = 5;
const NFTA_LOOKUP_SET = 1;
const NFTA_LOOKUP_SREG = 2;
const NFTA_LOOKUP_DREG = 3;
const NFTA_LOOKUP_FLAGS = 5;
const NFT_LOOKUP_F_INV = 1;
const NFTA_IMMEDIATE_DREG = 1;
const NFTA_IMMEDIATE_DATA = 2;
const NFTA_VERDICT_CODE = 1;
const NFTA_VERDICT_CHAIN = 2;
const NFT_GOTO = 0xffff_fffc;
const NFT_REG_VERDICT = 0;
const NFTA_OBJREF_IMM_TYPE = 1;
const NFTA_OBJREF_IMM_NAME = 2;
const NFT_OBJECT_COUNTER = 1;
const NFTA_LIMIT_RATE = 1;
const NFTA_LIMIT_UNIT = 2;
const NFTA_LIMIT_BURST = 3;
const NFTA_LOG_GROUP = 1;
const NFTA_LOG_QTHRESHOLD = 4;
const NFTA_NG_DREG = 1;
const NFTA_NG_MODULUS = 2;
const NFTA_NG_TYPE = 3;
const NFT_NG_INCREMENTAL = 0;
const NFTA_EXTHDR_TYPE = 2;
const NFTA_EXTHDR_OFFSET = 3;
const NFTA_EXTHDR_LEN = 4;
const NFTA_EXTHDR_OP = 6;
const NFTA_EXTHDR_SREG = 7;
const NFT_EXTHDR_OP_TCPOPT = 1;
const NFTA_FIB_DREG = 1;
const NFTA_FIB_RESULT = 2;
const NFTA_FIB_FLAGS = 3;
const NFT_FIB_RESULT_ADDRTYPE = 3;
const NFTA_FIB_F_SADDR = 1;
const NFTA_CT_DREG = 1;
const NFTA_CT_KEY = 2;
const NFT_CT_STATE = 0;
const NFTA_TPROXY_FAMILY = 1;
const NFTA_TPROXY_REG_PORT = 3;
const NFTA_QUEUE_NUM = 1;
const NFTA_QUEUE_TOTAL = 2;
const NFTA_QUEUE_FLAGS = 3;
const NFT_QUEUE_FLAG_BYPASS = 1;
const NFTA_TARGET_NAME = 1;
const NFTA_TARGET_REV = 2;
const NFTA_TARGET_INFO = 3;
