import assert from 'node:assert/strict';
import { test } from 'node:test';
import type { Instant } from '../../src/base/instant.ts';
import type { Machine, Timeout } from '../../src/base/machine.ts';
import type { NetworkInput, NetworkOutput } from '../../src/base/network.ts';
import { SeededRandomSource } from '../../src/base/random-source.ts';
import { BackToBackUserAgent } from '../../src/protocols/sip/back-to-back-user-agent/back-to-back-user-agent.ts';
import type { CallEvent } from '../../src/protocols/sip/back-to-back-user-agent/call-event.ts';
import { SipEndpoint } from '../../src/protocols/sip/endpoint.ts';
import { createResponse } from '../../src/protocols/sip/message/create-response.ts';
import { criterion, ImsCoreLab, method, type TestUser } from './ims-core-lab.ts';

const contact = '<sip:10.0.1.4:5060>';

/** The least application server that ends each dialog and begins another: the shape of the TRIM AS without translators. */
class BackToBackServer implements Machine<NetworkInput, NetworkOutput> {
  readonly #agent: BackToBackUserAgent;
  #now: Instant = 0;

  constructor() {
    const random = new SeededRandomSource(4);
    const listen = (['udp', 'tcp'] as const).map((transport) => ({
      transport,
      address: '10.0.1.4',
      port: 5060,
    }));
    this.#agent = new BackToBackUserAgent({ endpoint: new SipEndpoint({ listen, random }), random });
  }

  start(now: Instant): void {
    this.#agent.start(now);
  }

  handleInput(input: NetworkInput, now: Instant): void {
    this.#agent.handleInput(input, now);
    this.#now = now;
  }

  handleTimeout(now: Instant): void {
    this.#agent.handleTimeout(now);
    this.#now = now;
  }

  pollTimeout(): Timeout | undefined {
    return this.#agent.pollTimeout();
  }

  pollOutput(): NetworkOutput | undefined {
    for (let output = this.#agent.pollOutput(); ; output = this.#agent.pollOutput()) {
      if (output?.kind !== 'event') return output;
      this.#decide(output.event);
    }
  }

  #decide(event: CallEvent): void {
    if (event.type === 'call-arrived') {
      const [, ...routes] = event.request.headers.getAll('Route');
      const { requestUri } = event.request;
      this.#agent.routeCall(event.token, { contact }, { contact, requestUri, routes }, this.#now);
    } else if (event.type === 'body-arrived') this.#agent.continueWith(event.token, event.body, this.#now);
    else if (event.type === 'leg-lost') this.#agent.endCall(event.call, this.#now);
    else if (event.type === 'request-arrived') {
      this.#agent.respond(event.transaction, createResponse(event.request, 200, { toTag: 'as' }), this.#now);
    }
  }
}

function lab(sessionCase: number): { core: ImsCoreLab; mn: TestUser; cn: TestUser } {
  const subscriber = (name: string, criteria: string) => ({
    publicIdentity: `sip:${name}@home1.net`,
    password: 'secret',
    criteria,
  });
  const core = new ImsCoreLab({
    subscribers: [subscriber('mn', criterion(0, method('INVITE', sessionCase))), subscriber('cn', '')],
    applicationServer: new BackToBackServer(),
  });
  const mn = core.user({ identity: 'sip:mn@home1.net', password: 'secret', address: '10.0.0.10', seed: 10 });
  const cn = core.user({ identity: 'sip:cn@home1.net', password: 'secret', address: '10.0.0.20', seed: 20 });
  mn.register(core.now);
  cn.register(core.now);
  core.run(2_000);
  core.takeLadder();
  return { core, mn, cn };
}

for (const [name, sessionCase] of [
  ['originating', 0],
  ['terminating', 1],
] as const) {
  test(`IMS core with a back-to-back AS: ${name} call, re-INVITE from both sides and BYE over two dialogs`, () => {
    const { core, mn, cn } = lab(sessionCase);
    const [caller, callee] = sessionCase === 0 ? [mn, cn] : [cn, mn];
    caller.call(core.now, sessionCase === 0 ? 'sip:cn@home1.net' : 'sip:mn@home1.net');
    core.run(1_000);
    assert.equal(caller.responses.at(-1)!.statusCode, 200);
    assert.notEqual(caller.dialog!.callId, callee.dialog!.callId);
    const invites = core.takeLadder().filter((line) => line.endsWith('INVITE'));
    assert.equal(invites.filter((line) => line === 'S → AS INVITE').length, 1);
    assert.equal(invites.filter((line) => line === 'AS → S INVITE').length, 1);
    for (const user of [caller, callee]) {
      const other = user === caller ? callee : caller;
      user.send(core.now, 'INVITE');
      core.run(1_000);
      assert.equal(user.responses.at(-1)!.statusCode, 200);
      assert.equal(other.requests.at(-1)!.method, 'INVITE');
    }
    callee.send(core.now, 'BYE');
    core.run(1_000);
    assert.equal(caller.requests.at(-1)!.method, 'BYE');
    assert.equal(callee.responses.at(-1)!.statusCode, 200);
  });
}
