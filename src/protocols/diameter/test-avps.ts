/** Everything that AVPs hold, for tests that compare or rewrite whole messages: nobody else reads more of a message than he needs. */
import type { Avp, AvpDefinition, Avps } from './avp.ts';
import { codeAt, isMandatoryAt, nextAt, vendorAt } from './avp-header.ts';
import type { Dictionary } from './dictionary/dictionary.ts';
import { EncodedAvps, readAvp } from './encoded-avps.ts';
import { maximumGroupDepth } from './limits.ts';
import type { DiameterMessage } from './message.ts';

/** The AVPs and those in their groups; what is unknown, cannot be read or is nested too deep comes as octets. */
export function avpList(avps: Avps, dictionary: Dictionary, depth = 0): Avp[] {
  if (!(avps instanceof EncodedAvps)) return [...avps];
  const { octets, from, to } = avps;
  const list: Avp[] = [];
  for (let at = from; at < to; at = nextAt(octets, at)) {
    const definition = dictionary.avp(vendorAt(octets, at), codeAt(octets, at));
    const isTooDeep = definition?.type === 'Grouped' && depth + 1 >= maximumGroupDepth;
    const value = definition === undefined || isTooDeep ? undefined : readAvp(definition, octets, at);
    const mandatory = isMandatoryAt(octets, at);
    if (definition === undefined || value === undefined) list.push(octetsAt(octets, at));
    else if (value instanceof EncodedAvps)
      list.push({ definition, mandatory, value: avpList(value, dictionary, depth + 1) });
    else list.push({ definition, mandatory, value });
  }
  return list;
}

/** The message with its AVPs as a list. */
export function withAvpList(message: DiameterMessage, dictionary: Dictionary): DiameterMessage {
  return { ...message, avps: avpList(message.avps, dictionary) };
}

function octetsAt(octets: Buffer, at: number): Avp {
  const [code, vendor, mandatory] = [codeAt(octets, at), vendorAt(octets, at), isMandatoryAt(octets, at)];
  const name = vendor === 0 ? `AVP ${code}` : `AVP ${code} of vendor ${vendor}`;
  const definition: AvpDefinition<'OctetString'> = {
    code,
    vendor,
    name,
    type: 'OctetString',
    optional: !mandatory,
  };
  return { definition, mandatory, value: readAvp(definition, octets, at)! };
}
