import assert from 'node:assert/strict';
import type { TranslationOperation } from '../../src/translation/translation-operation.ts';
import { kernelTest } from './own-namespace.ts';
import { type Arrival, PacketFlow, PacketSink } from './packet-flow.ts';
import { addresses, bindingOf, openHomeTranslator, openTranslatorNetwork } from './translator-network.ts';
import { until } from './until.ts';

const SWITCHES = 1000;
const PACKETS_PER_SECOND = 20_000;

kernelTest(
  'NftablesTranslator: 1,000 handovers under 20,000 packets/s lose, reorder and mix nothing',
  async () => {
    const network = openTranslatorNetwork();
    const translator = openHomeTranslator(network);
    const { correspondent, towardsCorrespondent } = bindingOf(4);
    const { towardsMobileNode, threeG, wlan } = addresses[4];
    const key = {
      family: 4,
      protocol: 'udp',
      source: correspondent.address,
      destination: towardsCorrespondent.address,
      port: towardsCorrespondent.port,
      portOf: 'destination',
    } as const;
    // Unlike in a real handover the source port changes with the destination, so that a packet rewritten by halves would show.
    const version = (mark: number): TranslationOperation => ({
      kind: 'define-version',
      mark,
      family: 4,
      protocol: 'udp',
      rewrite: {
        source: towardsMobileNode,
        sourcePort: 30000 + (mark % 2),
        destination: mark % 2 === 0 ? threeG : wlan,
        destinationPort: 6000,
      },
    });
    translator.apply([version(2), { kind: 'select-version', key, mark: 2 }]);
    const sink = new PacketSink(network.mn, 6000);
    const flow = await PacketFlow.start({
      namespaceFd: network.cn.fd,
      local: correspondent,
      remote: towardsCorrespondent,
      packetsPerSecond: PACKETS_PER_SECOND,
      length: 160,
      window: 500,
    });
    const arrivals: Arrival[] = [];
    const untilArrived = (isThere: () => boolean) =>
      until(() => {
        arrivals.push(...sink.drain());
        flow.confirm(arrivals.length);
        return isThere();
      });
    await untilArrived(() => arrivals.length > 0);
    for (let mark = 3; mark < 3 + SWITCHES; mark++) {
      translator.apply([
        version(mark),
        { kind: 'select-version', key, mark },
        { kind: 'forget-version', mark: mark - 1 },
      ]);
      // The next one comes when this one has carried something, and the flow goes on meanwhile.
      await untilArrived(() => arrivals.at(-1)?.sourcePort === 30000 + (mark % 2));
    }
    const { sent } = await flow.stop();
    await untilArrived(() => arrivals.length >= sent);
    const paths = new Set(
      arrivals.map(({ source, sourcePort, destination }) => `${source}:${sourcePort} ${destination}`),
    );
    assert.deepEqual([...paths].sort(), [
      `${towardsMobileNode}:30000 ${threeG}`,
      `${towardsMobileNode}:30001 ${wlan}`,
    ]);
    assert.equal(arrivals.length, sent);
    assert.ok(
      arrivals.every(({ sequence }, index) => sequence === index),
      'every packet once, in order',
    );
    const changes = arrivals.filter(
      ({ sourcePort }, index) => sourcePort !== arrivals[index - 1]?.sourcePort,
    ).length;
    assert.equal(changes, 1 + SWITCHES, 'the first path, and one more with each switch');
    sink.close();
    network.home.run(() => translator.close());
    network.close();
  },
);
