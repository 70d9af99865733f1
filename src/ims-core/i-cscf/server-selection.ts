/**
 * I-CSCF (TRIM Fig. 1): which S-CSCF serves a user (TS 29.228 §6.7). The HSS names one, or says what one must and should be able to
 * do; then every S-CSCF with all mandatory capabilities is a candidate, those with more of the optional ones first.
 */
import { type Avps, avpValue, avpValues } from '../../protocols/diameter/avp.ts';
import { cxAvps } from '../../protocols/diameter/dictionary/cx.ts';

/** An S-CSCF of this network: its name (a SIP URI, as in Server-Name) and the capabilities that the operator numbered. */
export interface ServerCapabilities {
  readonly name: string;
  readonly capabilities: readonly number[];
}

/** Names of the S-CSCFs to try, in this order; empty when none can serve the user. */
export function selectServers(answer: Avps, servers: readonly ServerCapabilities[]): string[] {
  const assigned = avpValue(answer, cxAvps.serverName);
  if (assigned !== undefined) return [assigned];
  const wanted = avpValue(answer, cxAvps.serverCapabilities) ?? [];
  const preferred = avpValues(wanted, cxAvps.serverName);
  const mandatory = avpValues(wanted, cxAvps.mandatoryCapability);
  const optional = avpValues(wanted, cxAvps.optionalCapability);
  const score = ({ capabilities }: ServerCapabilities): number =>
    optional.filter((capability) => capabilities.includes(capability)).length;
  const capable = servers
    .filter(({ capabilities }) => mandatory.every((capability) => capabilities.includes(capability)))
    .toSorted((a, b) => score(b) - score(a))
    .map(({ name }) => name);
  return [...new Set([...preferred, ...capable])];
}
