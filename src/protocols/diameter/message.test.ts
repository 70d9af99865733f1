import assert from 'node:assert/strict';
import { readFileSync } from 'node:fs';
import { test } from 'node:test';
import fc from 'fast-check';
import { isMalformed } from '../../base/malformed.ts';
import { type Avp, type AvpDefinition, type AvpType, avp, avpValue, avpValues } from './avp.ts';
import { baseApplication, baseAvps, baseCommands } from './dictionary/base.ts';
import { cxApplication, cxAvps, cxCommands, vendor3gpp } from './dictionary/cx.ts';
import { Dictionary } from './dictionary/dictionary.ts';
import { natControlApplication, natControlAvps } from './dictionary/nat-control.ts';
import { maximumGroupDepth } from './limits.ts';
import {
  checkRequired,
  type DiameterMessage,
  decodeMessage,
  encodeMessage,
  failureAvps,
  MalformedMessage,
} from './message.ts';
import { resultCode } from './result-code.ts';
import { avpList, withAvpList } from './test-avps.ts';

const dictionary = new Dictionary([baseApplication, cxApplication, natControlApplication]);

/** Made for these tests; Wireshark 4.0 decodes them without a remark. */
const samples: Record<string, string> = JSON.parse(readFileSync('test/data/diameter-samples.json', 'utf8'));

test('decodeMessage and encodeMessage agree with the sample messages octet for octet', () => {
  for (const [name, hex] of Object.entries(samples)) {
    const octets = Buffer.from(hex, 'hex');
    const message = decoded(octets);
    assert.deepEqual(encodeMessage(message), octets, name);
    assert.deepEqual(encodeMessage(withAvpList(message, dictionary)), octets, name);
  }
});

test('decodeMessage reads the sample UAR', () => {
  const message = decoded(Buffer.from(samples['UAR'] ?? '', 'hex'));
  assert.equal(message.commandCode, 300);
  assert.equal(message.isRequest, true);
  assert.equal(message.isProxiable, true);
  assert.equal(avpValue(message.avps, baseAvps.userName), 'bob@home1.example');
  assert.equal(avpValue(message.avps, cxAvps.publicIdentity), 'sip:bob@home1.example');
  const application = avpValue(message.avps, baseAvps.vendorSpecificApplicationId);
  assert.equal(avpValue(application ?? [], baseAvps.vendorId), vendor3gpp);
});

test('decodeMessage answers an unknown AVP with the M bit with 5001 and the AVP itself', () => {
  const foreign: AvpDefinition<'OctetString'> = { code: 4242, vendor: 99, name: 'x', type: 'OctetString' };
  const failure = refused(watchdog([avp(foreign, new Uint8Array([1, 2, 3]))]));
  assert.equal(failure.resultCode, resultCode.avpUnsupported);
  const [failed] = avpList(avpValue(failureAvps(failure), baseAvps.failedAvp) ?? [], dictionary);
  assert.equal(failed?.definition.code, 4242);
  assert.deepEqual(failed?.value, new Uint8Array([1, 2, 3]));
  assert.equal(avpValue(failure.avps, baseAvps.originHost), 'a.example');
});

test('decodeMessage keeps an unknown AVP without the M bit as octets', () => {
  // Kamailio puts AVP 494 of vendor 50 into every SAR.
  const foreign: AvpDefinition<'OctetString'> = {
    code: 494,
    vendor: 50,
    name: 'x',
    type: 'OctetString',
    optional: true,
  };
  const message = decoded(encodeMessage(watchdog([avp(foreign, new Uint8Array([7]))])));
  assert.deepEqual(avpValues(message.avps, foreign), [new Uint8Array([7])]);
});

test('decodeMessage tells a Cx AVP from an IETF AVP of the same number', () => {
  const ofIetf: AvpDefinition<'OctetString'> = { code: 621, name: 'x', type: 'OctetString', optional: true };
  const message = decoded(encodeMessage(watchdog([avp(ofIetf, new Uint8Array([1]))])));
  assert.equal(avpValue(message.avps, cxAvps.primaryChargingCollectionFunctionName), undefined);
});

