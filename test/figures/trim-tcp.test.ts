/**
 * TCP connections in TRIM sessions (RFC 4145) in virtual time, which the paper's prototype could not move: whoever calls and whoever connects,
 * the connection lives through handovers and every octet arrives.
 */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { TerminalMedium } from '../../src/correspondent-node/terminal-description.ts';
import { correspondentIdentity, mobileIdentity } from '../../src/testbed/lab-users.ts';
import { VirtualLab } from '../../src/testbed/virtual-lab.ts';
import { type Form, formOf, networks } from './changeable-call.ts';
import { TcpParty } from './tcp-party.ts';
import { isEstablished, type Terminal } from './trim-call.ts';

type Setup = NonNullable<TerminalMedium['setup']>;

const places = {
  phone: { address: '10.64.0.1', port: 5201 },
  correspondent: { address: '203.0.113.2', port: 5202 },
} as const;

interface Connected {
  readonly lab: VirtualLab;
  readonly parties: { readonly phone: TcpParty; readonly correspondent: TcpParty };
  /** Who connected. */
  readonly active: 'phone' | 'correspondent';
}

function connected(
  caller: 'phone' | 'correspondent',
  setups: Readonly<Record<'phone' | 'correspondent', Setup>>,
  options: Form,
): Connected {
  const lab = new VirtualLab({ seed: 7, ...options });
  lab.network.simulation.runFor(500);
  const medium = (who: 'phone' | 'correspondent') =>
    ({ media: 'application', transport: 'tcp', port: places[who].port, setup: setups[who] }) as const;
  const terminals: Record<'phone' | 'correspondent', Terminal> = {
    correspondent: lab.addTerminal('cn', 'cn', 5060, { media: [medium('correspondent')], ringMs: 0 }),
    phone: lab.addTerminal('mn', 'phone', 5062, { media: [medium('phone')], ringMs: 0 }),
  };
  lab.mobile.setAccess('3g', true);
  lab.network.simulation.runFor(2000);
  const callee = caller === 'phone' ? correspondentIdentity : mobileIdentity;
  terminals[caller].perform((now) => void terminals[caller].terminal.placeCall(callee, now));
  const isUp = () => isEstablished(terminals.phone.events) && isEstablished(terminals.correspondent.events);
  assert.ok(
    lab.network.simulation.runWhile(() => !isUp(), 5000),
    'established',
  );
  const parties = { phone: new TcpParty(places.phone), correspondent: new TcpParty(places.correspondent) };
  const remotePort = (who: 'phone' | 'correspondent') => remoteOf(terminals[who]).port;
  const active = remotePort('phone') === undefined ? 'correspondent' : 'phone';
  assert.equal(remotePort(active === 'phone' ? 'correspondent' : 'phone'), undefined, 'one side connects');
  for (const who of ['phone', 'correspondent'] as const) {
    const host = who === 'phone' ? lab.mobile.host : lab.correspondentHost;
    const process = host.run<never, never, never>({ machine: parties[who], name: `${who} tcp` });
    const { address, port } = remoteOf(terminals[who]);
    process.perform(() =>
      port === undefined ? parties[who].listen() : parties[who].connect({ address, port }),
    );
  }
  lab.network.simulation.runFor(1000);
  return { lab, parties, active };
}

function remoteOf({ events }: Terminal): { address: string; port: number | undefined } {
  const established = events.find((event) => event.type === 'session-established');
  assert.ok(established?.type === 'session-established');
  return established.media[0]!;
}

const cases: readonly {
  readonly caller: 'phone' | 'correspondent';
  readonly phone: Setup;
  readonly correspondent: Setup;
  readonly active: 'phone' | 'correspondent';
}[] = [
  { caller: 'phone', phone: 'active', correspondent: 'passive', active: 'phone' },
  { caller: 'phone', phone: 'passive', correspondent: 'active', active: 'correspondent' },
  { caller: 'phone', phone: 'actpass', correspondent: 'passive', active: 'phone' },
  { caller: 'phone', phone: 'actpass', correspondent: 'active', active: 'correspondent' },
  { caller: 'correspondent', phone: 'passive', correspondent: 'active', active: 'correspondent' },
  { caller: 'correspondent', phone: 'active', correspondent: 'passive', active: 'phone' },
  { caller: 'correspondent', phone: 'passive', correspondent: 'actpass', active: 'correspondent' },
  { caller: 'correspondent', phone: 'active', correspondent: 'actpass', active: 'phone' },
];

for (const { caller, active, ...setups } of cases)
  for (const network of networks)
    for (const withReservation of [false, true])
      test(`TRIM: TCP survives handovers: the ${caller} calls, phone ${setups.phone}, correspondent ${setups.correspondent} (${formOf({ ...network, withReservation })})`, () => {
        const run = connected(caller, setups, { ...network, withReservation });
        assert.equal(run.active, active);
        const { simulation } = run.lab.network;
        for (let count = 0; count < 6; count++) {
          const access = count % 2 === 0 ? 'wlan' : '3g';
          run.lab.mobile.setAccess(access, true);
          run.lab.mobile.requestHandover(access);
          simulation.runFor(700);
          const carriers = run.lab.mobile.machine.status().sessions.map((session) => session.access);
          assert.deepEqual(carriers, [access]);
        }
        const { phone, correspondent } = run.parties;
        for (const party of [phone, correspondent]) party.stop();
        simulation.runFor(2000);
        assert.ok(phone.sent > 8000 && correspondent.sent > 8000, 'both sent all the time');
        assert.equal(correspondent.received, phone.sent);
        assert.equal(phone.received, correspondent.sent);
        assert.deepEqual([phone.isBroken, correspondent.isBroken], [false, false]);
        assert.deepEqual([phone.remotes.length, correspondent.remotes.length], [1, 1], 'one connection');
        assert.equal(run.lab.mobile.host.tcpStatistics.timeouts, 0);
        assert.equal(run.lab.correspondentHost.tcpStatistics.timeouts, 0);
      });
