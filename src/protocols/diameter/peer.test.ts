import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandomSource } from '../../base/random-source.ts';
import { type Avp, avp, avpValue } from './avp.ts';
import { capabilitiesAvps, type DiameterNode, resultAvps } from './capabilities.ts';
import { originAvps } from './composition.ts';
import { baseAvps, disconnectCause } from './dictionary/base.ts';
import { cxApplication } from './dictionary/cx.ts';
import { natControlApplication } from './dictionary/nat-control.ts';
import { Identifiers } from './identifiers.ts';
import { capabilitiesTimeoutMs } from './limits.ts';
import type { DiameterMessage } from './message.ts';
import { DiameterPeer } from './peer.ts';
import { resultCode } from './result-code.ts';

test('DiameterPeer: Closed, Start: connects; Rcv-Conn-Ack: sends CER; Rcv-CEA: I-Open', () => {
  const us = new Side('a.example');
  us.start();
  us.expect('wait-connection-ack', 'connect');
  us.connected();
  us.expect('wait-initiator-cea', 'send CER on initiator');
  us.receive('initiator', cea('b.example'));
  us.expect('initiator-open', 'became-available');
});

test('DiameterPeer: Closed, R-Conn-CER: sends CEA, R-Open', () => {
  const us = new Side('a.example');
  us.receiveCer();
  us.expect('responder-open', 'send CEA on responder', 'became-available');
});

test('DiameterPeer: Wait-Conn-Ack, Rcv-Conn-Nack and Timeout: Closed, and again after Tc', () => {
  const us = new Side('a.example');
  us.start();
  us.take();
  us.disconnect('initiator');
  us.expect('closed');
  us.wait(29_999);
  us.expect('closed');
  us.wait(1);
  us.expect('wait-connection-ack', 'connect');
  us.wait(capabilitiesTimeoutMs);
  us.expect('closed', 'close initiator');
});

test('DiameterPeer: Wait-Conn-Ack, R-Conn-CER: Wait-Conn-Ack/Elect; Nack: sends CEA, R-Open', () => {
  const us = new Side('a.example');
  us.start();
  us.take();
  us.receiveCer();
  us.expect('wait-connection-ack-elect');
  us.disconnect('initiator');
  us.expect('responder-open', 'send CEA on responder', 'became-available');
});

test('DiameterPeer: Wait-Conn-Ack/Elect, R-Peer-Disc: Wait-Conn-Ack; second R-Conn-CER: rejected; Timeout: Closed', () => {
  const us = new Side('a.example');
  us.start();
  us.receiveCer();
  us.take();
  us.receiveCer('second');
  us.expect('wait-connection-ack-elect', 'close second');
  us.disconnect('responder');
  us.expect('wait-connection-ack');
  us.receiveCer();
  us.take();
  us.wait(capabilitiesTimeoutMs);
  us.expect('closed', 'close initiator', 'close responder');
});

test('DiameterPeer: Wait-Conn-Ack/Elect, Rcv-Conn-Ack: CER and election; the higher name keeps the responder', () => {
  const higher = new Side('c.example');
  higher.start();
  higher.receiveCer();
  higher.take();
  higher.connected();
  higher.expect(
    'responder-open',
    'send CER on initiator',
    'close initiator',
    'send CEA on responder',
    'became-available',
  );
  const lower = new Side('a.example');
  lower.start();
  lower.receiveCer();
  lower.take();
  lower.connected();
  lower.expect('wait-returns', 'send CER on initiator');
});

test('DiameterPeer: the election compares names without regard to case', () => {
  const us = new Side('C.EXAMPLE');
  us.start();
  us.connected();
  us.receiveCer();
  assert.equal(us.peer.state, 'responder-open');
});

test('DiameterPeer: Wait-I-CEA, R-Conn-CER: election; won: R-Open, lost: Wait-Returns', () => {
  for (const [name, state] of [
    ['c.example', 'responder-open'],
    ['a.example', 'wait-returns'],
  ] as const) {
    const us = new Side(name);
    us.start();
    us.connected();
    us.receiveCer();
    assert.equal(us.peer.state, state);
  }
});

