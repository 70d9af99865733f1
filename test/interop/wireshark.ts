/** What Wireshark makes of packets that we made: each test hands over whole IP packets and asks for fields. */
import assert from 'node:assert/strict';
import { spawnSync } from 'node:child_process';
import { mkdtempSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import type { TestContext } from 'node:test';

export const hasTshark: boolean = spawnSync('tshark', ['--version']).status === 0;

export interface Dissection {
  /** Malformed packets and expert remarks, one line each. */
  readonly remarks: readonly string[];
  /** One line per packet that the filter picks, its fields between tabs. */
  readonly lines: readonly string[];
}

/** `undefined`, with the test skipped, where tshark is not installed. */
export function dissect(
  context: TestContext,
  packets: readonly Buffer[],
  filter: string,
  fields: readonly string[],
): Dissection | undefined {
  if (!hasTshark) {
    context.skip('tshark is not installed (Debian: apt-get install tshark)');
    return undefined;
  }
  const folder = mkdtempSync(join(tmpdir(), 'trimaran-wireshark-'));
  try {
    const file = join(folder, 'packets.pcap');
    writeFileSync(file, Buffer.concat([pcapHeader(), ...packets.map(pcapRecord)]));
    return {
      remarks: tshark(file, '_ws.malformed or _ws.expert', ['_ws.expert.message']),
      lines: tshark(file, filter, fields),
    };
  } finally {
    rmSync(folder, { recursive: true });
  }
}

/** Of a capture file. */
export function dissectFile(file: string, filter: string, fields: readonly string[]): string[] {
  return tshark(file, filter, fields);
}

function tshark(file: string, filter: string, fields: readonly string[]): string[] {
  const wanted = fields.flatMap((field) => ['-e', field]);
  const { stdout, stderr, status } = spawnSync(
    'tshark',
    ['-n', '-r', file, '-Y', filter, '-T', 'fields', ...wanted],
    { encoding: 'utf8' },
  );
  assert.equal(status, 0, stderr);
  return stdout.split('\n').filter((line) => line !== '');
}

function pcapHeader(): Buffer {
  const header = Buffer.alloc(24);
  header.writeUInt32LE(0xa1b2c3d4, 0);
  header.writeUInt16LE(2, 4);
  header.writeUInt16LE(4, 6);
  header.writeUInt32LE(0x40000, 16);
  // LINKTYPE_RAW: packets begin with the IP header.
  header.writeUInt32LE(101, 20);
  return header;
}

/** The number of the packet is its time: order is all that counts. */
function pcapRecord(packet: Buffer, index: number): Buffer {
  const header = Buffer.alloc(16);
  header.writeUInt32LE(index, 0);
  header.writeUInt32LE(packet.length, 8);
  header.writeUInt32LE(packet.length, 12);
  return Buffer.concat([header, packet]);
}
