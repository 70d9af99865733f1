/**
 * The block `policy` of a mobile node's configuration: the numbers of the MIP–SIP paper's policy (equations 1–7), or a module that takes
 * its place. The defaults are ours, as the paper prints none but h = c = 5 (an example).
 */
import { z } from 'zod';
import type { DurationMs } from '../../base/instant.ts';
import type { AccessPolicyOptions, Coverage } from '../../mobile-node/access-selection/access-policy.ts';
import type { AccessSelector } from '../../mobile-node/access-selection/access-selector.ts';
import { UtilitySelector } from '../../mobile-node/access-selection/utility-selector.ts';
import type { FlowClass } from '../../mobile-node/mobile-node-options.ts';
import type { PortRange } from '../../protocols/mobile-ip/tunnel-state.ts';
import { duration } from './configuration-values.ts';
import { ipv4Address } from './mobile-ip-values.ts';
import { PolicyModule } from './policy-module.ts';

export interface WeightsConfiguration {
  readonly power: number;
  readonly cost: number;
  readonly load: number;
}

/** What a class of flows may have otherwise than the rest. */
interface PolicyNumbers {
  readonly weights?: WeightsConfiguration | undefined;
  readonly hysteresis?: number | undefined;
  readonly 'equal-coverage-hysteresis'?: number | undefined;
  readonly 'dwell-time'?: DurationMs | undefined;
}

export interface FlowClassConfiguration extends PolicyNumbers {
  readonly name: string;
  readonly protocol?: 'tcp' | 'udp' | undefined;
  /** Of the mobile node, and of its correspondents. */
  readonly 'home-ports'?: PortRange | undefined;
  readonly 'correspondent-ports'?: PortRange | undefined;
  /** An address. */
  readonly correspondent?: string | undefined;
}

export interface PolicyConfiguration extends PolicyNumbers {
  /** h and c of equations 1, 2 and 5. */
  readonly 'history-window'?: number | undefined;
  readonly 'jitter-weight'?: number | undefined;
  readonly 'warm-up'?: number | undefined;
  readonly penalty?: DurationMs | undefined;
  readonly classes: readonly FlowClassConfiguration[];
  readonly module?: PolicyModule | undefined;
  /** For the module. */
  readonly options?: Readonly<Record<string, unknown>> | undefined;
}

/** Scores of an access, as the policy needs them. */
export interface AccessScoresConfiguration {
  readonly name: string;
  readonly power?: number | undefined;
  readonly cost?: number | undefined;
  readonly coverage?: Coverage | undefined;
}

const weight = z.number().positive('must be greater than 0');
const weights = z
  .strictObject({ power: weight, cost: weight, load: weight })
  .superRefine((value, context) => {
    const sum = value.power + value.cost + value.load;
    if (Math.abs(sum - 1) > 1e-9)
      context.addIssue({
        code: 'custom',
        message: `the weights must have the sum 1; ${value.power} + ${value.cost} + ${value.load} is ${Number(sum.toFixed(9))}`,
      });
  });
const hysteresis = z.number().min(0, 'must not be negative');
const numbers = {
  weights: weights.optional(),
  hysteresis: hysteresis.optional(),
  'equal-coverage-hysteresis': hysteresis.optional(),
  'dwell-time': duration.optional(),
};

const port = z.number().int().min(0).max(65_535);
/** 5060, or [16384, 32767]. */
const ports: z.ZodType<PortRange> = z
  .union([port, z.tuple([port, port])], { error: 'a port, or [FIRST, LAST]' })
  .transform((value): PortRange => (typeof value === 'number' ? [value, value] : value))
  .refine(([first, last]) => first <= last, 'the first port is greater than the last');

const flowClass: z.ZodType<FlowClassConfiguration> = z.strictObject({
  name: z.string().min(1),
  protocol: z.enum(['tcp', 'udp']).optional(),
  'home-ports': ports.optional(),
  'correspondent-ports': ports.optional(),
  correspondent: ipv4Address.optional(),
  ...numbers,
});

