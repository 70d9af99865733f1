import assert from 'node:assert/strict';
import { test } from 'node:test';
import fc from 'fast-check';
import type { NatComponent } from '../../protocols/diameter/nat-control.ts';
import type { NatSession } from '../../protocols/diameter/nat-control-client.ts';
import { resultCode } from '../../protocols/diameter/result-code.ts';
import { audio, correspondent, Lab, translatorAddress } from './test-lab.ts';

test('NatControlClient: requests of one session go one after the other, those of different sessions do not wait', () => {
  const lab = new Lab();
  const [one, other] = [lab.session(), lab.session()];
  lab.engineIsHeld = true;
  const first = lab.client.open(one, [audio], 0);
  const second = lab.client.query(one, 0);
  const third = lab.client.open(other, [audio], 0);
  lab.network.settle();
  assert.equal(lab.held, 2, 'the openings of both sessions');
  lab.releaseEngine();
  assert.deepEqual(
    lab.outcomes().map(({ request }) => request),
    [first, third, second],
  );
});

test('NatControlClient: an unreachable translator is told the end of a session when it is back', () => {
  const lab = new Lab();
  const session = lab.session();
  lab.run((client) => client.open(session, [audio], 0));
  lab.network.setReachable(translatorAddress, false);
  const request = lab.client.close(session, lab.network.now);
  lab.network.run(10_000);
  assert.deepEqual(lab.outcomes(), [{ kind: 'request-lost', request, reason: 'timed-out' }]);
  lab.network.run(86_000);
  lab.network.setReachable(translatorAddress, true);
  lab.network.run(120_000);
  assert.equal(lab.translator.sessions, 0);
  assert.equal(lab.kernel.size, 0);
});

test('AddressTranslator: bindings of a controller that is gone go after its grace time', () => {
  const lab = new Lab({ controllerGraceTimeMs: 60_000 });
  lab.run((client) => client.open(lab.session(), [audio], 0));
  lab.network.remove('192.0.2.1');
  lab.network.run(59_000);
  assert.equal(lab.kernel.size, 2);
  lab.network.run(1000);
  assert.equal(lab.kernel.size, 0);
  assert.equal(lab.translator.sessions, 0);
});

test('AddressTranslator: a controller that restarts keeps the sessions that it asks about', () => {
  const lab = new Lab({ controllerGraceTimeMs: 60_000 });
  const [kept, forgotten] = [lab.session(), lab.session()];
  for (const session of [kept, forgotten]) lab.run((client) => client.open(session, [audio], 0));
  lab.restartController();
  lab.run((client) => client.query(kept, lab.network.now));
  lab.network.run(60_000);
  assert.equal(lab.translator.sessions, 1);
  lab.run((client) => client.query(kept, lab.network.now));
});

test('AddressTranslator: a controller restores the bindings of a translator that restarted, with the same addresses', () => {
  const before = new Lab();
  const installed = before.run((client) => client.open(before.session(), [audio, audio], 0));
  const after = new Lab();
  assert.deepEqual(
    after.run((client) => client.open(after.session(), installed, 0)),
    installed,
  );
  assert.equal(after.kernel.size, 4);
  const again = after.refusal((client) => client.open(after.session(), installed, 0));
  assert.equal(again, resultCode.bindingFailure, 'they are taken now');
  const [fresh] = after.run((client) => client.open(after.session(), [audio], 0));
  assert.ok(installed.every((one) => one.towardsCorrespondent?.port !== fresh?.towardsCorrespondent?.port));
});

test('AddressTranslator: whatever is asked and refused in whatever order, sessions are as answered, and nothing is left at the end', () => {
  const step = fc.record({
    kind: fc.constantFrom('open', 'complete', 'handover', 'add', 'remove', 'close', 'wait'),
    session: fc.nat({ max: 2 }),
    access: fc.nat({ max: 2 }),
    isRefused: fc.boolean(),
    knowsCorrespondent: fc.boolean(),
  });
  fc.assert(
    fc.property(fc.array(step, { maxLength: 30 }), (steps) => {
      const lab = new Lab({
        graceTimeMs: 1000,
        pool: { addresses: ['198.51.100.1'], firstPort: 20_000, lastPort: 20_009 },
      });
      const sessions = [lab.session(), lab.session(), lab.session()];
      const answered = new Map<NatSession, readonly NatComponent[]>();
      for (const { kind, session: index, access, isRefused, knowsCorrespondent } of steps) {
        const session = sessions[index] ?? assert.fail();
        const known = answered.get(session) ?? [];
        const mobileNode = { address: `10.${access}.0.2`, port: 6000 };
        const fresh: NatComponent = {
          protocol: 'udp',
          mobileNode,
          ...(knowsCorrespondent && { correspondent }),
        };
        const change: Record<typeof kind, () => number> = {
          open: () => lab.client.open(session, [fresh, fresh], 0),
          add: () => lab.client.update(session, [fresh], 0),
          complete: () =>
            lab.client.update(
              session,
              known.map((one) => ({ ...one, correspondent })),
              0,
            ),
          handover: () =>
            lab.client.update(
              session,
              known.map((one) => ({ ...one, mobileNode })),
              0,
            ),
          remove: () => lab.client.remove(session, known.slice(0, 1), 0),
          close: () => lab.client.close(session, 0),
          wait: () => lab.client.query(session, 0),
        };
        lab.engineError = isRefused ? 'NETLINK_REFUSED' : undefined;
        const request = change[kind]();
        const outcome = lab.outcomes().find((event) => event.request === request);
        lab.engineError = undefined;
        if (kind === 'wait') lab.network.run(600);
        if (outcome?.kind === 'request-completed') {
          if (kind === 'close') answered.delete(session);
          else if (kind === 'remove') answered.set(session, known.slice(1));
          else answered.set(session, kind === 'add' ? [...known, ...outcome.components] : outcome.components);
        }
        for (const [one, components] of answered)
          assert.deepEqual(
            lab.run((client) => client.query(one, 0)),
            components,
          );
      }
      for (const session of answered.keys()) lab.run((client) => client.close(session, 0));
      lab.network.run(2000);
      assert.deepEqual([lab.kernel.size, lab.translator.bindings, lab.translator.sessions], [0, 0, 0]);
      const ports = lab.run((client) => client.open(lab.session(), [audio, audio, audio, audio, audio], 0));
      assert.equal(ports.length, 5, 'all ten ports are free again');
    }),
    { seed: 6736, numRuns: 150 },
  );
});
