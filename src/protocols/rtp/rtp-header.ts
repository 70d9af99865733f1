/**
 * The RTP fixed header with its contributing sources and the frame of an extension (RFC 3550 §5.1, §5.3.1). The content of extensions,
 * RTCP and payload formats are left out; padding is taken off the payload.
 *
 *   octet 0: V(2)=2 P X CC(4) | 1: M PT(7) | 2: sequence | 4: timestamp | 8: SSRC | 12: CSRC × CC | extension (X) | payload | padding (P)
 */
import { Malformed } from '../../base/malformed.ts';

export interface RtpHeader {
  readonly payloadType: number;
  readonly marker: boolean;
  readonly sequenceNumber: number;
  readonly timestamp: number;
  readonly ssrc: number;
  readonly contributingSources: readonly number[];
}

export interface RtpPacket {
  readonly header: RtpHeader;
  /** A view into the decoded octets. */
  readonly payload: Uint8Array;
}

const fixedOctets = 12;

export function decodeRtpPacket(octets: Uint8Array): RtpPacket | Malformed {
  if (octets.length < fixedOctets) return new Malformed('fixed header', 0, 'RFC 3550 §5.1: 12 octets');
  const view = new DataView(octets.buffer, octets.byteOffset, octets.byteLength);
  const first = view.getUint8(0);
  if (first >> 6 !== 2) return new Malformed('version', 0, 'RFC 3550 §5.1: version 2');
  const sources = first & 0x0f;
  const start = payloadStart(view, first, fixedOctets + 4 * sources);
  if (start === undefined)
    return new Malformed('header', 0, 'RFC 3550 §5.3.1: the header ends in the packet');
  const padding = first & 0x20 ? view.getUint8(octets.length - 1) : 0;
  if (first & 0x20 && (padding === 0 || start + padding > octets.length))
    return new Malformed('padding', octets.length - 1, 'RFC 3550 §5.1: 1 to payload length octets');
  const header = {
    payloadType: view.getUint8(1) & 0x7f,
    marker: view.getUint8(1) >> 7 === 1,
    sequenceNumber: view.getUint16(2),
    timestamp: view.getUint32(4),
    ssrc: view.getUint32(8),
    contributingSources: Array.from({ length: sources }, (_, index) =>
      view.getUint32(fixedOctets + 4 * index),
    ),
  };
  return { header, payload: octets.subarray(start, octets.length - padding) };
}

/** Fields are taken modulo their width; more than 15 contributing sources are cut (the count has four bits). */
export function encodeRtpPacket(header: RtpHeader, payload: Uint8Array): Uint8Array {
  const sources = header.contributingSources.slice(0, 15);
  const octets = new Uint8Array(fixedOctets + 4 * sources.length + payload.length);
  const view = new DataView(octets.buffer);
  view.setUint8(0, 0x80 | sources.length);
  view.setUint8(1, (header.marker ? 0x80 : 0) | (header.payloadType & 0x7f));
  view.setUint16(2, header.sequenceNumber);
  view.setUint32(4, header.timestamp);
  view.setUint32(8, header.ssrc);
  sources.forEach((source, index) => {
    view.setUint32(fixedOctets + 4 * index, source);
  });
  octets.set(payload, fixedOctets + 4 * sources.length);
  return octets;
}

/** Where the payload begins, or nothing when sources or extension run over the end. */
function payloadStart(view: DataView, first: number, afterSources: number): number | undefined {
  if ((first & 0x10) === 0) return afterSources <= view.byteLength ? afterSources : undefined;
  if (afterSources + 4 > view.byteLength) return undefined;
  const start = afterSources + 4 + 4 * view.getUint16(afterSources + 2);
  return start <= view.byteLength ? start : undefined;
}
