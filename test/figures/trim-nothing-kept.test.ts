/**
 * After calls have ended nothing of them is left in P-, I- and S-CSCF, application server, translator and mobile node: no transaction, dialog, route,
 * timer or whatever else they hold. Measured is every collection that they reach, after some calls and after as many again.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { correspondentIdentity, mobileIdentity } from '../../src/testbed/lab-users.ts';
import { heldState } from './held-state.ts';
import { type Terminal, TrimCall } from './trim-call.ts';

const nodes = ['p-cscf', 'i-cscf', 's-cscf', 'trim-as', 'translator', 'mn'] as const;
/** Answers to Diameter requests are remembered for four minutes (RFC 6733 §3). */
const forgottenMs = 5 * 60_000;

/** Kept on purpose, and limited: the last decisions of the policy, and answers to Diameter, which go when the next one comes. */
const memories = /^(?:#selection\.#decisions|#endpoint\.#answers)\b/;

for (const form of [
  { proxyCscfs: 'shared', withReservation: false },
  { proxyCscfs: 'per-access', withReservation: true },
] as const)
  test(`TRIM: nothing is kept of calls that have ended, were cancelled, moved or came to nothing (${form.proxyCscfs} P-CSCF, ${form.withReservation ? 'with' : 'without'} reservation)`, () => {
    const call = new TrimCall({ ...form, ringMs: 1000 });
    makeCalls(call);
    const before = nodes.map((name) => heldBy(call, name));
    assert.ok(before.every((held) => held.length > 0));
    makeCalls(call);
    assert.deepEqual(
      nodes.map((name) => heldBy(call, name)),
      before,
    );
  });

/** Lines such as "s-cscf: 2 in #context.registrar.#users". */
function heldBy(call: TrimCall, name: string): string[] {
  const held = heldState(hostOf(call, name), ['#processes', '0', '#options', 'machine']);
  return [...held]
    .flatMap(([path, size]) => (memories.test(path) ? [] : `${name}: ${size} in ${path}`))
    .sort();
}

function hostOf(call: TrimCall, name: string): object {
  return name === 'mn' ? call.lab.mobile.host : call.lab.host(name);
}

/** One of each kind, and then all that is remembered on purpose has gone. */
function makeCalls(call: TrimCall): void {
  const { phone, correspondent } = call;
  const ends = [
    [phone, correspondentIdentity, correspondent],
    [correspondent, mobileIdentity, phone],
  ] as const;
  for (const [caller, callee, called] of ends) {
    for (const who of [caller, called]) {
      place(caller, callee);
      call.run(3000);
      hangUp(who);
      call.run(1000);
    }
    for (const cancelledMs of [1, 20, 60, 500]) {
      const handle = place(caller, callee);
      call.run(cancelledMs);
      caller.perform((now) => caller.terminal.hangUp(handle(), now));
      call.run(1000);
    }
    place(caller, 'sip:nobody@ims.test');
    place(caller, 'sip:nobody@elsewhere.test');
    call.run(40_000);
    place(caller, callee);
    call.run(3000);
    for (const isUp of [true, false]) {
      call.lab.mobile.setAccess('wlan', isUp);
      call.run(3000);
    }
    hangUp(called);
    call.run(1000);
  }
  place(correspondent, mobileIdentity);
  call.run(3000);
  call.lab.mobile.setAccess('3g', false);
  call.lab.mobile.setAccess('wlan', false);
  hangUp(correspondent);
  call.run(10_000);
  place(correspondent, mobileIdentity);
  call.run(200_000);
  call.lab.mobile.setAccess('3g', true);
  call.run(forgottenMs);
  call.lab.mobile.setAccess('wlan', true);
  call.run(forgottenMs);
  assert.equal(call.whatIsLeft(), undefined);
}

function place({ terminal, perform }: Terminal, callee: string): () => number {
  let handle = 0;
  perform((now) => {
    handle = terminal.placeCall(callee, now);
  });
  return () => handle;
}

function hangUp({ terminal, events, perform }: Terminal): void {
  const last = events.findLast((event) => event.type === 'session-established');
  if (last?.type === 'session-established') perform((now) => terminal.hangUp(last.call, now));
}