export const policySchema: z.ZodType<PolicyConfiguration> = z
  .strictObject({
    ...numbers,
    'history-window': z
      .number()
      .min(1, 'h must be at least 1, or samples would count negatively')
      .max(64)
      .optional(),
    'jitter-weight': z.number().positive('c must be greater than 0').max(50).optional(),
    'warm-up': z.number().int().min(1).max(1000).optional(),
    penalty: duration.optional(),
    classes: z.array(flowClass).max(7, 'at most 7 classes').default([]),
    module: z
      .string()
      .min(1)
      .transform((path) => new PolicyModule(path))
      .optional(),
    options: z.record(z.string(), z.unknown()).optional(),
  })
  .superRefine(checkModule);

/** A score: ln 0 would decide alone. */
export const score: z.ZodType<number> = z
  .number()
  .positive(
    'must be greater than 0, since its logarithm counts: 1 is the best access, also a free one, and 2 is twice as bad',
  );
export const coverage: z.ZodType<Coverage> = z.enum(['large', 'small']);

/** Numbers of the paper's policy beside a module would be numbers without effect. */
function checkModule(policy: PolicyConfiguration, context: z.RefinementCtx): void {
  const refuse = (path: PropertyKey[], message: string): void =>
    context.addIssue({ code: 'custom', path, message });
  if (policy.module === undefined) {
    if (policy.options !== undefined) refuse(['options'], 'has a meaning only for a module');
    return;
  }
  for (const key of [
    'weights',
    'hysteresis',
    'equal-coverage-hysteresis',
    'dwell-time',
    'history-window',
    'jitter-weight',
    'warm-up',
    'penalty',
  ] as const)
    if (policy[key] !== undefined) refuse([key], 'has no meaning beside a module, which decides by itself');
}

/** Limits of the flow bindings are those of the message: eight with the one for everything else. */
export function flowClassesOf(policy: PolicyConfiguration | undefined): FlowClass[] {
  return (policy?.classes ?? []).map((one) => ({
    name: one.name,
    selector: {
      ...(one.protocol !== undefined && { protocol: one.protocol === 'tcp' ? 6 : 17 }),
      ...(one['home-ports'] && { homePorts: one['home-ports'] }),
      ...(one['correspondent-ports'] && { correspondentPorts: one['correspondent-ports'] }),
      ...(one.correspondent !== undefined && { correspondentAddress: one.correspondent }),
    },
  }));
}

export function createSelector(
  policy: PolicyConfiguration,
  accesses: readonly AccessScoresConfiguration[],
): AccessSelector {
  if (policy.module !== undefined)
    return policy.module.createSelector({ accesses, options: policy.options ?? {} });
  return new UtilitySelector({
    load: {
      historyWindow: policy['history-window'] ?? 5,
      jitterWeight: policy['jitter-weight'] ?? 5,
    },
    policy: { ...defaults, ...policyOptionsOf(policy) },
    accesses: accesses.map(({ name, power = 1, cost = 1, coverage: area = 'small' }) => ({
      name,
      power,
      cost,
      coverage: area,
    })),
    classes: policy.classes.map((one) => ({ name: one.name, policy: policyOptionsOf(one) })),
  });
}

const defaults: AccessPolicyOptions = {
  powerWeight: 0.2,
  costWeight: 0.3,
  loadWeight: 0.5,
  // About 22 % better before large coverage is left.
  hysteresis: 0.2,
  equalCoverageHysteresis: 0,
  // Jitter shows in the second sample, and is steady in the third.
  warmUpSamples: 3,
  dwellMs: 10_000,
  penaltyMs: 30_000,
};

function policyOptionsOf(
  configured: PolicyNumbers & Pick<PolicyConfiguration, 'warm-up' | 'penalty'>,
): Partial<AccessPolicyOptions> {
  const {
    weights: weighing,
    hysteresis: a,
    'equal-coverage-hysteresis': equal,
    'dwell-time': dwellMs,
  } = configured;
  const { 'warm-up': warmUpSamples, penalty: penaltyMs } = configured;
  return {
    ...(weighing && {
      powerWeight: weighing.power,
      costWeight: weighing.cost,
      loadWeight: weighing.load,
    }),
    ...(a !== undefined && { hysteresis: a }),
    ...(equal !== undefined && { equalCoverageHysteresis: equal }),
    ...(dwellMs !== undefined && { dwellMs }),
    ...(warmUpSamples !== undefined && { warmUpSamples }),
    ...(penaltyMs !== undefined && { penaltyMs }),
  };
}
