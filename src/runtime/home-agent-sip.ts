/** The home agent's SIP proxy function in its role: accounts from the configuration and from the encrypted store. */
import { TrimaranError } from '../base/trimaran-error.ts';
import { SipProxyFunction } from '../home-network/home-agent/sip-proxy-function.ts';
import type {
  ForwardingChange,
  SipAccount,
  SipProxyFunctionEvent,
  SipProxyFunctionOptions,
} from '../home-network/home-agent/sip-proxy-function-options.ts';
import type { HomeAgentConfiguration } from './configuration/home-agent.ts';
import type { SipFunctionConfiguration } from './configuration/home-agent-sip.ts';
import type { RoleHost } from './role-host.ts';
import { SipAccountStore, type StoredSipAccount } from './sip-account-store.ts';

/** undefined when the configuration wants none. Throws as the store does, and ACCOUNTS_UNUSABLE. */
export function startSipProxyFunction(
  { 'sip-registration': sip, 'mobile-nodes': mobileNodes }: HomeAgentConfiguration,
  host: RoleHost,
  addressesOf: SipProxyFunctionOptions['addressesOf'],
): { handleInput(change: ForwardingChange): void } | undefined {
  if (sip === undefined) return undefined;
  const accounts = accountsOf(sip);
  const known = new Set(mobileNodes.map((node) => node['home-address']));
  const stray = accounts.find(({ homeAddress }) => !known.has(homeAddress));
  if (stray !== undefined)
    throw new TrimaranError(
      'ACCOUNTS_UNUSABLE',
      `there is an account for ${stray.homeAddress}, which is the home address of none of the mobile nodes`,
      { remedy: 'Remove the account, or add the mobile node.' },
    );
  const machine = new SipProxyFunction({
    local: sip.sip,
    registrar: sip.registrar,
    accounts: accounts.map(sipAccount),
    addressesOf,
    random: host.random,
  });
  return host.run<ForwardingChange, SipProxyFunctionEvent, never>({
    name: 'home-agent',
    machine,
    start: (now) => machine.start(now),
  });
}

/** What the configuration says of a mobile node counts more than the store. */
function accountsOf({ accounts, 'account-store': store }: SipFunctionConfiguration): StoredSipAccount[] {
  const configured = accounts.map((account) => ({
    homeAddress: account['home-address'],
    publicIdentity: account.public,
    privateIdentity: account.private ?? userNameOf(account.public),
    password: account.password.reveal(),
    contactPort: account['contact-port'],
  }));
  const stored = store === undefined ? [] : new SipAccountStore(store).read();
  const isConfigured = ({ homeAddress }: StoredSipAccount): boolean =>
    configured.some((one) => one.homeAddress === homeAddress);
  return [...configured, ...stored.filter((account) => !isConfigured(account))];
}

function sipAccount({ password, ...account }: StoredSipAccount): SipAccount {
  const { homeAddress, publicIdentity, privateIdentity, contactPort } = account;
  return {
    homeAddress,
    identity: {
      publicIdentity,
      privateIdentity,
      // Digest is computed over octets (RFC 7616 §4: UTF-8).
      password: Buffer.from(password).toString('latin1'),
      homeDomain: publicIdentity.slice(publicIdentity.indexOf('@') + 1),
    },
    contactPort,
  };
}

/** The user name of Digest where nobody gives another. */
export function userNameOf(publicIdentity: string): string {
  return publicIdentity.replace(/^sip:|@.*/g, '');
}
