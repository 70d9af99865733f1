/** MIP–SIP runs of the kernel lab as others see them: Wireshark reads every message of a run, and the frames tell what Table 1 claims. */
import assert from 'node:assert/strict';
import { existsSync, mkdtempSync, readFileSync, rmSync, writeFileSync } from 'node:fs';
import { tmpdir } from 'node:os';
import { join } from 'node:path';
import { test } from 'node:test';
import { fileURLToPath } from 'node:url';
import { runLab, skipTunnels as skip } from '../linux/lab-run.ts';
import { dissectFile, hasTshark } from './wireshark.ts';

const scenarios = fileURLToPath(new URL('../../../src/testbed/scenarios/', import.meta.url));

test('MIP-SIP Table 1, measured: 68 octets become 40, 29.8 % become 20 %, 77.3 % become 66.7 %; 72 octets with the header of RFC 3519', {
  skip,
}, async (context) => {
  const standard = readFileSync(join(scenarios, 'mip-table-1.yaml'), 'utf8').replace('plain', 'rfc3519');
  const folder = mkdtempSync(join(tmpdir(), 'trimaran-table-1-'));
  writeFileSync(join(folder, 'standard.yaml'), standard);
  const rows: string[][] = [];
  for (const name of ['mip-table-1', join(folder, 'standard.yaml')]) {
    const { result, files } = await runLab([name, '--capture']);
    assert.deepEqual(result.problems, []);
    const [, ...lines] = (files.get('table-1.csv') ?? '').trim().split('\n');
    rows.push(...lines.map((line) => line.replaceAll('"', '').split(/,(?! )/)));
  }
  rmSync(folder, { recursive: true });
  for (const row of rows) context.diagnostic(row.join(' | '));
  const measured = new Set(rows.map((row) => row.slice(0, 5).join(' | ')));
  assert.deepEqual([...measured].toSorted(), [
    'direct | 4 | 20 | 40 | 66.67',
    'direct | 8 | 160 | 40 | 20.00',
    'tunnel, RFC 3519 | 4 | 20 | 72 | 78.26',
    'tunnel, RFC 3519 | 8 | 160 | 72 | 31.03',
    'tunnel, plain | 4 | 20 | 68 | 77.27',
    'tunnel, plain | 8 | 160 | 68 | 29.82',
  ]);
  // In five seconds, both ways: 250 packets of G.711 and 166 of G.723.1 in each direction.
  for (const [, payloadType, , , , packets] of rows)
    assert.ok(Number(packets) >= (payloadType === '8' ? 480 : 320), `${packets} packets`);
});

test('MIP-SIP: Wireshark reads every Mobile IP and SIP message of a run with handovers and has nothing to say against any', {
  skip: skip || (hasTshark ? false : 'tshark is not installed (Debian: apt-get install tshark)'),
}, async (context) => {
  const folder = mkdtempSync(join(tmpdir(), 'trimaran-capture-'));
  const file = join(folder, 'brief.yaml');
  writeFileSync(
    file,
    readFileSync(join(scenarios, 'mip-sip-fifty.yaml'), 'utf8')
      .replace('duration: 64s', 'duration: 12s')
      .replace('repeat: 50', 'repeat: 6')
      .replace('handovers: 50', 'handovers: 6'),
  );
  const captured = join(folder, 'capture');
  const { result } = await runLab([file, '--capture'], [], captured);
  assert.deepEqual(result.problems, []);
  assert.ok(existsSync(join(captured, 'mn.pcapng')));
  const pcapng = join(captured, 'mn.pcapng');
  // Of the TCP in the tunnel it says which segments overtook others, when they went on over a faster access.
  const ofMessages = '(mip or sip) and not tcp';
  const remarks = dissectFile(pcapng, `${ofMessages} and (_ws.malformed or _ws.expert.severity >= 6291456)`, [
    'frame.number',
    '_ws.expert.message',
  ]);
  assert.deepEqual(remarks, []);
  const requests = dissectFile(pcapng, 'mip.type == 1', ['mip.coa', 'mip.homeaddr']);
  const replies = dissectFile(pcapng, 'mip.type == 3', ['mip.code']);
  const invites = dissectFile(pcapng, 'sip.Method == "INVITE"', ['ip.src']);
  context.diagnostic(`${requests.length} requests, ${replies.length} replies, ${invites.length} INVITEs`);
  assert.equal(new Set(requests).size, 4, 'a registration over each access');
  assert.ok(replies.every((code) => code === '0'));
  assert.ok(invites.length >= 6);
  rmSync(folder, { recursive: true });
});
