/**
 * TRIM fig. 6 and its variants in virtual time: what is signalled when the mobile node moves, message by message, through our IMS core.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { ladderArrows } from '../../src/observation/message-ladder.ts';
import { labUsers, VirtualLab, type VirtualLabOptions } from '../../src/testbed/virtual-lab.ts';

const nodes = ['phone', 'mn', 'p-cscf', 'p-cscf-2', 'i-cscf', 's-cscf', 'trim-as', 'translator', 'cn'];
const audio = { media: 'audio', transport: 'udp', port: 40_000, formats: ['8'] } as const;

/** The messages of the session's transfer: from the INVITE over the new access to its ACK. */
function transferLadder(options: Pick<VirtualLabOptions, 'withReservation' | 'proxyCscfs'>): string[] {
  const lab = new VirtualLab({ seed: 1, ...options });
  lab.network.simulation.runFor(500);
  lab.addTerminal('cn', 'cn', 5060, { media: [audio], ringMs: 100 });
  lab.setAccess('3g', true);
  const phone = lab.addTerminal('mn', 'phone', 5062, { media: [audio], ringMs: 100 });
  lab.network.simulation.runFor(2000);
  phone.perform((now) => void phone.terminal.placeCall(labUsers.correspondentNode, now));
  lab.network.simulation.runFor(3000);
  const before = lab.trace.length;
  lab.setAccess('wlan', true);
  lab.network.simulation.runFor(3000);
  const arrows = ladderArrows(lab.trace.slice(before), { nodes });
  assert.deepEqual(
    arrows.filter(({ from, to }) => [from, to].some((node) => node === 'cn' || node === 'phone')),
    [],
    'neither the correspondent nor the application hears of the handover',
  );
  return arrows
    .filter(({ label }) => !/REGISTER|401|100 Trying/.test(label))
    .map(({ from, to, label }) => `${from} > ${to}: ${label}`);
}

test('TRIM fig. 6 without reservations: INVITE, NCR, 200, ACK; the correspondent hears nothing', () => {
  assert.deepEqual(withoutRegistration(transferLadder({ withReservation: false, proxyCscfs: 'shared' })), [
    'mn > p-cscf: INVITE',
    'p-cscf > s-cscf: INVITE',
    's-cscf > trim-as: INVITE',
    'trim-as > translator: NCR',
    'translator > trim-as: NCA 2001',
    'trim-as > s-cscf: 200 OK',
    's-cscf > p-cscf: 200 OK',
    'p-cscf > mn: 200 OK',
    'mn > p-cscf: ACK',
    'p-cscf > s-cscf: ACK',
    's-cscf > trim-as: ACK',
  ]);
});

/** What lies between the INVITE and the ACK at the application server. */
function withoutRegistration(lines: readonly string[]): string[] {
  return lines.slice(
    lines.findIndex((line) => line.endsWith('INVITE')),
    lines.indexOf('s-cscf > trim-as: ACK') + 1,
  );
}
