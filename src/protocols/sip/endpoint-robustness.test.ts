/** Whatever the network does, every transaction comes to exactly one end on either side, and nothing is left over. */
import assert from 'node:assert/strict';
import { test } from 'node:test';
import { randomBelow, randomFraction, SeededRandomSource } from '../../base/random-source.ts';
import { createResponse } from './message/create-response.ts';
import type { SipRequest } from './message/sip-message.ts';
import { type SipTestMachine, SipTestNetwork } from './test-support/sip-network.ts';
import { testRequest } from './test-support/test-request.ts';
import { TestUser } from './test-support/test-user.ts';
import type {
  ClientTransactionId,
  ServerTransactionId,
  SipEvent,
  SipTarget,
} from './transaction/sip-event.ts';

type TransactionId = ClientTransactionId | ServerTransactionId;

const bob = { address: '10.0.0.2', port: 5060 };

test('SipEndpoint: in 1,000 runs over a network that loses, repeats and reorders, every transaction ends exactly once', () => {
  for (let seed = 1; seed <= 1_000; seed++) {
    const run = new Run(seed);
    run.play(seed % 4 === 0 ? { ...bob, transport: 'tcp' } : bob);
    try {
      run.check();
    } catch (error) {
      throw new Error(`seed ${seed}\n${run.network.ladder.join('\n')}\n${run.a.summary}\n${run.b.summary}`, {
        cause: error,
      });
    }
  }
});

test('SipEndpoint: with every datagram doubled the users see the same as without', () => {
  const [plain, doubled] = [[5], [5, 6]].map((copies) => {
    const run = new Run(7);
    run.network.fate = () => copies;
    run.play(bob);
    return run;
  });
  assert.deepEqual(kindsOf(doubled!.a), kindsOf(plain!.a));
  assert.deepEqual(kindsOf(doubled!.b), kindsOf(plain!.b));
});

test('SipEndpoint: the same seed gives the same run to the last octet', () => {
  const [first, second] = [1, 2].map(() => {
    const run = new Run(11);
    run.play(bob);
    return run.network.ladder;
  });
  assert.deepEqual(first, second);
});

/** Three calls and three other requests from one user to another; the network, the answers and the delays are drawn by the seed. */
class Run {
  readonly network: SipTestNetwork = new SipTestNetwork();
  readonly a: TestUser;
  readonly b: TestUser;
  readonly #random: SeededRandomSource;

