/** Somebody outside who guesses at a call of the mobile node (MIP–SIP §3, SIP mobility): his re-INVITE moves nothing, whatever address he has. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { perfectLink } from '../../src/access-network/link-characteristics.ts';
import type { NetworkInput, NetworkOutput } from '../../src/base/network.ts';
import { correspondentIdentity, mobileIdentity } from '../../src/testbed/lab-users.ts';
import { MipSipCall } from './mip-sip-call.ts';

test('MIP-SIP: foreign re-INVITEs are refused at both ends and told once, and the media stay where they are', () => {
  const call = new MipSipCall({ behindNat: [], registration: 'home-agent', first: 'umts' });
  const { network, mobile } = call.lab;
  const heard = [call.phone.events.length, call.peer.events.length];
  const sessions = JSON.stringify(mobile.machine.status().sessions);
  const host = network.addHost('stranger');
  const local = { address: '192.0.2.66', port: 5060 };
  host.addAddress(local.address, host.attach('eth0', { uplink: perfectLink, downlink: perfectLink }));
  const outputs: NetworkOutput[] = [{ kind: 'listen', transport: 'udp', local }];
  const answers: string[] = [];
  const machine = {
    handleInput: (input: NetworkInput): void => {
      if (input.kind === 'datagram-received')
        answers.push(`${input.remote.address}: ${Buffer.from(input.payload).toString('latin1', 8, 11)}`);
    },
    handleTimeout: (): void => {},
    pollOutput: () => outputs.shift(),
    pollTimeout: () => undefined,
  };
  const stranger = host.run<never, never, never>({ machine });
  const ends = [
    { address: '10.1.0.2', of: mobileIdentity, by: correspondentIdentity },
    { address: '203.0.113.2', of: correspondentIdentity, by: mobileIdentity },
  ];
  for (const { address, of, by } of ends)
    for (const number of [2, 3]) {
      const text = `INVITE sip:x@${address}:5060 SIP/2.0\r\nVia: SIP/2.0/UDP 192.0.2.66:5060;branch=z9hG4bK${address}-${number}\r\nMax-Forwards: 70\r\nFrom: <${by}>;tag=guess\r\nTo: <${of}>;tag=guess\r\nCall-ID: guess\r\nCSeq: ${number} INVITE\r\nContact: <sip:x@192.0.2.66>\r\nContent-Length: 0\r\n\r\n`;
      const remote = { address, port: 5060 };
      outputs.push({
        kind: 'transmit',
        transport: 'udp',
        local,
        remote,
        payload: Buffer.from(text, 'latin1'),
      });
    }
  stranger.perform(() => {});
  network.simulation.runFor(1000);
  const final = new Set(answers.filter((answer) => !answer.endsWith(' 100')));
  assert.deepEqual([...final].toSorted(), ['10.1.0.2: 481', '203.0.113.2: 481']);
  const refusal = { type: 'stray-request-refused', method: 'INVITE', source: local, count: 1 } as const;
  assert.deepEqual(call.peer.events.slice(heard[1]), [refusal]);
  assert.deepEqual(
    call.lab.mobileNodeEvents.filter(({ type }) => type === refusal.type),
    [refusal],
  );
  assert.equal(call.phone.events.length, heard[0], 'the phone heard nothing of it');
  assert.equal(JSON.stringify(mobile.machine.status().sessions), sessions);
  assert.equal(call.peerSendsTo, '10.1.0.2');
});
