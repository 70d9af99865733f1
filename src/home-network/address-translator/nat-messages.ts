/**
 * The translator's side of NCR and NCA (RFC 6736 §6): definitions in, components with addresses and counters out.
 */
import { isMalformed, type Malformed } from '../../base/malformed.ts';
import { type Avps, avpValue, avpValues } from '../../protocols/diameter/avp.ts';
import { encodeAvps, writeAvp } from '../../protocols/diameter/avp-writing.ts';
import { baseAvps } from '../../protocols/diameter/dictionary/base.ts';
import { followInternalPortStyle, natControlAvps } from '../../protocols/diameter/dictionary/nat-control.ts';
import {
  decodeDefinition,
  type NatComponent,
  type NatCounters,
  type NatDefinition,
  writeComponents,
} from '../../protocols/diameter/nat-control.ts';
import { resultCode } from '../../protocols/diameter/result-code.ts';
import type { NatRequest } from './session-changes.ts';
import type { Refusal, SessionComponent } from './session-component.ts';

/** What an engine has counted for one flow. */
export interface FlowCounters {
  readonly packets: number;
  readonly octets: number;
}

/** The definitions of an NCR. */
export function readRequest(avps: Avps): NatRequest | Refusal {
  const installs = avpValues(avps, natControlAvps.install);
  const removes = avpValues(avps, natControlAvps.remove);
  const install = definitionsIn(installs);
  const remove = definitionsIn(removes);
  if (isMalformed(install)) return wrong(install);
  if (isMalformed(remove)) return wrong(remove);
  if (installs.length > 1 || removes.length > 1 || install.length + remove.length === 0)
    return { resultCode: resultCode.missingAvp, reason: 'one Install or one Remove with definitions' };
  const keepsPairs = installs.some(
    (group) => avpValue(group, natControlAvps.externalPortStyle) === followInternalPortStyle,
  );
  return { install, remove, keepsPairs };
}

/** An NCA: both definitions of each component. */
export function answerAvps(requestType: number, components: readonly NatComponent[]): Avps {
  return encodeAvps((writer) => {
    writeAvp(writer, baseAvps.resultCode, resultCode.success);
    writeAvp(writer, natControlAvps.requestType, requestType);
    writeComponents(writer, components);
  });
}

function wrong(malformed: Malformed): Refusal {
  return { resultCode: resultCode.invalidAvpValue, reason: malformed.toString() };
}

function definitionsIn(groups: readonly Avps[]): readonly NatDefinition[] | Malformed {
  const definitions: NatDefinition[] = [];
  for (const group of groups)
    for (const avps of avpValues(group, natControlAvps.definition)) {
      const definition = decodeDefinition(avps);
      if (isMalformed(definition)) return definition;
      definitions.push(definition);
    }
  return definitions;
}

/** `counters` are in the order of `SessionChanges.flowsOf`: the downlink, then an uplink for each accepted address. */
export function toNatComponent(
  component: SessionComponent,
  counters: readonly (FlowCounters | undefined)[] = [],
): NatComponent {
  const { protocol, mobileNode, correspondent, towardsCorrespondent, towardsMobileNode } = component;
  const [downlink, ...uplinks] = counters;
  const inCounters = sum([downlink]);
  const outCounters = sum(uplinks);
  return {
    protocol,
    ...(mobileNode && { mobileNode }),
    ...(correspondent && { correspondent }),
    towardsCorrespondent,
    towardsMobileNode,
    ...(inCounters && { inCounters }),
    ...(outCounters && { outCounters }),
  };
}

function sum(counters: readonly (FlowCounters | undefined)[]): NatCounters | undefined {
  const counted = counters.filter((one) => one !== undefined);
  if (counted.length === 0) return undefined;
  return {
    packets: counted.reduce((total, { packets }) => total + packets, 0),
    octets: counted.reduce((total, { octets }) => total + octets, 0),
  };
}