  constructor(seed: number) {
    this.#random = new SeededRandomSource(seed);
    this.a = new TestUser(this.network, '10.0.0.1');
    this.b = new TestUser(this.network, bob.address);
    const loss = randomFraction(this.#random) * 0.6;
    this.network.fate = () => this.#copies(loss);
    this.b.reaction = (event) => this.#answer(event);
  }

  play(target: SipTarget): void {
    this.a.reaction = (event) => this.#acknowledge(event, target);
    for (let call = 0; call < 3; call++) {
      this.network.after(this.#upTo(2_000), () => this.#invite(`invite-${call}`, target));
      this.network.after(this.#upTo(2_000), () => {
        this.a.endpoint.sendRequest(
          testRequest('OPTIONS', { callId: `options-${call}` }),
          target,
          this.network.now,
        );
      });
    }
    if (target.transport === 'tcp')
      this.network.after(this.#upTo(4_000), () => this.network.breakConnections());
    this.network.runToEnd();
  }

  check(): void {
    checkClient(this.a.events);
    checkServer(this.b.events);
    const leftOver: SipTestMachine[] = [this.a.endpoint, this.b.endpoint];
    for (const machine of leftOver) assert.equal(machine.pollTimeout(), undefined);
    for (const { endpoint } of [this.a, this.b])
      assert.equal(endpoint.counters.clientTransactions + endpoint.counters.serverTransactions, 0);
  }

  /** Delays stay below T1, as timers J and K count on a network that forgets within their time. */
  #copies(loss: number): number[] {
    const copies = randomFraction(this.#random) < 0.2 ? 2 : 1;
    return Array.from({ length: copies }, () => 1 + this.#upTo(399)).filter(
      () => randomFraction(this.#random) >= loss,
    );
  }

  #upTo(milliseconds: number): number {
    return randomBelow(this.#random, milliseconds);
  }

  /** Hangs up after a while if the call is still open, sometimes much earlier. */
  #invite(callId: string, target: SipTarget): void {
    const transaction = this.a.endpoint.sendRequest(
      testRequest('INVITE', { callId }),
      target,
      this.network.now,
    );
    const patience = randomFraction(this.#random) < 0.4 ? this.#upTo(3_000) : 60_000;
    this.network.after(patience, () => {
      this.a.endpoint.cancel(transaction, this.network.now);
      this.network.flush();
    });
    this.network.flush();
  }

  #acknowledge(event: SipEvent, target: SipTarget): void {
    if (event.kind !== 'response' || !event.response.headers.get('CSeq')?.endsWith('INVITE')) return;
    if (event.response.statusCode < 200 || event.response.statusCode >= 300) return;
    const callId = event.response.headers.get('Call-ID')!;
    this.a.endpoint.sendWithoutTransaction(
      testRequest('ACK', { callId, toTag: 'b' }),
      target,
      this.network.now,
    );
  }

  #answer(event: SipEvent): void {
    if (event.kind === 'cancelled')
      this.#respondTo(requestOf(this.b, event.transaction), event.transaction, 487);
    if (event.kind !== 'request') return;
    const { request, transaction } = event;
    const isInvite = request.method === 'INVITE';
    if (isInvite) this.#respondTo(request, transaction, 180);
    const statusCode = [200, 200, 404, 486, 603][this.#upTo(5)]!;
    if (isInvite && statusCode === 200) this.#accept(request, transaction, this.#upTo(6_000), 500);
    else this.network.after(this.#upTo(6_000), () => this.#respondTo(request, transaction, statusCode));
  }

  /** The UAS core repeats its 2xx until the ACK comes (RFC 3261 §13.3.1.4). */
  #accept(request: SipRequest, transaction: ServerTransactionId, delay: number, interval: number): void {
    this.network.after(delay, () => {
      const callId = request.headers.get('Call-ID');
      const isOver = this.b.events.some(
        (event) =>
          (event.kind === 'ack' && event.request.headers.get('Call-ID') === callId) ||
          (event.kind === 'terminated' && event.transaction === transaction),
      );
      if (isOver) return;
      this.#respondTo(request, transaction, 200);
      this.#accept(request, transaction, interval, Math.min(2 * interval, 4_000));
    });
  }

  #respondTo(request: SipRequest, transaction: ServerTransactionId, statusCode: number): void {
    this.b.endpoint.respond(
      transaction,
      createResponse(request, statusCode, { toTag: 'b' }),
      this.network.now,
    );
    this.network.flush();
  }
}

/** One outcome, then 'terminated', then nothing. */
function checkClient(events: readonly SipEvent[]): void {
  const byTransaction = grouped(events);
  assert.equal(byTransaction.size, 6);
  for (const [transaction, own] of byTransaction) {
    const outcomes = own.filter((event) => event.kind !== 'terminated' && !isProvisional(event));
    const [first] = outcomes;
    // Only the 2xx of an INVITE may come again: its user repeats the ACK.
    const expected =
      first !== undefined && isSuccessOfInvite(first) ? outcomes.filter(isSuccessOfInvite) : [first];
    assert.deepEqual(outcomes, expected, `${transaction} has one outcome`);
    assert.equal(
      own.findIndex((event) => event.kind === 'terminated'),
      own.length - 1,
      `${transaction} ends last`,
    );
  }
}

/** Every request comes up once, a refused INVITE is acknowledged or not, and everything ends. */
function checkServer(events: readonly SipEvent[]): void {
  const requests = events.flatMap((event) =>
    event.kind === 'request' ? [event.request.headers.get('Call-ID')] : [],
  );
  assert.equal(new Set(requests).size, requests.length, 'no request twice');
  for (const [transaction, own] of grouped(events)) {
    const kinds = own.map((event) => event.kind);
    assert.equal(kinds[0], 'request');
    assert.equal(kinds.indexOf('terminated'), kinds.length - 1, `${transaction} ends last`);
    assert.ok(kinds.filter((kind) => kind === 'acknowledged' || kind === 'ack-missing').length <= 1);
    assert.ok(kinds.filter((kind) => kind === 'cancelled').length <= 1);
  }
}

function isProvisional(event: SipEvent): boolean {
  return event.kind === 'response' && event.response.statusCode < 200;
}

function isSuccessOfInvite(event: SipEvent): boolean {
  return (
    event.kind === 'response' &&
    Math.floor(event.response.statusCode / 100) === 2 &&
    event.response.headers.get('CSeq') === '1 INVITE'
  );
}

function grouped(events: readonly SipEvent[]): Map<TransactionId, SipEvent[]> {
  const groups = new Map<TransactionId, SipEvent[]>();
  for (const event of events) {
    if (!('transaction' in event)) continue;
    const group = groups.get(event.transaction);
    if (group === undefined) groups.set(event.transaction, [event]);
    else group.push(event);
  }
  return groups;
}

function requestOf(user: TestUser, transaction: ServerTransactionId): SipRequest {
  const event = user.events.find(
    (candidate) => candidate.kind === 'request' && candidate.transaction === transaction,
  );
  assert.ok(event?.kind === 'request');
  return event.request;
}

/** What each transaction saw, repeated 2xx counted once. */
function kindsOf(user: TestUser): string[] {
  return [...grouped(user.events)].map(([transaction, own]) => {
    const seen = own.map((event) => (event.kind === 'response' ? event.response.statusCode : event.kind));
    return `${transaction}: ${[...new Set(seen)].join(' ')}`;
  });
}
