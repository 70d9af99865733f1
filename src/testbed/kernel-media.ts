/**
 * The applications of a scenario in the kernel lab: ordinary programs on the mobile node's internal address and on the correspondent node,
 * which get nothing but the addresses that their session told them.
 */
import type { TransportAddress } from '../base/network.ts';
import { TrimaranError } from '../base/trimaran-error.ts';
import type { RemoteMedium } from '../correspondent-node/terminal-description.ts';
import type { MeasuredFlow } from './flow-results.ts';
import { labAddresses } from './lab-addresses.ts';
import type { PlannedFlow } from './lab-flows.ts';
import { MediaProgram, type Spawn } from './media/media-program.ts';
import type { MediaKind, MediaProgress } from './media/media-protocol.ts';

/** Where the mobile node's programs find the peer, and the correspondent's programs theirs. */
export interface FlowAddresses {
  readonly ofCorrespondent: Place;
  readonly ofMobileNode: Place;
}

type Place = Pick<RemoteMedium, 'address' | 'port'>;

interface RunningFlow {
  readonly plan: PlannedFlow;
  readonly mobile: MediaProgram<MediaKind>;
  readonly correspondent: MediaProgram<MediaKind>;
}

/** What is on its way when sending stops arrives within this time, even what a TCP sender wrote faster than the slowest access takes it. */
const settleMs = 15_000;
/** Datagrams that are missing when none has come for this long are lost: the longest queue of an access holds half a second. */
const silenceMs = 3000;

export class KernelMedia {
  readonly #onMobile: Spawn;
  readonly #onCorrespondent: Spawn;
  readonly #congestionControl: { readonly congestionControl?: string };
  readonly #flows: RunningFlow[] = [];

  constructor(onMobile: Spawn, onCorrespondent: Spawn, congestionControl?: string) {
    this.#onMobile = onMobile;
    this.#onCorrespondent = onCorrespondent;
    this.#congestionControl = congestionControl === undefined ? {} : { congestionControl };
  }

  /** Starts both ends of a flow; TCP data flow at once, RTP when `startSending` says so. */
  async start(plan: PlannedFlow, addresses: FlowAddresses): Promise<void> {
    this.#flows.push({ plan, ...(await this.#startEnds(plan, addresses)) });
  }

  /** What the correspondent sends goes where its session says. */
  followSession(media: readonly RemoteMedium[]): void {
    for (const medium of media) {
      const flow = this.#flows.find(({ plan }) => plan.port === medium.localPort && plan.media === 'rtp');
      if (flow !== undefined) flow.correspondent.sendTo(place(medium));
    }
  }

  startSending(): void {
    for (const { plan, mobile, correspondent } of this.#flows) {
      if (plan.media !== 'rtp') continue;
      if (plan.flow.direction !== 'to-mobile-node') mobile.startSending();
      if (plan.flow.direction !== 'to-correspondent') correspondent.startSending();
    }
  }