test('DiameterPeer: Wait-I-CEA, Peer-Disc, Non-CEA, bad CEA and Timeout: Closed', () => {
  const endings: ((us: Side) => void)[] = [
    (us) => us.disconnect('initiator'),
    (us) => us.receive('initiator', request(280, originAvps(node('b.example')))),
    (us) => us.receive('initiator', cea('z.example')),
    (us) => us.receive('initiator', cea('b.example', resultCode.noCommonApplication)),
    (us) =>
      us.receive('initiator', answer(257, [...resultAvps(2001), ...capabilitiesAvps(stranger, '192.0.2.2')])),
    (us) => us.peer.nonsenseReceived(us.initiator, us.now),
    (us) => us.wait(capabilitiesTimeoutMs),
  ];
  for (const end of endings) {
    const us = new Side('a.example');
    us.start();
    us.connected();
    end(us);
    assert.equal(us.peer.state, 'closed', end.toString());
  }
});

test('DiameterPeer: Wait-Returns, I-Rcv-CEA: drops the responder, I-Open', () => {
  const us = waitingForReturns();
  us.receive('initiator', cea('b.example'));
  us.expect('initiator-open', 'close responder', 'became-available');
});

test('DiameterPeer: Wait-Returns, I-Peer-Disc: R-Open; R-Peer-Disc: Wait-I-CEA; R-Conn-CER: rejected; Timeout: Closed', () => {
  const lost = waitingForReturns();
  lost.disconnect('initiator');
  lost.expect('responder-open', 'send CEA on responder', 'became-available');
  const alone = waitingForReturns();
  alone.receiveCer('second');
  alone.expect('wait-returns', 'close second');
  alone.disconnect('responder');
  alone.expect('wait-initiator-cea');
  const late = waitingForReturns();
  late.wait(capabilitiesTimeoutMs);
  late.expect('closed', 'close initiator', 'close responder');
});

test('DiameterPeer: Open: messages pass, DWR is answered, DWA is not, a second CER is refused', () => {
  const us = opened();
  assert.equal(us.receive('responder', request(300, [])), true);
  us.receive('responder', request(280, originAvps(node('b.example'))));
  us.expect('responder-open', 'send DWA on responder');
  us.receive('responder', answer(280, []));
  us.expect('responder-open');
  us.receiveCer('second');
  us.expect('responder-open', 'close second');
  us.receive('responder', cer('b.example'));
  us.expect('responder-open', 'send CEA on responder');
});

test('DiameterPeer: Open, Stop: sends DPR, Closing; DPA, Peer-Disc and Timeout: Closed without another call', () => {
  const endings: ((us: Side) => void)[] = [
    (us) => us.receive('responder', answer(282, resultAvps(2001))),
    (us) => us.disconnect('responder'),
    (us) => us.wait(capabilitiesTimeoutMs),
  ];
  for (const end of endings) {
    const us = opened();
    us.peer.stop(disconnectCause.rebooting, us.now);
    us.expect('closing', 'send DPR on responder', 'became-unavailable');
    end(us);
    assert.equal(us.peer.state, 'closed');
    assert.equal(us.peer.pollTimeout(), undefined);
  }
});

test('DiameterPeer: Open, Rcv-DPR: sends DPA, Closing; calls again after REBOOTING only', () => {
  for (const [cause, calls] of [
    [disconnectCause.rebooting, true],
    [disconnectCause.busy, false],
    [disconnectCause.doNotWantToTalkToYou, false],
  ] as const) {
    const us = opened();
    us.receive('responder', request(282, [avp(baseAvps.disconnectCause, cause)]));
    us.expect('closing', 'send DPA on responder', 'became-unavailable');
    us.disconnect('responder');
    us.expect('closed', 'became-unavailable');
    assert.equal(us.peer.pollTimeout() !== undefined, calls);
  }
});

test('DiameterPeer: Closing on both sides at once: each answers the other', () => {
  const us = opened();
  us.peer.stop(disconnectCause.rebooting, us.now);
  us.take();
  us.receive('responder', request(282, [avp(baseAvps.disconnectCause, disconnectCause.rebooting)]));
  us.expect('closing', 'send DPA on responder');
});

test('DiameterPeer: Open, Peer-Disc: Closed; the watchdog wants three answers before it trusts the next connection', () => {
  const us = opened();
  us.disconnect('responder');
  us.expect('closed', 'became-unavailable');
  us.receiveCer();
  us.expect('responder-open', 'send CEA on responder', 'send DWR on responder');
  us.receive('responder', answer(280, []));
  us.wait(32_000);
  us.receive('responder', answer(280, []));
  us.wait(32_000);
  us.take();
  assert.equal(us.peer.isAvailable, false);
  us.receive('responder', answer(280, []));
  us.expect('responder-open', 'became-available');
});

test('DiameterPeer: a peer that comes back as a new process is trusted at once', () => {
  const us = opened();
  us.disconnect('responder');
  us.take();
  us.receiveCer('responder', 2);
  us.expect('responder-open', 'send CEA on responder', 'became-available');
});

