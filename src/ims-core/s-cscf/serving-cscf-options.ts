/** S-CSCF: its configuration, and what its parts share. */
import type { DurationMs } from '../../base/instant.ts';
import type { JournalWriter, TimedJournal } from '../../base/journal-writer.ts';
import type { TransportAddress } from '../../base/network.ts';
import type { RandomSource } from '../../base/random-source.ts';
import type { CxClient, CxClientOptions } from '../../protocols/diameter/cx-client.ts';
import type { DigestAlgorithm } from '../../protocols/sip/authentication/digest-fields.ts';
import type { SipListener } from '../../protocols/sip/endpoint.ts';
import type { HostAddress, SipProxy } from '../../protocols/sip/proxy/sip-proxy.ts';
import type { RegistrationPolicy } from '../../protocols/sip/registration/binding.ts';
import type { SipTimers } from '../../protocols/sip/transaction/timers.ts';
import type { AuthenticationScheme } from './cx-requests.ts';
import type { Registrar } from './registrar.ts';
import type { RegistrationSubject } from './registration-service.ts';
import type { RegistrationSubscriptions } from './registration-subscriptions.ts';
import type { ServedDialogs } from './served-dialogs.ts';
import type { ServingCscfEvent } from './serving-cscf-event.ts';
import type { SessionSubject } from './session-service.ts';
import type { UnregisteredUsers } from './unregistered-users.ts';

export interface ServingCscfOptions {
  readonly listen: readonly SipListener[];
  /** Stands in Service-Route, Record-Route and original dialog identifiers. */
  readonly address: TransportAddress;
  /** Server-Name in Cx, a SIP URI such as "sip:scscf.home1.net". */
  readonly name: string;
  /** Of the digest; the HSS must use the same. */
  readonly realm: string;
  /** The home domain and each peer domain with its I-CSCF, the hosts of the application servers, and this S-CSCF's own name. */
  readonly hosts: ReadonlyMap<string, HostAddress>;
  /** Names that are not in `hosts` are looked for in the DNS (RFC 3263). */
  readonly locatesServers?: boolean;
  readonly diameter: CxClientOptions;
  /** Default "Unknown": as the HSS knows the user. */
  readonly authenticationScheme?: AuthenticationScheme;
  /**
   * What users with a password are offered, the best first; default MD5 alone, since phones are in use that give up at a challenge whose
   * algorithm they do not know instead of reading on.
   */
  readonly digestAlgorithms?: readonly DigestAlgorithm[];
  readonly registration?: Partial<RegistrationPolicy>;
  /** How long an application server may stay without any response; default 5 s, as Kamailio's isc_fr_timeout. */
  readonly applicationServerTimeoutMs?: DurationMs;
  /** Absent: none is kept. */
  readonly journal?: TimedJournal;
  readonly random: RandomSource;
  readonly timers?: Partial<SipTimers>;
}

/** What the services of one S-CSCF work with. */
export interface ServingCscfContext {
  readonly options: ServingCscfOptions;
  readonly proxy: SipProxy;
  readonly cx: CxClient<RegistrationSubject | SessionSubject>;
  readonly registrar: Registrar;
  readonly unregistered: UnregisteredUsers;
  readonly dialogs: ServedDialogs;
  readonly subscriptions: RegistrationSubscriptions;
  readonly journal: JournalWriter;
  readonly events: ServingCscfEvent[];
}
