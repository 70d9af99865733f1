/**
 * The dialog after moves, in virtual time: whatever either end requests later is answered within one round trip, and nothing of it goes to
 * the address that the mobile node had before. Other application servers have failed here: requests went to a contact of long ago, or waited
 * for a transaction of the old dialog.
 */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { accessProfiles } from '../../src/access-network/access-profiles.ts';
import { audio, ChangeableCall, description, formOf, networks, type Side } from './changeable-call.ts';

const places = { '3g': '10.1.0.2', wlan: '10.2.0.2' } as const;
type Access = keyof typeof places;
/** Beside the delay of the line: the time that a message of 2 kB takes to be put on it, twice. */
const slackMs = 45;

/** What either end may ask for, and what it is answered: PUBLISH is known and not wanted, HOLLER unknown to everybody (RFC 3261 §8.2.1). */
const answers: Readonly<Record<string, number>> = {
  ...{ OPTIONS: 200, INFO: 200, MESSAGE: 200, REFER: 200, NOTIFY: 200, SUBSCRIBE: 200 },
  ...{ PUBLISH: 405, HOLLER: 501, UPDATE: 200, hold: 200, resume: 200, INVITE: 200 },
};

for (const network of networks)
  for (const withReservation of [false, true]) {
    const form = formOf({ withReservation, ...network });

    test(`TRIM: after each of 20 moves both ends' requests are answered in one round trip, by way of the new address (${form})`, () => {
      const call = new ChangeableCall({ ...network, withReservation });
      for (let moves = 1; moves <= 20; moves++) {
        const access = moves % 2 === 1 ? 'wlan' : '3g';
        move(call, access);
        for (const side of ['phone', 'correspondent'] as const)
          for (const request of Object.keys(answers)) assertAnswered(call, side, request, access, moves);
      }
      assert.deepEqual([call.phone.isEnded, call.correspondent.isEnded], [false, false]);
    });

    for (const side of ['phone', 'correspondent'] as const)
      test(`TRIM: the ${side} hangs up in one round trip after 1, 2 and 20 moves (${form})`, () => {
        for (const moves of [1, 2, 20]) {
          const call = new ChangeableCall({ ...network, withReservation });
          for (let count = 1; count <= moves; count++) move(call, count % 2 === 1 ? 'wlan' : '3g');
          const access = moves % 2 === 1 ? 'wlan' : '3g';
          const before = call.lab.trace.length;
          call.perform(side, (now) => call[side].hangUp(now));
          const areBothEnded = () => call.phone.isEnded && call.correspondent.isEnded;
          const isInTime = call.lab.network.simulation.runWhile(() => !areBothEnded(), boundMs(access));
          assert.ok(isInTime, `BYE after ${moves} moves`);
          assertNothingOld(call, before, access, `BYE after ${moves} moves`);
        }
      });
  }

function move(call: ChangeableCall, access: Access): void {
  call.lab.mobile.setAccess(access, true);
  call.lab.mobile.requestHandover(access);
  call.run(2000);
  assert.equal(call.lab.mobile.machine.status().sessions[0]?.access, access);
}

function assertAnswered(
  call: ChangeableCall,
  side: Side,
  request: string,
  access: Access,
  moves: number,
): void {
  const context = `${request} of the ${side} after ${moves} moves`;
  const direction = request === 'hold' ? 'sendonly' : 'sendrecv';
  const method = request === 'hold' || request === 'resume' ? 'INVITE' : request;
  const isChange = method === 'INVITE' || method === 'UPDATE';
  const other = side === 'phone' ? 'correspondent' : 'phone';
  call[other].answer = description(other, audio(8, direction === 'sendonly' ? 'recvonly' : 'sendrecv'));
  const [before, answered] = [call.lab.trace.length, call[side].statusCodes.length];
  call.perform(side, (now) =>
    call[side].request(method, isChange ? description(side, audio(8, direction)) : '', now),
  );
  const isAnswered = () => call[side].statusCodes.length > answered;
  const isInTime = call.lab.network.simulation.runWhile(() => !isAnswered(), boundMs(access));
  assert.ok(isInTime, context);
  assert.equal(call[side].statusCodes.at(-1), answers[request], context);
  const node = other === 'phone' ? 'phone' : 'cn';
  const arrived = call.lab.trace
    .slice(before)
    .filter((entry) => entry.node === node && entry.direction === 'received');
  assert.ok(arrived[0]?.summary.startsWith(`${method} `), `${context} arrives as it was sent`);
  // The ACK goes its way before the next request.
  call.run(boundMs(access));
  assertNothingOld(call, before, access, context);
}

function boundMs(access: Access): number {
  const { uplink, downlink } = access === '3g' ? accessProfiles.hspa : accessProfiles.wlan;
  return uplink.delayMs + downlink.delayMs + slackMs;
}

/** What the mobile node and the P-CSCFs sent, but for registrations. */
function assertNothingOld(call: ChangeableCall, since: number, access: Access, context: string): void {
  const old = places[access === '3g' ? 'wlan' : '3g'];
  const strays = call.lab.trace
    .slice(since)
    .filter(
      ({ from, to, summary }) =>
        [from, to].some((end) => end.startsWith(`${old}:`)) && !summary.includes('REGISTER'),
    );
  assert.deepEqual(strays, [], context);
}
