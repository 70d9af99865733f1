/** The configuration file of `trimaran doctor ims` (examples/doctor-ims.yaml): two users of the core to call one another, and where the application server is. */
import { z } from 'zod';
import type { TransportAddress } from '../../base/network.ts';
import { transportAddress } from './configuration-values.ts';
import { type CorrespondentNodeConfiguration, terminalIdentity } from './correspondent-node.ts';

export interface DiagnosedUser {
  /** Where this user's test terminal listens; the P-CSCF must reach it. */
  readonly sip: TransportAddress;
  readonly identity: CorrespondentNodeConfiguration['identity'];
}

export interface ImsDiagnosisConfiguration {
  /** The control socket of the running application server. */
  readonly control: string;
  /** As the ServerName in the initial filter criteria has it. */
  readonly 'application-server': TransportAddress;
  readonly 'p-cscf': TransportAddress;
  /** Whose profile sends sessions through the application server. */
  readonly subscriber: DiagnosedUser;
  readonly peer: DiagnosedUser;
}

const user = z.strictObject({ sip: transportAddress, identity: terminalIdentity });

export const imsDiagnosisSchema: z.ZodType<ImsDiagnosisConfiguration> = z.strictObject({
  control: z.string().min(1),
  'application-server': transportAddress,
  'p-cscf': transportAddress,
  subscriber: user,
  peer: user,
});
