/**
 * What we put on the wire, read by somebody else: whole conversations over Cx and NAT control go into a capture file, and Wireshark's
 * Diameter dissector must find every message and have nothing to say against any. (It knows the command of RFC 6736, not its AVPs.)
 */
import assert from 'node:assert/strict';
import { type TestContext, test } from 'node:test';
import type { NetworkOutput } from '../../src/base/network.ts';
import { SeededRandomSource } from '../../src/base/random-source.ts';
import { AddressTranslator } from '../../src/home-network/address-translator/address-translator.ts';
import { HomeSubscriberServer } from '../../src/ims-core/hss/home-subscriber-server.ts';
import { trimFilterCriteria } from '../../src/ims-core/hss/subscriber.ts';
import { type Avp, avp } from '../../src/protocols/diameter/avp.ts';
import { baseAvps } from '../../src/protocols/diameter/dictionary/base.ts';
import { cxApplication, cxAvps, cxCommands } from '../../src/protocols/diameter/dictionary/cx.ts';
import type { DiameterApplication } from '../../src/protocols/diameter/dictionary/dictionary.ts';
import { natControlApplication } from '../../src/protocols/diameter/dictionary/nat-control.ts';
import { DiameterEndpoint } from '../../src/protocols/diameter/endpoint.ts';
import type { NatComponent } from '../../src/protocols/diameter/nat-control.ts';
import { NatControlClient } from '../../src/protocols/diameter/nat-control-client.ts';
import { TestNetwork } from '../../src/protocols/diameter/test-network.ts';
import { dissect, hasTshark } from './wireshark.ts';

const port = 3868;
const serverAddress = '192.0.2.10';
const clientAddress = '192.0.2.1';
/** Wireshark 4.0 has the command of RFC 6736 and none of its AVPs (595 to 607): it reads around them. */
const unknownToWireshark =
  /Unknown AVP (59[5-9]|60[0-7]) \(vendor=Reserved\), if you know what this is you can add it to dictionary.xml,?/g;

test('Wireshark reads a registration over Cx without a remark', (context) => {
  const capture = new Capture();
  const server = new HomeSubscriberServer({
    diameter: nodeOptions('hss.ims.test', 'cscf.ims.test'),
    subscribers: [
      {
        privateIdentity: 'mn@ims.test',
        publicIdentities: [{ identity: 'sip:mn@ims.test' }],
        credentials: { password: 'secret' },
        initialFilterCriteria: trimFilterCriteria('sip:as.ims.test'),
      },
    ],
    digestRealm: 'ims.test',
  });
  const client = clientOf('cscf.ims.test', 'hss.ims.test', cxApplication);
  capture.add(serverAddress, server);
  capture.add(clientAddress, client);
  start(capture, server, client);
  const user = [avp(baseAvps.userName, 'mn@ims.test'), avp(cxAvps.publicIdentity, 'sip:mn@ims.test')];
  const name = avp(cxAvps.serverName, 'sip:scscf.ims.test');
  const network = avp(cxAvps.visitedNetworkIdentifier, new TextEncoder().encode('"ims.test"'));
  const scheme = (text: string) => [
    avp(cxAvps.sipNumberAuthItems, 1),
    avp(cxAvps.sipAuthDataItem, [avp(cxAvps.sipAuthenticationScheme, text)]),
  ];
  const assignment = [avp(cxAvps.serverAssignmentType, 1), avp(cxAvps.userDataAlreadyAvailable, 0)];
  const asked: [keyof typeof cxCommands, readonly Avp[]][] = [
    ['userAuthorization', [...user, network]],
    ['multimediaAuthentication', [...user, ...scheme('SIP Digest'), name]],
    ['multimediaAuthentication', [...user, ...scheme('Digest-MD5'), name]],
    ['serverAssignment', [...user, name, ...assignment]],
    ['locationInfo', [avp(cxAvps.publicIdentity, 'sip:mn@ims.test')]],
    ['locationInfo', [avp(cxAvps.publicIdentity, 'sip:nobody@ims.test')]],
  ];
  for (const [command, avps] of asked) {
    const all = [avp(baseAvps.authSessionState, 1), ...avps];
    client.request('hss.ims.test', { command: cxCommands[command], avps: all }, capture.network.now);
    capture.network.settle();
  }
  finish(capture, client);
  const cx = ['300', '300', '303', '303', '303', '303', '301', '301', '302', '302', '302', '302'];
  assert.deepEqual(
    capture.dissect(context),
    hasTshark ? ['257', '257', ...cx, '280', '280', '282', '282'] : [],
  );
});