test('decodeMessage reports a wrong value inside a group with the whole path', () => {
  const short: AvpDefinition<'OctetString'> = { code: 266, name: 'x', type: 'OctetString' };
  const group = avp(baseAvps.experimentalResult, [avp(short, new Uint8Array(2))]);
  const failure = refused(watchdog([group]));
  assert.equal(failure.resultCode, resultCode.invalidAvpLength);
  assert.equal(failure.failedAvp?.definition.code, 297);
  const inner = failure.failedAvp?.value as readonly Avp[];
  assert.equal(inner[0]?.definition.code, 266);
});

test('decodeMessage keeps what is wrong in an answer as octets', () => {
  const short: AvpDefinition<'OctetString'> = { code: 278, name: 'x', type: 'OctetString' };
  const answer = { ...watchdog([avp(short, new Uint8Array(1))]), isRequest: false };
  assert.equal(isMalformed(decodeMessage(encodeMessage(answer), dictionary)), false);
});

test('avpValue: a group or number of an answer that could not be read is not there, and not octets instead', () => {
  const octetsOf = ({ code }: AvpDefinition): Avp =>
    avp({ code, name: 'x', type: 'OctetString' }, new Uint8Array([0, 0, 0]));
  const answer = decoded(
    encodeMessage({
      ...watchdog([octetsOf(baseAvps.experimentalResult), octetsOf(baseAvps.resultCode)]),
      isRequest: false,
    }),
  );
  assert.equal(avpList(answer.avps, dictionary).length, 4);
  assert.equal(avpValue(answer.avps, baseAvps.experimentalResult), undefined);
  assert.deepEqual(avpValues(answer.avps, baseAvps.resultCode), []);
});

test('decodeMessage refuses groups nested too deep', () => {
  let nested: Avp = avp(baseAvps.failedAvp, []);
  for (let depth = 0; depth < maximumGroupDepth; depth++) nested = avp(baseAvps.proxyInfo, [nested]);
  assert.equal(refused(watchdog([nested])).resultCode, resultCode.invalidAvpValue);
});

test('decodeMessage reports an AVP Length that leaves the message with 5014', () => {
  const octets = encodeMessage(watchdog([]));
  octets[27] = 0xff;
  const failure = decodeMessage(octets, dictionary);
  assert.ok(failure instanceof MalformedMessage);
  assert.equal(failure.resultCode, resultCode.invalidAvpLength);
  assert.equal(failure.failedAvp?.definition.code, 264);
  assert.deepEqual(failure.failedAvp?.value, new Uint8Array(1));
});

test('decodeMessage leaves what stands before an AVP of wrong length to be read', () => {
  const octets = encodeMessage(watchdog([]));
  const realm = octets.indexOf('example', octets.indexOf('a.example') + 9) - 8;
  octets[realm + 7] = 0xfc;
  const failure = decodeMessage(octets, dictionary);
  assert.ok(failure instanceof MalformedMessage);
  assert.equal(failure.failedAvp?.definition.code, 296);
  assert.equal(avpValue(failure.avps, baseAvps.originHost), 'a.example');
  assert.equal(avpValue(failure.avps, baseAvps.originRealm), undefined);
});

test('decodeMessage refuses version 2, E in a request and T in an answer', () => {
  const version = encodeMessage(watchdog([]));
  version[0] = 2;
  const error = encodeMessage({ ...watchdog([]), isError: true });
  const retransmitted = encodeMessage({ ...watchdog([]), isRequest: false, isRetransmitted: true });
  const codes = [version, error, retransmitted].map((octets) => {
    const failure = decodeMessage(octets, dictionary);
    return failure instanceof MalformedMessage ? failure.resultCode : undefined;
  });
  assert.deepEqual(codes, [
    resultCode.unsupportedVersion,
    resultCode.invalidHeaderBits,
    resultCode.invalidHeaderBits,
  ]);
});

