/**
 * Replay protection by timestamps at the agent (RFC 5944 §5.7.1), kept per path. A multihomed mobile node sends requests over several
 * accesses at once and they overtake each other; "greater than all previously accepted" would refuse the slower path although nothing is
 * wrong (and lose the round trip that matters most). So the order is strict within a path, which the authenticator covers (binding
 * identifier or care-of address), and a request that cleared all other bindings is a floor under every path. Requests of peers with a
 * single binding name no path and get the rule as the RFC has it.
 *
 * What is remembered is bounded: a timestamp outside the tolerance is refused anyway, so a path is forgotten when its last one is.
 */
import type { DurationMs } from '../../base/instant.ts';
import { isLater, timestampDifferenceMs } from './timestamp.ts';

/** What has to be remembered over a restart. */
export interface ReplayState {
  /** Requests that were not made after this one are refused on every path. */
  readonly floor?: bigint;
  /** The last accepted identification per path. */
  readonly paths: ReadonlyMap<string, bigint>;
}

export type ReplayVerdict =
  | 'fresh'
  /** The last accepted one of this path once more: a duplicate, or somebody who replays it. */
  | 'repeated'
  /** Accepted before, or overtaken on its path. */
  | 'old'
  /** Too far from the agent's clock. */
  | 'outside-tolerance';

export interface ReplayClock {
  /** The agent's own time as a timestamp. */
  readonly timestamp: bigint;
  readonly toleranceMs: DurationMs;
}

export function judgeIdentification(
  state: ReplayState,
  path: string | undefined,
  identification: bigint,
  clock: ReplayClock,
): ReplayVerdict {
  if (Math.abs(timestampDifferenceMs(identification, clock.timestamp)) > clock.toleranceMs)
    return 'outside-tolerance';
  const last = path === undefined ? state.floor : state.paths.get(path);
  if (last === identification) return 'repeated';
  const earlier = path === undefined ? [...state.paths.values(), state.floor] : [last, state.floor];
  return earlier.every((one) => one === undefined || isLater(identification, one)) ? 'fresh' : 'old';
}

/** The state after a request was accepted; `isFloor`: it cleared all other bindings. A request without a path always does. */
export function acceptIdentification(
  state: ReplayState,
  path: string | undefined,
  identification: bigint,
  isFloor: boolean,
  clock: ReplayClock,
): ReplayState {
  const isRemembered = (last: bigint): boolean =>
    timestampDifferenceMs(clock.timestamp, last) <= clock.toleranceMs;
  const paths = new Map([...state.paths].filter(([, last]) => isRemembered(last)));
  if (path !== undefined) paths.set(path, identification);
  const { floor } = state;
  const newFloor =
    isFloor && (floor === undefined || isLater(identification, floor)) ? identification : floor;
  return { ...(newFloor !== undefined && { floor: newFloor }), paths };
}