test('Wireshark reads a NAT control session without a remark', (context) => {
  const capture = new Capture();
  const server = new AddressTranslator({
    diameter: nodeOptions('translator.ims.test', 'as.ims.test'),
    pool: { addresses: ['198.51.100.1', '2001:db8::1'], firstPort: 20_000, lastPort: 20_099 },
  });
  const endpoint = clientOf('as.ims.test', 'translator.ims.test', natControlApplication);
  const client = new NatControlClient(endpoint);
  capture.add(serverAddress, server, (output) => {
    if (output.kind !== 'effect') return;
    const { effect } = output;
    const { id } = effect;
    if (effect.type === 'translate') server.handleInput({ kind: 'effect-completed', id }, 0);
    else server.handleInput({ kind: 'counters-read', id, counters: [{ packets: 1, octets: 200 }] }, 0);
  });
  capture.add(clientAddress, endpoint);
  start(capture, server, endpoint);
  const session = client.createSession('translator.ims.test');
  const run = (request: number): readonly NatComponent[] => {
    capture.network.settle();
    for (let event = endpoint.pollEvent(); event !== undefined; event = endpoint.pollEvent())
      client.handleEvent(event, 0);
    const outcome = client.pollEvent();
    assert.equal(outcome?.request, request);
    return outcome?.kind === 'request-completed' ? outcome.components : [];
  };
  const four: NatComponent = {
    protocol: 'udp',
    mobileNode: { address: '10.1.0.2', port: 6000 },
    correspondent: { address: '203.0.113.7', port: 7000 },
  };
  const six: NatComponent = {
    protocol: 'tcp',
    mobileNode: { address: '2001:db8:1::2' },
    correspondent: { address: '2001:db8:7::7', port: 80 },
  };
  const installed = run(client.open(session, [four, six], 0));
  assert.equal(installed.length, 2);
  const [audio] = installed;
  run(client.update(session, [{ ...audio, ...four, mobileNode: { address: '10.2.0.2', port: 6000 } }], 0));
  run(client.query(session, 0));
  run(client.open(session, [four], 0));
  run(client.remove(session, [{ ...four, towardsCorrespondent: { address: '198.51.100.1', port: 1 } }], 0));
  run(client.close(session, 0));
  finish(capture, endpoint);
  const control = Array.from({ length: 10 }, () => '330');
  const all = ['257', '257', ...control, '275', '275', '280', '280', '282', '282'];
  assert.deepEqual(capture.dissect(context), hasTshark ? all : []);
});

function nodeOptions(originHost: string, peer: string) {
  return {
    originHost,
    originRealm: 'ims.test',
    originStateId: 1_700_000_000,
    listen: [{ address: serverAddress, port }],
    peers: [{ host: peer }],
    random: new SeededRandomSource(1),
    // Later than the client's, so that the capture has one watchdog exchange.
    timers: { watchdogMs: 60_000 },
  };
}

function clientOf(originHost: string, peer: string, application: DiameterApplication): DiameterEndpoint {
  return new DiameterEndpoint({
    originHost,
    originRealm: 'ims.test',
    originStateId: 1_700_000_000,
    applications: [application],
    peers: [{ host: peer, address: { address: serverAddress, port } }],
    random: new SeededRandomSource(2),
  });
}

function start(capture: Capture, server: { start(now: number): void }, client: DiameterEndpoint): void {
  server.start(0);
  capture.network.settle();
  client.start(0);
  capture.network.settle();
}

/** One watchdog exchange, and goodbye. */
function finish(capture: Capture, client: DiameterEndpoint): void {
  capture.network.run(33_000);
  client.stop(capture.network.now);
  capture.network.settle();
}

interface CapturedMachine<Output> {
  handleInput(input: never, now: number): void;
  handleTimeout(now: number): void;
  pollOutput(): Output | undefined;
  pollTimeout(): { at: number; reason: string } | undefined;
}

/** A test network whose streams are written down as TCP segments of one connection. */
class Capture {
  readonly network = new TestNetwork();
  readonly #segments: Buffer[] = [];
  readonly #sequence = new Map<string, number>();

  add<Output>(
    address: string,
    machine: CapturedMachine<Output>,
    other?: (output: Exclude<Output, NetworkOutput>) => void,
  ): void {
    const captured = {
      handleInput: (input: never, now: number) => machine.handleInput(input, now),
      handleTimeout: (now: number) => machine.handleTimeout(now),
      pollTimeout: () => machine.pollTimeout(),
      pollOutput: () => {
        const output = machine.pollOutput();
        this.#note(address, output as NetworkOutput | undefined);
        return output;
      },
    };
    this.network.add(address, captured, other);
  }

  /** The command code of each message that Wireshark found. Fails when it remarks on any. */
  dissect(context: TestContext): string[] {
    const dissection = dissect(context, this.#segments, 'diameter', ['diameter.cmd.code']);
    if (dissection === undefined) return [];
    assert.deepEqual(
      dissection.remarks.map((line) => line.replaceAll(unknownToWireshark, '')).filter((line) => line !== ''),
      [],
    );
    return [...dissection.lines];
  }

  #note(address: string, output: NetworkOutput | undefined): void {
    if (output?.kind !== 'transmit' || output.transport !== 'tcp') return;
    const isClient = address === clientAddress;
    const other = isClient ? serverAddress : clientAddress;
    const sequence = this.#sequence.get(address) ?? 1;
    const packet = tcpPacket(
      address,
      other,
      isClient,
      sequence,
      this.#sequence.get(other) ?? 1,
      output.payload,
    );
    this.#sequence.set(address, sequence + output.payload.length);
    this.#segments.push(packet);
  }
}

/** IPv4 and TCP headers; Wireshark does not verify their checksums unless asked. */
function tcpPacket(
  source: string,
  destination: string,
  isClient: boolean,
  sequence: number,
  acknowledged: number,
  payload: Uint8Array,
): Buffer {
  const header = Buffer.alloc(40);
  header.writeUInt8(0x45, 0);
  header.writeUInt16BE(40 + payload.length, 2);
  header.writeUInt8(64, 8);
  header.writeUInt8(6, 9);
  Buffer.from(source.split('.').map(Number)).copy(header, 12);
  Buffer.from(destination.split('.').map(Number)).copy(header, 16);
  header.writeUInt16BE(isClient ? 40_000 : port, 20);
  header.writeUInt16BE(isClient ? port : 40_000, 22);
  header.writeUInt32BE(sequence, 24);
  header.writeUInt32BE(acknowledged, 28);
  header.writeUInt8(0x50, 32);
  header.writeUInt8(0x18, 33);
  header.writeUInt16BE(0xffff, 34);
  return Buffer.concat([header, payload]);
}