test('checkRequired names the first missing AVP with a zero payload', () => {
  const request = watchdog([]);
  assert.equal(checkRequired(request, baseCommands.deviceWatchdog), undefined);
  const failure = checkRequired(request, cxCommands.locationInfo);
  assert.equal(failure?.resultCode, resultCode.missingAvp);
  assert.equal(failure?.failedAvp?.definition.code, 263);
  const disconnect = checkRequired(request, baseCommands.disconnectPeer);
  assert.deepEqual(disconnect?.failedAvp?.value, new Uint8Array(4));
});

test('encodeMessage and decodeMessage are inverse for all values of all formats', () => {
  fc.assert(
    fc.property(fc.array(anyAvp(), { maxLength: 12 }), fc.nat(0xffff_ffff), (avps, id) => {
      const message = { ...watchdog(avps), hopByHopId: id, endToEndId: id };
      assert.deepEqual(withAvpList(decoded(encodeMessage(message)), dictionary), message);
    }),
    { seed: 6733, numRuns: 300 },
  );
});

test('decodeMessage never throws, whatever comes, and what it accepts it can encode', () => {
  const wreck = fc
    .tuple(
      fc.constantFrom(...Object.values(samples)),
      fc.array(fc.tuple(fc.nat(400), fc.nat(255)), { maxLength: 6 }),
    )
    .map(([hex, changes]) => {
      const octets = new Uint8Array(Buffer.from(hex, 'hex'));
      for (const [at, octet] of changes) octets[at % octets.length] = octet;
      return octets;
    });
  fc.assert(
    fc.property(fc.oneof(wreck, fc.uint8Array({ maxLength: 200 })), (octets) => {
      const result = decodeMessage(octets, dictionary);
      if (result instanceof MalformedMessage) failureAvps(result);
      else assert.ok(encodeMessage(withAvpList(result, dictionary)).length <= octets.length);
    }),
    { seed: 6733, numRuns: 2000 },
  );
});

function watchdog(more: readonly Avp[]): DiameterMessage {
  return {
    commandCode: 280,
    applicationId: 0,
    isRequest: true,
    isProxiable: false,
    isError: false,
    isRetransmitted: false,
    hopByHopId: 1,
    endToEndId: 2,
    avps: [avp(baseAvps.originHost, 'a.example'), avp(baseAvps.originRealm, 'example'), ...more],
  };
}

function decoded(octets: Uint8Array): DiameterMessage {
  const message = decodeMessage(octets, dictionary);
  if (message instanceof MalformedMessage) assert.fail(message.toString());
  return message;
}

function refused(message: DiameterMessage): MalformedMessage {
  const failure = decodeMessage(encodeMessage(message), dictionary);
  assert.ok(failure instanceof MalformedMessage);
  return failure;
}

function anyAvp(depth = 0): fc.Arbitrary<Avp> {
  const octets = fc.uint8Array({ maxLength: 40 });
  const values: { readonly [Type in AvpType]?: readonly [AvpDefinition, fc.Arbitrary<unknown>] } = {
    OctetString: [cxAvps.userData, octets],
    UTF8String: [baseAvps.userName, fc.string({ unit: 'grapheme' })],
    DiameterIdentity: [baseAvps.originHost, fc.domain()],
    Integer32: [natControlAvps.port, fc.integer({ min: -0x8000_0000, max: 0x7fff_ffff })],
    Unsigned32: [baseAvps.vendorId, fc.nat(0xffff_ffff)],
    Unsigned64: [cxAvps.framedInterfaceId, fc.bigInt({ min: 0n, max: 0xffff_ffff_ffff_ffffn })],
    Address: [baseAvps.hostIpAddress, fc.ipV4()],
    ...(depth < 3 && { Grouped: [baseAvps.failedAvp, fc.array(anyAvp(depth + 1), { maxLength: 4 })] }),
  };
  const each = Object.values(values).map(([definition, value]) =>
    fc.tuple(value, fc.boolean()).map(([made, mandatory]) => ({ definition, mandatory, value: made }) as Avp),
  );
  return fc.oneof(...each);
}