test('DiameterPeer: silence: DWR after Tw, suspected after the second, closed after the third', () => {
  const us = opened();
  us.wait(32_000);
  us.expect('responder-open', 'send DWR on responder');
  us.wait(32_000);
  us.expect('responder-open', 'became-unavailable');
  us.wait(32_000);
  us.expect('closed', 'close responder', 'became-unavailable');
});

/** One peer called b.example, seen from `name`. */
class Side {
  now = 0;
  readonly peer: DiameterPeer;
  #initiator: string | undefined;
  #log: string[] = [];

  constructor(name: string) {
    const random = new SeededRandomSource(1);
    this.peer = new DiameterPeer(
      { host: 'b.example', address: { address: '192.0.2.2', port: 3868 } },
      node(name),
      { watchdogMs: 30_000, reconnectMs: 30_000 },
      new Identifiers(name, 1, random),
      random,
    );
  }

  get initiator(): string {
    return this.#initiator ?? assert.fail('no initiator connection');
  }

  start(): void {
    this.peer.start(this.now);
    this.#drain();
  }

  connected(): void {
    this.peer.connectionEstablished(this.initiator, '192.0.2.1', this.now);
    this.#drain();
  }

  receiveCer(connection = 'responder', originStateId = 1): void {
    this.peer.capabilitiesRequested(connection, '192.0.2.1', cer('b.example', originStateId), this.now);
    this.#drain();
  }

  receive(connection: 'initiator' | 'responder', message: DiameterMessage): boolean {
    const id = connection === 'initiator' ? this.initiator : connection;
    const isForApplication = this.peer.messageReceived(id, message, this.now);
    this.#drain();
    return isForApplication;
  }

  disconnect(connection: 'initiator' | 'responder'): void {
    this.peer.connectionClosed(connection === 'initiator' ? this.initiator : connection, this.now);
    this.#drain();
  }

  wait(durationMs: number): void {
    this.now += durationMs;
    this.peer.handleTimeout(this.now);
    this.#drain();
  }

  take(): string[] {
    this.#drain();
    const log = this.#log;
    this.#log = [];
    return log;
  }

  expect(state: string, ...outputs: string[]): void {
    assert.deepEqual(this.take(), outputs);
    assert.equal(this.peer.state, state);
  }

  #drain(): void {
    for (let output = this.peer.pollOutput(); output !== undefined; output = this.peer.pollOutput()) {
      if (output.kind === 'connect') this.#initiator = output.connection;
      const connection = 'connection' in output ? output.connection : '';
      const place = connection === this.#initiator ? 'initiator' : connection;
      if (output.kind === 'send') this.#log.push(`send ${nameOf(output.message)} on ${place}`);
      else if (output.kind === 'close') this.#log.push(`close ${place}`);
      else this.#log.push(output.kind);
    }
  }
}

function opened(): Side {
  const us = new Side('a.example');
  us.receiveCer();
  us.take();
  return us;
}

function waitingForReturns(): Side {
  const us = new Side('a.example');
  us.start();
  us.connected();
  us.receiveCer();
  us.take();
  return us;
}

function node(originHost: string, originStateId = 1): DiameterNode {
  return {
    originHost,
    originRealm: 'example',
    originStateId,
    productName: 'test',
    applications: [cxApplication],
  };
}

const stranger: DiameterNode = { ...node('b.example'), applications: [natControlApplication] };

function cer(originHost: string, originStateId = 1): DiameterMessage {
  return request(257, capabilitiesAvps(node(originHost, originStateId), '192.0.2.2'));
}

function cea(originHost: string, code: number = resultCode.success): DiameterMessage {
  return answer(257, [...resultAvps(code), ...capabilitiesAvps(node(originHost), '192.0.2.2')]);
}

function request(commandCode: number, avps: readonly Avp[]): DiameterMessage {
  return {
    commandCode,
    applicationId: 0,
    isRequest: true,
    isProxiable: false,
    isError: false,
    isRetransmitted: false,
    hopByHopId: 7,
    endToEndId: 8,
    avps,
  };
}

function answer(commandCode: number, avps: readonly Avp[]): DiameterMessage {
  return { ...request(commandCode, avps), isRequest: false };
}

function nameOf(message: DiameterMessage): string {
  const name = { 257: 'CE', 280: 'DW', 282: 'DP' }[message.commandCode] ?? String(message.commandCode);
  if (!message.isRequest) assert.notEqual(avpValue(message.avps, baseAvps.resultCode), undefined);
  return `${name}${message.isRequest ? 'R' : 'A'}`;
}
