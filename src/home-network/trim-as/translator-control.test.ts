import assert from 'node:assert/strict';
import { test } from 'node:test';
import { SeededRandomSource } from '../../base/random-source.ts';
import { avpValue } from '../../protocols/diameter/avp.ts';
import { resultAvps } from '../../protocols/diameter/capabilities.ts';
import {
  natControlApplication,
  natControlAvps,
  natRequestType,
} from '../../protocols/diameter/dictionary/nat-control.ts';
import { DiameterEndpoint } from '../../protocols/diameter/endpoint.ts';
import { maximumOutstandingRequests } from '../../protocols/diameter/limits.ts';
import { resultCode } from '../../protocols/diameter/result-code.ts';
import { TestNetwork } from '../../protocols/diameter/test-network.ts';
import { AnchoredSession } from './anchored-session.ts';
import { MediaComponent } from './media-component.ts';
import { TranslatorControl } from './translator-control.ts';

const translator = { address: '192.0.2.10', port: 3868 };

test('TranslatorControl: a translator that has restarted is told of all sessions, more than requests may be outstanding', () => {
  const count = maximumOutstandingRequests + 1000;
  const sessions = new Map(Array.from({ length: count }, (_, call) => [call, sessionOf(call)]));
  const network = new TestNetwork();
  const restarted = new ForgetfulTranslator(network);
  const control = new TranslatorControl(
    {
      diameter: {
        originHost: 'as.example',
        originRealm: 'example',
        originStateId: 1,
        peers: [{ host: 'translator.example', address: translator }],
      },
      translators: [{ host: 'translator.example' }],
      random: new SeededRandomSource(1),
    },
    sessions,
  );
  network.add('192.0.2.1', {
    handleInput: (input, now) => control.handleInput(input, now),
    handleTimeout: (now) => control.handleTimeout(now),
    pollTimeout: () => control.pollTimeout(),
    pollOutput: () => control.pollOutput(network.now),
  });
  control.start(0);
  network.run(1000);
  assert.equal(restarted.opened.size, count);
  assert.ok(restarted.mostAtOnce < maximumOutstandingRequests / 2, `${restarted.mostAtOnce} at once`);
});

/** Knows no session, takes every one that is opened, and answers in the order of the requests, when nothing more comes. */
class ForgetfulTranslator {
  readonly opened = new Set<string>();
  mostAtOnce = 0;

  constructor(network: TestNetwork) {
    const endpoint = new DiameterEndpoint({
      originHost: 'translator.example',
      originRealm: 'example',
      originStateId: 2,
      listen: [translator],
      peers: [{ host: 'as.example' }],
      applications: [natControlApplication],
      random: new SeededRandomSource(2),
    });
    network.add(translator.address, {
      handleInput: (input, now) => endpoint.handleInput(input, now),
      handleTimeout: (now) => endpoint.handleTimeout(now),
      pollTimeout: () => endpoint.pollTimeout(),
      pollOutput: () => {
        this.#answer(endpoint);
        return endpoint.pollOutput();
      },
    });
    endpoint.start(0);
    network.settle();
  }

  #answer(endpoint: DiameterEndpoint): void {
    let atOnce = 0;
    for (let event = endpoint.pollEvent(); event !== undefined; event = endpoint.pollEvent()) {
      if (event.kind !== 'request-received') continue;
      this.mostAtOnce = Math.max(this.mostAtOnce, ++atOnce);
      const isOpening = avpValue(event.avps, natControlAvps.requestType) === natRequestType.initial;
      if (isOpening) this.opened.add(event.sessionId ?? '');
      endpoint.answer(
        event.request,
        resultAvps(isOpening ? resultCode.success : resultCode.unknownSessionId),
      );
    }
  }
}

function sessionOf(call: number): AnchoredSession {
  const session = new AnchoredSession(call, 'caller', 'sip:mn@example', '192.0.2.1', call);
  session.nat = { sessionId: `as.example;0;${call}`, translator: 'translator.example' };
  session.components = [
    new MediaComponent(0, 'media', {
      protocol: 'udp',
      mobileNode: { address: '10.0.0.1', port: 4000 },
      correspondent: { address: '192.0.2.99', port: 4002 },
      towardsCorrespondent: { address: '198.51.100.1', port: 1024 + call },
      towardsMobileNode: { address: '198.51.100.2', port: 1024 + call },
    }),
  ];
  return session;
}
