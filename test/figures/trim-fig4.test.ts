/**
 * TRIM fig. 4 in virtual time: session establishment through the whole network, message for message and hop for hop, with what the session
 * description says at every hop: i internal address, m1 access address, x:a and y:b the translator's, c the
 * correspondent.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { TrimCall, type TrimCallOptions } from './trim-call.ts';

function establishment(options: TrimCallOptions): string[] {
  const call = new TrimCall(options);
  const before = call.lab.trace.length;
  call.establish();
  call.run(1000);
  return call.journeys(before);
}

test('TRIM fig. 4: the mobile node calls, with preconditions', () => {
  assert.deepEqual(establishment({ withReservation: true, originator: 'mobile node' }), [
    'INVITE: phone (i local none, remote none) > mn (m1 local none, remote none) > p-cscf > s-cscf > trim-as',
    'NCR: trim-as > translator',
    'NCA 2001: translator > trim-as',
    'INVITE: trim-as (x:a local none, remote none) > s-cscf > i-cscf > s-cscf > p-cscf > cn',
    '183 Session Progress: cn (c local none, remote none) > p-cscf > s-cscf > i-cscf > s-cscf > trim-as',
    'NCR: trim-as > translator',
    'NCA 2001: translator > trim-as',
    '183 Session Progress: trim-as (y:b local none, remote none) > s-cscf > p-cscf > mn > phone',
    'PRACK: phone > mn > p-cscf > s-cscf > trim-as',
    'PRACK: trim-as > s-cscf > p-cscf > cn',
    '200 OK (PRACK): cn > p-cscf > s-cscf > trim-as',
    '200 OK (PRACK): trim-as > s-cscf > p-cscf > mn > phone',
    'UPDATE: phone (i local sendrecv, remote none) > mn (m1 local sendrecv, remote none) > p-cscf > s-cscf > trim-as',
    'UPDATE: trim-as (x:a local sendrecv, remote none) > s-cscf > p-cscf > cn',
    '200 OK (UPDATE): cn (c local sendrecv, remote sendrecv) > p-cscf > s-cscf > trim-as',
    '180 Ringing: cn > p-cscf > s-cscf > i-cscf > s-cscf > trim-as',
    '200 OK (UPDATE): trim-as (y:b local sendrecv, remote sendrecv) > s-cscf > p-cscf > mn > phone',
    '180 Ringing: trim-as > s-cscf > p-cscf > mn > phone',
    '200 OK: cn > p-cscf > s-cscf > i-cscf > s-cscf > trim-as',
    '200 OK: trim-as > s-cscf > p-cscf > mn > phone',
    'ACK: phone > mn > p-cscf > s-cscf > trim-as',
    'ACK: trim-as > s-cscf > p-cscf > cn',
  ]);
});

test('TRIM fig. 4 from the other side: the correspondent calls, with preconditions', () => {
  assert.deepEqual(establishment({ withReservation: true, originator: 'correspondent' }), [
    'INVITE: cn (c local none, remote none) > p-cscf > s-cscf > i-cscf > s-cscf > trim-as',
    'NCR: trim-as > translator',
    'NCA 2001: translator > trim-as',
    'INVITE: trim-as (y:b local none, remote none) > s-cscf > p-cscf > mn > phone',
    '183 Session Progress: phone (i local none, remote none) > mn (m1 local none, remote none) > p-cscf > s-cscf > trim-as',
    'NCR: trim-as > translator',
    'NCA 2001: translator > trim-as',
    '183 Session Progress: trim-as (x:a local none, remote none) > s-cscf > i-cscf > s-cscf > p-cscf > cn',
    'PRACK: cn > p-cscf > s-cscf > trim-as',
    'PRACK: trim-as > s-cscf > p-cscf > mn > phone',
    '200 OK (PRACK): phone > mn > p-cscf > s-cscf > trim-as',
    '200 OK (PRACK): trim-as > s-cscf > p-cscf > cn',
    'UPDATE: cn (c local sendrecv, remote none) > p-cscf > s-cscf > trim-as',
    'UPDATE: trim-as (y:b local sendrecv, remote none) > s-cscf > p-cscf > mn > phone',
    '200 OK (UPDATE): phone (i local sendrecv, remote sendrecv) > mn (m1 local sendrecv, remote sendrecv) > p-cscf > s-cscf > trim-as',
    '180 Ringing: phone > mn > p-cscf > s-cscf > trim-as',
    '200 OK (UPDATE): trim-as (x:a local sendrecv, remote sendrecv) > s-cscf > p-cscf > cn',
    '180 Ringing: trim-as > s-cscf > i-cscf > s-cscf > p-cscf > cn',
    '200 OK: phone > mn > p-cscf > s-cscf > trim-as',
    '200 OK: trim-as > s-cscf > i-cscf > s-cscf > p-cscf > cn',
    'ACK: cn > p-cscf > s-cscf > trim-as',
    'ACK: trim-as > s-cscf > p-cscf > mn > phone',
  ]);
});

test('TRIM fig. 4 without preconditions: the mobile node calls', () => {
  assert.deepEqual(establishment({ withReservation: false, originator: 'mobile node' }), [
    'INVITE: phone (i) > mn (m1) > p-cscf > s-cscf > trim-as',
    'NCR: trim-as > translator',
    'NCA 2001: translator > trim-as',
    'INVITE: trim-as (x:a) > s-cscf > i-cscf > s-cscf > p-cscf > cn',
    '180 Ringing: cn > p-cscf > s-cscf > i-cscf > s-cscf > trim-as',
    '180 Ringing: trim-as > s-cscf > p-cscf > mn > phone',
    '200 OK: cn (c) > p-cscf > s-cscf > i-cscf > s-cscf > trim-as',
    'NCR: trim-as > translator',
    'NCA 2001: translator > trim-as',
    '200 OK: trim-as (y:b) > s-cscf > p-cscf > mn > phone',
    'ACK: phone > mn > p-cscf > s-cscf > trim-as',
    'ACK: trim-as > s-cscf > p-cscf > cn',
  ]);
});

test('TRIM fig. 4 without preconditions: the correspondent calls', () => {
  assert.deepEqual(establishment({ withReservation: false, originator: 'correspondent' }), [
    'INVITE: cn (c) > p-cscf > s-cscf > i-cscf > s-cscf > trim-as',
    'NCR: trim-as > translator',
    'NCA 2001: translator > trim-as',
    'INVITE: trim-as (y:b) > s-cscf > p-cscf > mn > phone',
    '180 Ringing: phone > mn > p-cscf > s-cscf > trim-as',
    '180 Ringing: trim-as > s-cscf > i-cscf > s-cscf > p-cscf > cn',
    '200 OK: phone (i) > mn (m1) > p-cscf > s-cscf > trim-as',
    'NCR: trim-as > translator',
    'NCA 2001: translator > trim-as',
    '200 OK: trim-as (x:a) > s-cscf > i-cscf > s-cscf > p-cscf > cn',
    'ACK: cn > p-cscf > s-cscf > trim-as',
    'ACK: trim-as > s-cscf > p-cscf > mn > phone',
  ]);
});

for (const originator of ['mobile node', 'correspondent'] as const)
  test(`TRIM fig. 4: when the ${originator} has called, the correspondent hangs up and the bindings go`, () => {
    const call = new TrimCall({ originator });
    call.establish();
    call.run(1000);
    const before = call.lab.trace.length;
    call.hangUp('correspondent');
    call.run(1000);
    assert.deepEqual(call.journeys(before), [
      'BYE: cn > p-cscf > s-cscf > trim-as',
      '200 OK (BYE): trim-as > s-cscf > p-cscf > cn',
      'BYE: trim-as > s-cscf > p-cscf > mn > phone',
      'STR: trim-as > translator',
      'STA 2001: translator > trim-as',
      '200 OK (BYE): mn > p-cscf > s-cscf > trim-as',
      '200 OK (BYE): phone > mn',
    ]);
    call.assertNothingLeft();
  });