  /** Stops sending, waits until what was sent has arrived or will not any more, and asks for the reports. */
  async finish(): Promise<MeasuredFlow[]> {
    for (const { mobile, correspondent } of this.#flows) {
      mobile.stopSending();
      correspondent.stopSending();
    }
    await this.#settled();
    return await Promise.all(
      this.#flows.map(async ({ plan, mobile, correspondent }) => {
        const [atMobile, atCorrespondent] = await Promise.all([mobile.finish(), correspondent.finish()]);
        const reports = { media: plan.media, mobile: atMobile, correspondent: atCorrespondent };
        return { plan, reports: reports as MeasuredFlow['reports'] };
      }),
    );
  }

  async #settled(): Promise<void> {
    const giveUpAt = performance.now() + settleMs;
    const rtp = this.#flows.filter(({ plan }) => plan.media === 'rtp');
    let received = 0;
    let silentAt = performance.now() + silenceMs;
    const isOver = (flow: RunningFlow): boolean =>
      hasArrived(flow) || (flow.plan.media === 'rtp' && performance.now() > silentAt);
    while (performance.now() < giveUpAt && !this.#flows.every(isOver)) {
      await new Promise((resolve) => setTimeout(resolve, 50));
      const before = received;
      received = rtp.reduce((sum, flow) => sum + receivedOf(flow.mobile) + receivedOf(flow.correspondent), 0);
      if (received !== before) silentAt = performance.now() + silenceMs;
    }
  }

  async #startEnds(
    { media, flow, port, seed, stream = 'voice', mobileAddress }: PlannedFlow,
    { ofCorrespondent, ofMobileNode }: FlowAddresses,
  ): Promise<Omit<RunningFlow, 'plan'>> {
    const near = { address: mobileAddress, port };
    const rate = flow.rateBitsPerSecond === undefined ? {} : { rateBitsPerSecond: flow.rateBitsPerSecond };
    const far = { address: labAddresses.correspondentNode, port };
    if (media === 'rtp') {
      const ends = {
        mobile: { local: near, remote: place(ofCorrespondent) },
        correspondent: { local: far, remote: place(ofMobileNode) },
      };
      return {
        mobile: await MediaProgram.start(this.#onMobile, 'rtp', { ...ends.mobile, ...rate, stream, seed }),
        correspondent: await MediaProgram.start(this.#onCorrespondent, 'rtp', {
          ...ends.correspondent,
          ...rate,
          stream,
          seed: seed + 1,
        }),
      };
    }
    if (media === 'bulk') {
      const isSender = flow.direction === 'to-correspondent';
      const [mobileRole, farRole] = isSender
        ? (['sender', 'receiver'] as const)
        : (['receiver', 'sender'] as const);
      return {
        mobile: await MediaProgram.start(this.#onMobile, 'bulk', {
          opening: { kind: 'listen', local: near, ...this.#congestionControl },
          role: mobileRole,
          ...rate,
          seed,
        }),
        correspondent: await MediaProgram.start(this.#onCorrespondent, 'bulk', {
          opening: { kind: 'connect', remote: place(ofMobileNode), ...this.#congestionControl },
          role: farRole,
          ...rate,
          seed,
        }),
      };
    }
    const correspondent = await MediaProgram.start(this.#onCorrespondent, 'interactive', {
      opening: { kind: 'listen', local: far, ...this.#congestionControl },
      role: 'echo',
      seed,
    });
    const opening = {
      kind: 'connect',
      remote: place(ofCorrespondent),
      local: { address: mobileAddress, port: 0 },
      ...this.#congestionControl,
    } as const;
    const mobile = await MediaProgram.start(this.#onMobile, 'interactive', { opening, role: 'typist', seed });
    return { mobile, correspondent };
  }
}

function place({ address, port }: Place): TransportAddress {
  if (port === undefined)
    throw new TrimaranError('LAB_NO_ADDRESS', 'a session gave no port for a stream that needs one');
  return { address, port };
}

/** By the latest news of both ends, which come four times a second. */
function hasArrived({ plan, mobile, correspondent }: RunningFlow): boolean {
  // Before that, equal numbers from different instants would mean nothing.
  if (!mobile.hasStopped || !correspondent.hasStopped) return false;
  if (plan.media === 'rtp') {
    const [near, far] = [progressOf(mobile, 'rtp'), progressOf(correspondent, 'rtp')];
    return receivedOf(mobile) === far?.sent && receivedOf(correspondent) === near?.sent;
  }
  if (plan.media === 'bulk')
    return [mobile, correspondent].every((program) => progressOf(program, 'bulk')?.ending === 'finished');
  const typist = progressOf(mobile, 'interactive');
  return typist !== undefined && typist.keys === typist.echoed;
}

/** Datagrams of RTP, each counted once. */
function receivedOf(program: MediaProgram<MediaKind>): number {
  return progressOf(program, 'rtp')?.received.reduce((sum, { unique }) => sum + unique, 0) ?? 0;
}

function progressOf<Kind extends MediaKind>(
  { progress }: MediaProgram<MediaKind>,
  _kind: Kind,
): MediaProgress<Kind> | undefined {
  return progress as MediaProgress<Kind> | undefined;
}
