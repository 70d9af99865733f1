/** CSeq (RFC 3261 §20.16) and RAck, which names the RSeq and the CSeq of a reliable provisional response (RFC 3262 §7.2). */
import { Malformed } from '../../../base/malformed.ts';

export interface CSeq {
  readonly number: number;
  readonly method: string;
}

export interface RAck {
  readonly rseq: number;
  readonly cseq: CSeq;
}

const cseqPattern = /^(\d+)[ \t]+([A-Za-z0-9\-.!%*_+`'~]+)$/;
const rackPattern = /^(\d{1,10})[ \t]+(\d{1,10})[ \t]+([A-Za-z0-9\-.!%*_+`'~]+)$/;
const largest = 0xffff_ffff;

export function parseCSeq(text: string, offset = 0): CSeq | Malformed {
  const match = cseqPattern.exec(text);
  const number = Number(match?.[1]);
  if (match === null || number > largest)
    return new Malformed('CSeq', offset, 'RFC 3261 §20.16: a number below 2^32 and a method');
  return { number, method: match[2]! };
}

export function parseRAck(text: string, offset = 0): RAck | Malformed {
  const match = rackPattern.exec(text);
  if (match === null || Number(match[1]) > largest || Number(match[2]) > largest)
    return new Malformed('RAck', offset, 'RFC 3262 §7.2: RSeq, CSeq number and method');
  return { rseq: Number(match[1]), cseq: { number: Number(match[2]), method: match[3]! } };
}

export function formatCSeq(cseq: CSeq): string {
  return `${cseq.number} ${cseq.method}`;
}

export function formatRAck(rack: RAck): string {
  return `${rack.rseq} ${rack.cseq.number} ${rack.cseq.method}`;
}
