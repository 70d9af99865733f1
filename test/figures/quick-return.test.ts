/** A mobile node that goes back to an access before the network has confirmed that its contact there is gone (TRIM §3.3). */

import assert from 'node:assert/strict';
import { test } from 'node:test';
import { mobileIdentity } from '../../src/testbed/lab-users.ts';
import { isEstablished, TrimCall } from './trim-call.ts';

test('MobileNode: back on an access while its contact is being taken back, it registers there again and can be called', () => {
  const call = new TrimCall();
  call.handOver('wlan');
  call.lab.mobile.requestHandover('3g');
  call.run(3000);

  const registrations = call.mobileNodeEvents.filter(({ type }) => /^(de)?registered$/.test(type));
  assert.deepEqual(
    registrations.map((event) => [event.type, 'access' in event && event.access]),
    [
      ['registered', '3g'],
      ['registered', 'wlan'],
      ['deregistered', '3g'],
      ['registered', '3g'],
      ['deregistered', 'wlan'],
    ],
  );
  call.correspondent.perform((now) => void call.correspondent.terminal.placeCall(mobileIdentity, now));
  assert.ok(call.runUntil(() => isEstablished(call.phone.events), 3000));
});
