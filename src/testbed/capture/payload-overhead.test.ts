import assert from 'node:assert/strict';
import { test } from 'node:test';
import { encodeRtpPacket } from '../../protocols/rtp/rtp-header.ts';
import { formatOverheads, payloadOverheads } from './payload-overhead.ts';

test('payloadOverheads: the headers of MIP-SIP Table 1, direct and through either tunnel', () => {
  const direct = udp(40_000, 40_002, rtp(8, 160));
  const frames = [
    frame(direct),
    frame(direct),
    frame(udp(434, 434, direct)),
    frame(udp(434, 61_000, Uint8Array.of(4, 4, 0, 0, ...udp(40_000, 40_002, rtp(4, 20))))),
  ];
  assert.equal(
    formatOverheads(payloadOverheads(frames)),
    [
      'path,payload type,payload octets,header octets,percent,packets',
      '"direct",8,160,40,20.00,2',
      '"tunnel, plain",8,160,68,29.82,1',
      '"tunnel, RFC 3519",4,20,72,78.26,1',
      '',
    ].join('\n'),
  );
});

test('payloadOverheads: signalling, registrations, video and broken frames are none of its business', () => {
  const frames = [
    frame(udp(5060, 5060, new TextEncoder().encode('OPTIONS sip:a SIP/2.0'))),
    frame(udp(434, 434, Uint8Array.of(1, 2, 0, 0))),
    frame(udp(40_000, 40_002, rtp(96, 500))),
    frame(Uint8Array.of(0x45, 0, 0)),
    new Uint8Array(3),
  ];
  assert.deepEqual(payloadOverheads(frames), []);
});

/** On an Ethernet, padded as short frames are. */
function frame(packet: Uint8Array): Uint8Array {
  const octets = new Uint8Array(Math.max(60, 14 + packet.length));
  octets.set(packet, 14);
  return octets;
}

function udp(sourcePort: number, destinationPort: number, payload: Uint8Array): Uint8Array {
  const packet = new Uint8Array(28 + payload.length);
  const view = new DataView(packet.buffer);
  view.setUint8(0, 0x45);
  view.setUint16(2, packet.length);
  view.setUint8(9, 17);
  view.setUint16(20, sourcePort);
  view.setUint16(22, destinationPort);
  packet.set(payload, 28);
  return packet;
}

function rtp(payloadType: number, octets: number): Uint8Array {
  const header = {
    payloadType,
    marker: false,
    sequenceNumber: 1,
    timestamp: 1,
    ssrc: 1,
    contributingSources: [],
  };
  return encodeRtpPacket(header, new Uint8Array(octets));
}
