/**
 * Writes captured Ethernet frames as pcapng (IETF draft-ietf-opsawg-pcapng §4), which Wireshark opens: a section header, one description
 * per interface, and an enhanced packet block per frame. Options other than the interface's name and resolution are left out.
 */

/** The section header and the interface blocks, to be written first. */
export function pcapngHeader(interfaces: readonly string[]): Uint8Array {
  const section = new DataView(new ArrayBuffer(16));
  section.setUint32(0, 0x1a2b3c4d, true);
  section.setUint16(4, 1, true);
  section.setBigInt64(8, -1n, true);
  return Buffer.concat([block(0x0a0d0d0a, octetsOf(section)), ...interfaces.map(interfaceBlock)]);
}

/** `frame` may be cut: `originalOctets` is its length on the wire. `epochMs` may have a fraction; nanoseconds are written. */
export function pcapngPacket(
  interfaceIndex: number,
  epochMs: number,
  frame: Uint8Array,
  originalOctets: number,
): Uint8Array {
  const header = new DataView(new ArrayBuffer(20));
  const nanoseconds = BigInt(Math.round(epochMs * 1e6));
  header.setUint32(0, interfaceIndex, true);
  header.setUint32(4, Number(nanoseconds >> 32n), true);
  header.setUint32(8, Number(nanoseconds & 0xffff_ffffn), true);
  header.setUint32(12, frame.length, true);
  header.setUint32(16, originalOctets, true);
  return block(6, Buffer.concat([octetsOf(header), frame]));
}

function interfaceBlock(name: string): Uint8Array {
  const header = new DataView(new ArrayBuffer(8));
  header.setUint16(0, LINKTYPE_ETHERNET, true);
  const options = [option(OPTION_NAME, Buffer.from(name)), option(OPTION_RESOLUTION, Uint8Array.of(9))];
  return block(1, Buffer.concat([octetsOf(header), ...options, option(0, new Uint8Array())]));
}

function option(code: number, value: Uint8Array): Uint8Array {
  const header = new DataView(new ArrayBuffer(4));
  header.setUint16(0, code, true);
  header.setUint16(2, value.length, true);
  return Buffer.concat([octetsOf(header), padded(value)]);
}

/** Type and length before the body, the length again behind it. */
function block(type: number, body: Uint8Array): Uint8Array {
  const content = padded(body);
  const frame = new DataView(new ArrayBuffer(12));
  frame.setUint32(0, type, true);
  frame.setUint32(4, 12 + content.length, true);
  frame.setUint32(8, 12 + content.length, true);
  const octets = octetsOf(frame);
  return Buffer.concat([octets.subarray(0, 8), content, octets.subarray(8)]);
}

function padded(octets: Uint8Array): Uint8Array {
  const padding = -octets.length & 3;
  return padding === 0 ? octets : Buffer.concat([octets, new Uint8Array(padding)]);
}

function octetsOf(view: DataView): Uint8Array {
  return new Uint8Array(view.buffer);
}

const LINKTYPE_ETHERNET = 1;
const OPTION_NAME = 2;
const OPTION_RESOLUTION = 9;
