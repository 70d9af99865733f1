/**
 * A network in virtual time in which somebody changes messages on their way, and sends old ones again: what every network function gets
 * looks valid nearly everywhere, and comes when nothing of the kind is expected.
 */
import type { NetworkInput } from '../../src/base/network.ts';
import { type RandomSource, randomBelow, randomFraction } from '../../src/base/random-source.ts';
import { VirtualProcess } from '../../src/sim/virtual-process.ts';
import type { FuzzTarget } from './fuzz-target.ts';
import { mutated } from './mutator.ts';
import { diameterMessage } from './targets/diameter.ts';
import { mobileIp, stun, tunnelData } from './targets/packets.ts';
import { sipMessage } from './targets/sip-message.ts';

export interface Hostility {
  /** Probabilities per message. */
  readonly change: number;
  readonly repetition: number;
}

type Received = Extract<NetworkInput, { kind: 'datagram-received' | 'stream-received' }>;
interface Recorded {
  readonly process: VirtualProcess<never, never, never>;
  readonly input: Received;
}

const maximumRecorded = 200;

/**
 * All virtual processes of this thread get their messages from somebody hostile, until the result is called, which tells how
 * many were changed. Processes have no door for that, and should have none; so their prototype is lent another one.
 */
export function beHostile({ change, repetition }: Hostility, random: RandomSource): () => number {
  const { prototype } = VirtualProcess;
  const { handleInput } = prototype;
  const recorded: Recorded[] = [];
  let count = 0;
  const changed = (input: Received): Received => {
    count++;
    return { ...input, payload: mutated(input.payload, targetOf(input), random) };
  };
  prototype.handleInput = function (this: Recorded['process'], input: unknown) {
    const received = asReceived(input);
    if (received === undefined) {
      handleInput.call(this, input as never);
      return;
    }
    recorded[randomBelow(random, maximumRecorded)] = { process: this, input: received };
    handleInput.call(this, (randomFraction(random) < change ? changed(received) : received) as never);
    const old =
      randomFraction(random) < repetition ? recorded[randomBelow(random, maximumRecorded)] : undefined;
    if (old !== undefined)
      handleInput.call(old.process, (randomBelow(random, 2) === 0 ? changed(old.input) : old.input) as never);
  };
  return () => {
    prototype.handleInput = handleInput;
    return count;
  };
}

/** Media are not looked at here, and would drown the rest. */
function asReceived(input: unknown): Received | undefined {
  const { kind, payload } = input as Received;
  if (kind !== 'datagram-received' && kind !== 'stream-received') return undefined;
  return kind === 'datagram-received' && (payload[0] ?? 0) >> 6 === 2 ? undefined : (input as Received);
}

function targetOf(input: Received): FuzzTarget {
  const first = input.payload[0] ?? 0;
  if (input.kind === 'stream-received') return first === 1 ? diameterMessage : sipMessage;
  if (input.local.port === 434 || input.remote.port === 434)
    return first === 4 || first >> 4 === 4 ? tunnelData : mobileIp;
  return first <= 1 ? stun : sipMessage;
}
